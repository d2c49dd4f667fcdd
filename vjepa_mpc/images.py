"""Pictures: decoded, checked and encoded. RGB arrays uint8 [H, W, 3] are what everything else works with.

Raw camera images are converted here rather than by cv_bridge: PyPI's ignores a message's ``step`` (rows with padding
come out skewed), takes 16-bit images for 8-bit ones and misreads the number of channels under OpenCV 5.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from vjepa_mpc.files import expanded

# Goal pictures and camera frames are a few megapixels at most; what is beyond these limits is a mistake or an attack,
# and is refused before it is decoded.
MAX_BYTES = 64 * 2**20
MAX_PIXELS = 50_000_000
# Names that the formats have in Pillow.
FORMATS = ("PNG", "JPEG", "BMP", "WEBP")

_CHANNELS = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1, "8UC1": 1, "8UC3": 3}
_TO_RGB = {
    "bgr8": cv2.COLOR_BGR2RGB,
    "8UC3": cv2.COLOR_BGR2RGB,  # OpenCV's own order
    "rgba8": cv2.COLOR_RGBA2RGB,
    "bgra8": cv2.COLOR_BGRA2RGB,
    "mono8": cv2.COLOR_GRAY2RGB,
    "8UC1": cv2.COLOR_GRAY2RGB,
}


class ImageError(ValueError):
    """An image that cannot be used; the message names the value and what to do."""


def image_to_rgb(message: Any) -> np.ndarray:
    """A ``sensor_msgs/Image`` or ``sensor_msgs/CompressedImage`` as uint8 RGB [H, W, 3], a copy of its own.

    Raises:
        ImageError: empty, huge, of an encoding that has no unambiguous RGB, or with a ``step`` that its data belies.
    """
    if hasattr(message, "format"):
        return decode_image(message.data, "the compressed image")
    return _raw_to_rgb(message)


def _raw_to_rgb(message: Any) -> np.ndarray:
    height, width, step, encoding = message.height, message.width, message.step, message.encoding
    channels = _CHANNELS.get(encoding)
    if channels is None:
        deep = "16" in encoding or "32" in encoding
        remedy = "republish it with 8 bits a channel" if deep else "set the camera driver's output to rgb8 or bgr8"
        raise ImageError(f"image encoding '{encoding}' is not one of {', '.join(_CHANNELS)}: {remedy}")
    if height == 0 or width == 0:
        raise ImageError(f"image of {width} x {height} pixels is empty: check the camera driver")
    _check_pixels(width, height, "the image")
    if step < width * channels:
        raise ImageError(
            f"image step={step} is less than width {width} x {channels} bytes = {width * channels}: "
            "the driver fills in `step` wrongly"
        )
    data = np.frombuffer(message.data, dtype=np.uint8)
    if data.size != step * height:
        raise ImageError(
            f"image has {data.size} bytes of data, but step={step} x height={height} = {step * height}: "
            "the driver fills in `step` or `data` wrongly"
        )
    pixels = data.reshape(height, step)[:, : width * channels].reshape(height, width, channels)
    conversion = _TO_RGB.get(encoding)
    return pixels.copy() if conversion is None else cv2.cvtColor(np.ascontiguousarray(pixels), conversion)


def decode_image(data: Any, name: str) -> np.ndarray:
    """PNG, JPEG, BMP or WebP bytes as uint8 RGB [H, W, 3]; ``name`` is what the message calls the picture.

    Raises:
        ImageError: empty, too large, not a picture, truncated, animated beyond one frame, or 16 bits a channel.
    """
    view = memoryview(data).cast("B")
    if not len(view):
        raise ImageError(f"{name} is empty (0 bytes): send a PNG or JPEG picture")
    if len(view) > MAX_BYTES:
        raise ImageError(f"{name} has {len(view)} bytes, more than {MAX_BYTES}: send a smaller picture")
    try:
        # The header tells the size before any pixel is decoded. `formats` keeps Pillow's more exotic readers out.
        with PillowImage.open(io.BytesIO(view), formats=FORMATS) as header:
            (width, height), mode = header.size, header.mode
    except PillowImage.DecompressionBombError as error:
        raise ImageError(f"{name} is refused: {error}; send at most {MAX_PIXELS} pixels") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        # Nothing of its contents: whoever asks may be allowed to name files, and not to read them.
        raise ImageError(f"{name} is not a picture ({len(view)} bytes): send PNG, JPEG, BMP or WebP") from error
    _check_pixels(width, height, name)
    if mode.startswith(("I", "F")):
        raise ImageError(f"{name} has 16 or more bits a channel (mode {mode}): convert it to 8 bits a channel")
    try:
        pixels = cv2.imdecode(np.frombuffer(view, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ImageError(f"{name} cannot be decoded ({error}): save it again as PNG") from error
    if pixels is None:
        raise ImageError(f"{name} is damaged or cut short ({len(view)} bytes, {width} x {height}): send it again")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def read_image_file(path: str | Path) -> np.ndarray:
    """An image file as uint8 RGB [H, W, 3].

    Raises:
        ImageError: missing, not a regular file, unreadable, or not a usable picture.
    """
    return decode_image(read_image_bytes(path), f"image file {path}")


def read_image_bytes(path: str | Path) -> bytes:
    """The bytes of an image file, refused when there are more than a picture needs.

    Raises:
        ImageError: missing, not a regular file, unreadable, or too large.
        ValueError: ``~`` stands for no home folder.
    """
    file = expanded(path)
    if not file.is_file():
        what = "is not a regular file" if file.exists() else "does not exist"
        raise ImageError(f"image file {file} {what} on this machine: give the full path of a PNG or JPEG")
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise ImageError(f"image file {file} has {size} bytes, more than {MAX_BYTES}: use a smaller picture")
        return file.read_bytes()
    except OSError as error:
        raise ImageError(f"image file {file} cannot be read ({error.strerror}): check its permissions") from error


def encode_png(image: np.ndarray) -> bytes:
    """PNG bytes of an RGB image uint8 [H, W, 3]."""
    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise ImageError(f"an image of shape {image.shape} cannot be encoded as PNG")
    return data.tobytes()


def encode_jpeg(image: np.ndarray, quality: int) -> bytes:
    """JPEG bytes of an RGB image uint8 [H, W, 3]; quality 1 to 100."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ImageError(f"an image of shape {image.shape} cannot be encoded as JPEG")
    return data.tobytes()


def check_rgb(image: np.ndarray, name: str) -> None:
    """Refuse anything but a non-empty uint8 RGB array [H, W, 3].

    Raises:
        TypeError: not a uint8 array.
        ValueError: another shape.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = f"{image.dtype} array" if isinstance(image, np.ndarray) else type(image).__name__
        raise TypeError(f"{name} is a {kind}: convert it to an 8-bit RGB numpy array (uint8)")
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"{name} has shape {image.shape}: use a non-empty RGB image [height, width, 3]")


def _check_pixels(width: int, height: int, name: str) -> None:
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{name} has {width} x {height} = {width * height} pixels, more than {MAX_PIXELS}: use a smaller picture"
        )
