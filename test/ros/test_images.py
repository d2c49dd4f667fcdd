"""Images from messages and files: the right pixels, or a refusal that names the value and the remedy."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
from sensor_msgs.msg import CompressedImage, Image

from vjepa_mpc import images
from vjepa_mpc.images import ImageError, decode_image, encode_png, image_to_rgb, read_image_file

pytestmark = pytest.mark.ros

RGB = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)


def raw(pixels: np.ndarray, encoding: str, padding: int = 0) -> Image:
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    return Image(height=height, width=width, step=rows.shape[1], encoding=encoding, data=rows.tobytes())


ENCODED = {
    "rgb8": RGB,
    "bgr8": RGB[..., ::-1],
    "rgba8": np.dstack([RGB, np.full((6, 5), 9, np.uint8)]),
    "bgra8": np.dstack([RGB[..., ::-1], np.full((6, 5), 9, np.uint8)]),
}


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("encoding", ENCODED)
def test_raw_images_give_their_rgb_whatever_the_row_padding(encoding: str, padding: int) -> None:
    np.testing.assert_array_equal(image_to_rgb(raw(ENCODED[encoding], encoding, padding)), RGB)


def test_mono8_gives_grey() -> None:
    grey = RGB[..., 0]
    np.testing.assert_array_equal(image_to_rgb(raw(grey, "mono8")), np.dstack([grey] * 3))


def test_the_result_does_not_share_memory_with_the_message() -> None:
    message = raw(RGB, "rgb8")
    pixels = image_to_rgb(message)
    pixels[:] = 0
    np.testing.assert_array_equal(image_to_rgb(message), RGB)


def altered(**fields: object) -> Image:
    message = raw(RGB, "rgb8")
    for name, value in fields.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (altered(encoding="mono16"), "'mono16'.*8 bits"),
        (altered(encoding="16UC1"), "'16UC1'.*8 bits"),
        (altered(encoding="32FC1"), "'32FC1'.*8 bits"),
        (altered(encoding="bayer_rggb8"), "'bayer_rggb8'.*rgb8 or bgr8"),
        (altered(encoding=""), "''.*rgb8 or bgr8"),
        (altered(width=0), "0 x 6 pixels is empty"),
        (altered(height=0), "5 x 0 pixels is empty"),
        (altered(step=14), "step=14 is less than width 5 x 3 bytes = 15"),
        (altered(step=16), "90 bytes of data, but step=16 x height=6 = 96"),
        (altered(data=b""), "0 bytes of data"),
        (altered(width=100_000, height=100_000, step=300_000), "100000 x 100000 = 10000000000 pixels"),
    ],
)
def test_unusable_raw_images_are_refused_by_name(message: Image, says: str) -> None:
    with pytest.raises(ImageError, match=says):
        image_to_rgb(message)


def encoded(fmt: str, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(RGB).convert(mode).save(buffer, fmt)
    return buffer.getvalue()


@pytest.mark.parametrize("fmt", ["PNG", "BMP"])
def test_lossless_pictures_decode_exactly(fmt: str) -> None:
    np.testing.assert_array_equal(decode_image(encoded(fmt), "it"), RGB)


def test_our_own_png_decodes_exactly() -> None:
    message = CompressedImage(format="png", data=encode_png(RGB))
    np.testing.assert_array_equal(image_to_rgb(message), RGB)


def test_jpeg_and_palette_and_alpha_decode_to_three_channels() -> None:
    for data in (encoded("JPEG"), encoded("PNG", "P"), encoded("PNG", "RGBA"), encoded("PNG", "L")):
        assert decode_image(data, "it").shape == RGB.shape


def sixteen_bit_png() -> bytes:
    return cv2.imencode(".png", np.zeros((4, 4), np.uint16))[1].tobytes()


def bomb() -> bytes:
    """A PNG of 60 megapixels in a few kilobytes."""
    return cv2.imencode(".png", np.zeros((6000, 10_000), np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", r"empty \(0 bytes\)"),
        (b"hello, this is no picture", r"^goal 1 is not a picture \(25 bytes\): send PNG, JPEG, BMP or WebP$"),
        (encode_png(RGB)[:40], "not a picture|damaged or cut short"),
        (sixteen_bit_png(), "16 or more bits"),
        (bomb(), "60000000 pixels, more than 50000000"),
        (bytes(images.MAX_BYTES + 1), "67108865 bytes, more than 67108864"),
    ],
    ids=["empty", "text", "truncated", "16-bit", "huge picture", "huge file"],
)
def test_unusable_pictures_are_refused_by_name(data: bytes, says: str) -> None:
    with pytest.raises(ImageError, match=says):
        decode_image(data, "goal 1")


def test_image_files(tmp_path) -> None:
    file = tmp_path / "goal.png"
    file.write_bytes(encode_png(RGB))
    np.testing.assert_array_equal(read_image_file(file), RGB)
    with pytest.raises(ImageError, match=r"nowhere\.png does not exist"):
        read_image_file(tmp_path / "nowhere.png")
    with pytest.raises(ImageError, match="not a regular file"):
        read_image_file(tmp_path)
    file.write_text("not a picture")
    with pytest.raises(ImageError, match=r"goal\.png is not a picture \(\d+ bytes\): send PNG"):
        read_image_file(file)
