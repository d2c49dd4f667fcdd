"""From camera pixels to what the encoder was trained on.

Source: upstream ``app/vjepa_droid/transforms.py``. Live and goal images must go through the same crop.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Crop = Literal["square", "droid"]

# ImageNet statistics of 0..1 colours, scaled to the 0..255 range that the pixels have here.
_MEAN = torch.tensor([0.485, 0.456, 0.406]) * 255.0
_STD = torch.tensor([0.229, 0.224, 0.225]) * 255.0

# Width / height that the crop keeps; what lies outside is cut off evenly, and the rest is squashed to a square.
_ASPECT_RANGE: dict[str, tuple[float, float]] = {
    "square": (1.0, 1.0),  # upstream notebook: the largest centred square
    # Training: the "random" crop asks for 1.777 times the image's area, never fits, and always falls back to this.
    "droid": (0.75, 1.35),
}


def crop_box(height: int, width: int, crop: Crop) -> tuple[int, int, int, int]:
    """Top, left, height and width in pixels of the centred part of the image that is used."""
    if crop not in get_args(Crop):
        raise ValueError(f"crop={crop!r} is unknown: use one of {', '.join(get_args(Crop))}")
    narrowest, widest = _ASPECT_RANGE[crop]
    kept_height, kept_width = height, width
    if width / height < narrowest:
        kept_height = round(width / narrowest)
    elif width / height > widest:
        kept_width = round(height * widest)
    return (height - kept_height) // 2, (width - kept_width) // 2, kept_height, kept_width


def preprocess_batch(images: np.ndarray | Tensor, size: int, crop: Crop = "square") -> Tensor:
    """Crop, resize (bilinear, no antialias) and normalise: uint8 RGB [B, H, W, 3] -> float32 [B, 3, size, size].

    Raises:
        ValueError: not uint8, not [B, H, W, 3], or empty.
    """
    pixels = torch.as_tensor(images)
    if pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[-1] != 3 or 0 in pixels.shape:
        raise ValueError(
            f"images are {pixels.dtype} {list(pixels.shape)}: expected non-empty uint8 RGB [batch, height, width, 3]"
        )
    top, left, height, width = crop_box(pixels.shape[1], pixels.shape[2], crop)
    cropped = pixels[:, top : top + height, left : left + width].permute(0, 3, 1, 2).float()
    resized = F.interpolate(cropped, size=(size, size), mode="bilinear", align_corners=False)
    mean, std = (statistic.to(resized.device)[:, None, None] for statistic in (_MEAN, _STD))
    return (resized - mean) / std


def preprocess(image_uint8_hwc: np.ndarray | Tensor, size: int = 256, crop: Crop = "square") -> Tensor:
    """One image: uint8 RGB [H, W, 3] -> float32 [3, size, size]. See :func:`preprocess_batch`."""
    return preprocess_batch(torch.as_tensor(image_uint8_hwc)[None], size, crop)[0]
