"""Angles in degrees that are taken for radians, or the other way round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from vjepa_mpc.data.evidence import Evidence
from vjepa_mpc.data.finding import Finding, Found

# Nothing recorded in radians goes further than a turn and a bit; a gripper that points down has a roll near pi.
_MOST_RADIANS = 2 * np.pi + 0.3
_LEAST_DEGREES = 3.3


class Degrees(Finding):
    """By how large the recorded angles get."""

    name = "DEGREES"

    def look(self, evidence: Sequence[Evidence]) -> Iterator[Found]:
        """See :class:`Finding`."""
        recordings = [each.episode.recording for each in evidence]
        angular = [each for each in recordings if each.mapping.rotation in ("euler", "rotation_vector")]
        if not angular:
            return
        largest = float(max(np.nanmax(np.abs(each.poses.rotations)) for each in angular))
        unit = angular[0].mapping.angle_unit
        if unit == "rad" and largest > _MOST_RADIANS:
            text = f"angles of up to {largest:.1f} are taken for radians: set 'angle_unit: deg'"
        elif unit == "deg" and largest < _LEAST_DEGREES:
            text = f"angles of at most {largest:.2f} are taken for degrees: set 'angle_unit: rad'"
        else:
            return
        yield Found(name=self.name, text=text, value=largest, unit=unit)
