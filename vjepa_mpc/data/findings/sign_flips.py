"""Angles or quaternions whose sign jumps between samples though the tool hardly turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from vjepa_mpc.data.evidence import Evidence
from vjepa_mpc.data.finding import Finding, Found
from vjepa_mpc.data.mapping import DataMapping


class SignFlips(Finding):
    """Counts them. The readers compare and interpolate rotations, so nothing is to be done about them here."""

    name = "SIGN_FLIPS"

    def look(self, evidence: Sequence[Evidence]) -> Iterator[Found]:
        """See :class:`Finding`."""
        counts = {
            each.episode.name: _flips(each.episode.recording.poses.rotations, each.episode.recording.mapping)
            for each in evidence
        }
        flipped = {name: count for name, count in counts.items() if count}
        if flipped:
            most = max(flipped, key=lambda name: flipped[name])
            text = (
                f"the sign of the rotation jumps {sum(flipped.values())} times in {len(flipped)} episodes (most in "
                f"{most}: {flipped[most]}): rotations are compared here, not numbers; other tools may average across"
            )
            yield Found(
                name=self.name, text=text, episodes=tuple(flipped), note=True, value=float(sum(flipped.values()))
            )


def _flips(rotations: np.ndarray, mapping: DataMapping) -> int:
    if mapping.rotation.startswith("quaternion"):
        return int((np.sum(rotations[1:] * rotations[:-1], axis=1) < 0).sum())
    if mapping.rotation not in ("euler", "rotation_vector"):
        return 0
    half_turn = 180.0 if mapping.angle_unit == "deg" else np.pi
    return int((np.abs(np.diff(rotations, axis=0)) > half_turn).any(axis=1).sum())
