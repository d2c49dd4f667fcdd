"""What a model expects to see, as a picture: decoded, or the nearest picture that was seen, and it says which."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from torch import Tensor

from vjepa_mpc.imagination.pixels.decoder import DecoderError, PixelDecoder, probe_picture
from vjepa_mpc.imagination.pixels.nearest import NearestSeen
from vjepa_mpc.imagination.surprise import square, write
from vjepa_mpc.worldmodel import CheckpointError, Crop

DECODED, NEAREST = "decoded", "nearest picture seen, not decoded"
SIDE = 384  # pixels of what is drawn

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Imagined:
    """A picture uint8 RGB [S, S, 3] of a latent, and how it was made, in words."""

    picture: np.ndarray
    how: str


class Imagination:
    """Makes pictures of latents.

    Without a decoder, or with one that cannot be used, which is told once, it shows the nearest picture that it was
    given. One thread may use it at a time.

    Args:
        decoder: opens it at the first picture; None where there is none.
        look: the latent [N, D] that the model has of a picture uint8 RGB [H, W, 3]; to see that the decoder belongs.
        crop: how the model cuts pictures.
    """

    def __init__(
        self, decoder: Callable[[], PixelDecoder | None], look: Callable[[np.ndarray], Tensor], crop: Crop
    ) -> None:
        self._open, self._look, self._crop = decoder, look, crop
        self._opened = False
        self._decoder: PixelDecoder | None = None
        self._seen = NearestSeen()

    @property
    def remembers(self) -> bool:
        """Whether there is no decoder, so that pictures have to be remembered."""
        self._prepare()
        return self._decoder is None

    def remember(self, latent: Tensor, image: np.ndarray) -> None:
        """A picture was seen, uint8 RGB [H, W, 3], with its latent [N, D]; kept only where there is no decoder."""
        if self.remembers:
            self._seen.remember(latent, square(image, self._crop, SIDE))

    def picture(self, latent: Tensor) -> Imagined | None:
        """What a latent [N, D] looks like; None as long as there is neither a decoder nor a picture."""
        self._prepare()
        if self._decoder is not None:
            return Imagined(picture=self._decoder(latent[None])[0], how=DECODED)
        nearest = self._seen.nearest(latent)
        return None if nearest is None else Imagined(picture=nearest, how=NEAREST)

    def _prepare(self) -> None:
        if self._opened:
            return
        self._opened = True
        try:
            decoder = self._open()
            if decoder is not None:
                sight = self._look(probe_picture())
                decoder.require_belongs(sight)
                decoder.network.to(sight.device)
            self._decoder = decoder
        except (DecoderError, CheckpointError) as error:
            logger.warning("what is expected is shown by the nearest picture seen: %s", error)


def drawn(imagined: Imagined, words: str) -> np.ndarray:
    """A picture of latents in its usual size, with words on it and how it was made: uint8 RGB [384, 384, 3]."""
    large = cv2.resize(imagined.picture, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    write(large, f"{words}: {imagined.how}")
    return large
