"""A gripper that seems closed when it is open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from vjepa_mpc.data.evidence import Evidence
from vjepa_mpc.data.finding import Finding, Found

_START_SECONDS = 0.5


class GripperInverted(Finding):
    """By how episodes begin: an arm sets out with an open gripper, and what it holds keeps it from closing fully."""

    name = "GRIPPER_INVERTED"

    def look(self, evidence: Sequence[Evidence]) -> Iterator[Found]:
        """See :class:`Finding`."""
        starts, spans = [], []
        for each in evidence:
            closedness = each.episode.gripper.at(each.episode.stamps)
            early = each.episode.stamps <= each.episode.stamps[0] + _START_SECONDS
            starts.append(float(np.median(closedness[early])))
            spans.append(float(np.ptp(closedness)))
        closed = sum(start > 0.7 for start in starts)
        moves = any(span > 0.2 for span in spans)
        if moves and closed >= 2 / 3 * len(starts) and not any(start < 0.3 for start in starts):
            text = (
                f"{closed} of {len(starts)} episodes begin with a closed gripper: if it is open in the pictures, "
                "exchange gripper_open and gripper_closed"
            )
            yield Found(name=self.name, text=text, value=closed / len(starts))
