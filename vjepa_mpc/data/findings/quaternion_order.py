"""Quaternions in another order than the mapping says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from vjepa_mpc.data.evidence import Evidence
from vjepa_mpc.data.finding import Finding, Found
from vjepa_mpc.data.tracks import quaternions_of, usable

_OTHER = {"quaternion_xyzw": "quaternion_wxyz", "quaternion_wxyz": "quaternion_xyzw"}


class QuaternionOrder(Finding):
    """By how the tool stands: over a table it points down and turns about the vertical, whichever order is right.

    Read in the wrong order, turns about the vertical become tilts, and the tool points up, or is turned by half a turn.
    """

    name = "QUATERNION_ORDER"

    def look(self, evidence: Sequence[Evidence]) -> Iterator[Found]:
        """See :class:`Finding`."""
        mapping = evidence[0].episode.recording.mapping
        other = _OTHER.get(mapping.rotation)
        if other is None:
            return
        tilt, turn = _stance(evidence, mapping.rotation)
        other_tilt, other_turn = _stance(evidence, other)
        tilted = tilt > 0.1 and other_tilt < 0.5 * tilt
        turned = turn > 2.5 and other_turn < 1.0 and other_tilt < 1.2 * tilt + 0.02
        if tilted or turned:
            text = (
                f"as {mapping.rotation} the tool is tilted by {np.rad2deg(tilt):.0f} degrees and turned by "
                f"{np.rad2deg(turn):.0f}, as {other} by {np.rad2deg(other_tilt):.0f} and {np.rad2deg(other_turn):.0f}: "
                f"set 'rotation: {other}'"
            )
            yield Found(name=self.name, text=text, value=tilt, unit="rad")


def _stance(evidence: Sequence[Evidence], order: str) -> tuple[float, float]:
    """Mean tilt of the tool from pointing down, and median of its turn about it, in radians."""
    tilts, turns = [], []
    for each in evidence:
        poses, mapping = each.episode.recording.poses, each.episode.recording.mapping
        whole = poses.rotations[usable(poses.stamps, poses.rotations)]
        whole = whole[np.linalg.norm(whole, axis=1) > 1e-6]
        rotation = Rotation.from_quat(quaternions_of(whole, replace(mapping, rotation=order)))
        matrix = rotation.as_matrix()
        tilts.append(np.arccos(np.clip(-matrix[:, 2, 2], -1.0, 1.0)))
        turns.append(np.abs(np.arctan2(matrix[:, 1, 0], matrix[:, 0, 0])))
    return float(np.mean(np.concatenate(tilts))), float(np.median(np.concatenate(turns)))
