"""Crops, and images that are not what they should be (parity with upstream is in test_golden.py)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vjepa_mpc.worldmodel.preprocess import crop_box, preprocess, preprocess_batch


@pytest.mark.parametrize(
    ("height", "width", "crop", "box"),
    [
        (180, 320, "square", (0, 70, 180, 180)),
        (320, 180, "square", (70, 0, 180, 180)),
        (180, 320, "droid", (0, 38, 180, 243)),  # 180 * 1.35 wide, then squashed
        (200, 220, "droid", (0, 0, 200, 220)),  # within 0.75 ... 1.35: whole
        (400, 200, "droid", (66, 0, 267, 200)),  # 200 / 0.75 high
    ],
)
def test_crop_keeps_the_centre(height: int, width: int, crop: str, box: tuple[int, int, int, int]) -> None:
    assert crop_box(height, width, crop) == box


def test_batch_and_single_image_agree() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 60, 80, 3), dtype=np.uint8)
    batch = preprocess_batch(images, 32)
    assert torch.equal(batch[1], preprocess(images[1], 32))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 3), np.uint16).astype(np.int32),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_other_than_rgb_bytes_is_refused_with_what_it_is(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected non-empty uint8 RGB"):
        preprocess(image, 32)


def test_unknown_crop_is_refused() -> None:
    with pytest.raises(ValueError, match="crop='circle'"):
        preprocess(np.zeros((4, 4, 3), np.uint8), 32, "circle")
