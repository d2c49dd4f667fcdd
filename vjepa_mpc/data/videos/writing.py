"""Videos written picture by picture with PyAV."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from vjepa_mpc.data.errors import DataError, needs


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How pictures become a video.

    Attributes:
        encoder: its name in FFmpeg.
        codec: its name in descriptions of datasets.
        options: of the encoder.
    """

    encoder: str
    codec: str
    options: Mapping[str, str] = field(default_factory=dict)


# AV1 as LeRobot writes it; H.264 where FFmpeg was built without it.
DATASET = (
    Encoding(encoder="libsvtav1", codec="av1", options={"crf": "30", "g": "2"}),
    Encoding(encoder="libx264", codec="h264", options={"crf": "18", "g": "2"}),
)
# Plays in browsers and office programs.
FILM = (Encoding(encoder="libx264", codec="h264", options={"crf": "18", "preset": "veryfast"}),)


def available(encodings: tuple[Encoding, ...]) -> Encoding:
    """The first one that PyAV has here.

    Raises:
        DataError: there is none.
    """
    known = needs("av").codecs_available
    for each in encodings:
        if each.encoder in known:
            return each
    names = ", ".join(each.encoder for each in encodings)
    raise DataError(f"PyAV has none of the encoders {names}: install av from PyPI")


class VideoFile:
    """A video that pictures are appended to.

    Args:
        path: of the file; its folder is made.
        fps: pictures a second.
        size: width and height of all pictures, even numbers.
        encodings: the first one that there is, is used.
    """

    def __init__(
        self, path: Path, fps: float, size: tuple[int, int], encodings: tuple[Encoding, ...] = DATASET
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.size, self.count = path, size, 0
        chosen = available(encodings)
        os.environ.setdefault("SVT_LOG", "1")  # errors only: libsvtav1 has no other way to be quiet
        # With its index in front, a file that is cut short later can be read as far as it goes.
        self._container = needs("av").open(str(path), "w", options={"movflags": "faststart"})
        rate = Fraction(fps).limit_denominator(1001)
        self._stream = self._container.add_stream(chosen.encoder, rate=rate, options=dict(chosen.options))
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"

    @property
    def megabytes(self) -> float:
        """Written so far; what the encoder still holds does not count."""
        return self.path.stat().st_size / 2**20 if self.path.exists() else 0.0

    def append(self, picture: np.ndarray) -> None:
        """A picture uint8 [H, W, 3]."""
        frame = needs("av").VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        self._container.mux(self._stream.encode(frame))
        self.count += 1

    def close(self) -> None:
        """Write what the encoder still holds."""
        self._container.mux(self._stream.encode())
        self._container.close()
