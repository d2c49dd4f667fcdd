"""Positions whose unit cannot be the one of the mapping."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from vjepa_mpc.data.evidence import Evidence
from vjepa_mpc.data.finding import Finding, Found
from vjepa_mpc.data.mapping import METRES

# Distances of the tool from the base of a table-top arm, in metres.
_NEAR, _FAR = 0.02, 3.0
_USUAL = 0.6


class Millimetres(Finding):
    """By how far the tool usually is from the base."""

    name = "MILLIMETRES"

    def look(self, evidence: Sequence[Evidence]) -> Iterator[Found]:
        """See :class:`Finding`."""
        mapping = evidence[0].episode.recording.mapping
        positions = np.concatenate([each.episode.recording.poses.positions for each in evidence])
        recorded = float(np.nanmedian(np.linalg.norm(positions, axis=1)))
        distance = recorded * METRES[mapping.position_unit]
        if _NEAR <= distance <= _FAR:
            return
        unit = min(METRES, key=lambda name: abs(np.log(max(recorded, 1e-9) * METRES[name] / _USUAL)))
        text = f"the tool is usually {distance:.4g} m from the base: "
        text += f"set 'position_unit: {unit}'" if unit != mapping.position_unit else "check which columns hold x, y, z"
        yield Found(name=self.name, text=text, value=distance, unit="m")
