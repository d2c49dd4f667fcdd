"""Gripper values far outside what the mapping says of open and closed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from vjepa_mpc.data.evidence import Evidence
from vjepa_mpc.data.finding import Finding, Found


class GripperRange(Finding):
    """By the recorded values beside the range of the mapping."""

    name = "GRIPPER_RANGE"

    def look(self, evidence: Sequence[Evidence]) -> Iterator[Found]:
        """See :class:`Finding`."""
        grippers = [each.episode.recording.gripper for each in evidence]
        values = [gripper.values for gripper in grippers if gripper is not None]
        mapping = evidence[0].episode.recording.mapping
        if not values or mapping.gripper_open is None or mapping.gripper_closed is None:
            return
        low, high = float(np.nanmin(np.concatenate(values))), float(np.nanmax(np.concatenate(values)))
        ends = sorted((mapping.gripper_open, mapping.gripper_closed))
        margin = 0.15 * (ends[1] - ends[0])
        if low < ends[0] - margin or high > ends[1] + margin:
            text = (
                f"the gripper's values go from {low:.4g} to {high:.4g}, but the mapping says from {ends[0]:g} to "
                f"{ends[1]:g}: set gripper_open and gripper_closed"
            )
            yield Found(name=self.name, text=text, value=high)
