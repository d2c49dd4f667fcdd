"""Gripper values that are the fingers' metres, but are taken for a share of the stroke."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from vjepa_mpc.data.evidence import Evidence
from vjepa_mpc.data.finding import Finding, Found

# The widest opening that fingers of a table-top arm have, and the least that is worth naming.
_WIDEST, _LEAST = 0.16, 0.005


class FingerMetres(Finding):
    """By how large the recorded values get beside the range of the mapping."""

    name = "FINGER_METRES"

    def look(self, evidence: Sequence[Evidence]) -> Iterator[Found]:
        """See :class:`Finding`."""
        grippers = [each.episode.recording.gripper for each in evidence]
        values = [gripper.values for gripper in grippers if gripper is not None]
        mapping = evidence[0].episode.recording.mapping
        if not values or mapping.gripper_open is None or mapping.gripper_closed is None:
            return
        largest = float(np.nanmax(np.abs(np.concatenate(values))))
        if abs(mapping.gripper_open - mapping.gripper_closed) >= 0.5 and _LEAST < largest <= _WIDEST:
            text = (
                f"the gripper's values reach only {largest:.4f}, as fingers in metres do: set gripper_open to that of "
                f"the open gripper, such as {largest:.2f}, and 'gripper_closed: 0'"
            )
            yield Found(name=self.name, text=text, value=largest, unit="m")
