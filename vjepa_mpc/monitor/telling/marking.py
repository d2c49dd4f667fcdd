"""A picture in which the place of a deviation is marked, with its name."""

from __future__ import annotations

import cv2
import numpy as np

from vjepa_mpc.monitor.naming import Deviation
from vjepa_mpc.worldmodel import Crop
from vjepa_mpc.worldmodel.preprocess import crop_box

_RED, _WHITE = (235, 40, 40), (255, 255, 255)
_SIDE = 384  # pixels
_BAR = 26  # of them above, under the words


def marked(image: np.ndarray, deviation: Deviation | None, words: str, crop: Crop) -> np.ndarray:
    """The part of a picture that the model sees, with a box around what is wrong, if it has a place.

    Args:
        image: uint8 RGB [H, W, 3].
        deviation: None while all is as usual.
        words: along the upper edge.
        crop: how the model cuts pictures.

    Returns:
        uint8 RGB [384, 384, 3].
    """
    top, left, height, width = crop_box(image.shape[0], image.shape[1], crop)
    seen = cv2.resize(image[top : top + height, left : left + width], (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    if deviation is not None:
        x, y, wide, high = (round(_SIDE * share) for share in deviation.where or (0.0, 0.0, 1.0, 1.0))
        cv2.rectangle(seen, (x + 1, y + 1), (x + wide - 2, y + high - 2), _RED, 3)
    cv2.rectangle(seen, (0, 0), (_SIDE, _BAR), (0, 0, 0) if deviation is None else _RED, cv2.FILLED)
    cv2.putText(seen, words, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _WHITE, 1, cv2.LINE_AA)
    return np.asarray(seen)
