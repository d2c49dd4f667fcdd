"""Episodes in which the arm does nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from vjepa_mpc.data.evidence import Evidence
from vjepa_mpc.data.finding import Finding, Found

_METRES, _RADIANS, _CLOSEDNESS = 0.005, 0.03, 0.05


class StillEpisode(Finding):
    """By how far tool and gripper move in all."""

    name = "STILL_EPISODE"

    def look(self, evidence: Sequence[Evidence]) -> Iterator[Found]:
        """See :class:`Finding`."""
        still = tuple(each.episode.name for each in evidence if _is_still(each))
        if still:
            text = (
                f"in {len(still)} episode(s) the arm moves less than {_METRES * 1e3:.0f} mm and turns less than "
                f"{np.rad2deg(_RADIANS):.0f} degrees: they teach nothing; leave them out, or check the poses"
            )
            yield Found(name=self.name, text=text, episodes=still, value=float(len(still)))


def _is_still(evidence: Evidence) -> bool:
    states = evidence.episode.states(evidence.episode.stamps)
    turns = Rotation.from_euler("xyz", states[:, 3:6])
    moved = np.linalg.norm(states[:, :3] - states[0, :3], axis=1).max()
    turned = (turns[0].inv() * turns).magnitude().max()
    return bool(moved < _METRES and turned < _RADIANS and np.ptp(states[:, 6]) < _CLOSEDNESS)
