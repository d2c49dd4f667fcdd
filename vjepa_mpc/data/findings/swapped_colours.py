"""Red and blue exchanged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from vjepa_mpc.data.evidence import Evidence
from vjepa_mpc.data.finding import Finding, Found

_LEAST_COLOURFUL = 0.003


class SwappedColours(Finding):
    """By what is colourful: indoors that is rather red, orange or brown (wood, hands, lamps) than blue."""

    name = "SWAPPED_COLOURS"

    def look(self, evidence: Sequence[Evidence]) -> Iterator[Found]:
        """See :class:`Finding`."""
        shares = np.array([each.colourful for each in evidence])
        warmth = np.array([each.warmth for each in evidence])
        if shares.mean() < _LEAST_COLOURFUL:
            return
        overall, colours = float(warmth[:, 0].mean()), float(np.average(warmth[:, 1], weights=shares + 1e-9))
        if overall < 0 and colours < -30:
            other = "rgb" if evidence[0].episode.recording.mapping.colours == "bgr" else "bgr"
            text = (
                f"colourful pixels are bluer than red by {-colours:.0f} of 255: if the contact sheet's colours are "
                f"wrong, set 'colours: {other}'"
            )
            yield Found(name=self.name, text=text, value=colours)
