"""A video file whose rate contradicts the stamps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from vjepa_mpc.data.evidence import Evidence
from vjepa_mpc.data.finding import Finding, Found

_TOLERANCE = 0.05


class VideoRate(Finding):
    """By the rate that the file declares. The readers go by the stamps; what plays the file does not."""

    name = "VIDEO_RATE"

    def look(self, evidence: Sequence[Evidence]) -> Iterator[Found]:
        """See :class:`Finding`."""
        wrong, declared, real = [], 0.0, 0.0
        for each in evidence:
            rate, interval = each.episode.recording.video_rate, float(np.median(np.diff(each.episode.stamps)))
            if rate and interval > 0 and abs(rate * interval - 1) > _TOLERANCE:
                wrong.append(each.episode.name)
                declared, real = rate, 1 / interval
        if wrong:
            text = (
                f"videos of {len(wrong)} episode(s) say {declared:.4g} pictures a second, their stamps {real:.4g}: the "
                "stamps are used; tools that believe the videos take wrong steps"
            )
            yield Found(name=self.name, text=text, episodes=tuple(wrong), note=True, value=declared, unit="pictures/s")
