"""Pictures that are stamped later, or earlier, than what they show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from vjepa_mpc.data.evidence import Evidence, delay
from vjepa_mpc.data.finding import Finding, Found

# Below this neither the arm's motion in a step nor the measurement is worth correcting.
_LEAST = 0.03


class ImageLate(Finding):
    """By comparing when pictures change with when the arm moves, over all episodes together."""

    name = "IMAGE_LATE"

    def look(self, evidence: Sequence[Evidence]) -> Iterator[Found]:
        """See :class:`Finding`."""
        telling = [each for each in evidence if each.late.any()]
        if not telling:
            return
        weights = [len(each.episode) for each in telling]
        seconds = delay(np.average([each.late for each in telling], axis=0, weights=weights))
        if seconds is None or abs(seconds) < _LEAST:
            return
        total = evidence[0].episode.recording.mapping.image_delay + seconds
        text = (
            f"pictures are {abs(seconds) * 1e3:.0f} ms {'late' if seconds > 0 else 'early'} against the poses: set "
            f"'image_delay: {total:.2f}', or have the camera's driver stamp them when they are taken"
        )
        yield Found(name=self.name, text=text, value=seconds * 1e3, unit="ms")
