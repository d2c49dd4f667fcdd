"""How wrong a prediction was, where, and what is usual."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from vjepa_mpc.imagination.surprise import Surprise, SurpriseMeter, overlay, square

PATCHES, FEATURES = 16, 3


def latent(value: float = 0.0, **patches: float) -> torch.Tensor:
    """All features the same, but for patches that are named ``p5=1.0``."""
    found = torch.full((PATCHES, FEATURES), value)
    for name, other in patches.items():
        found[int(name[1:])] = other
    return found


def test_the_patch_that_came_out_differently_is_found() -> None:
    found = SurpriseMeter().compare(latent(), latent(), latent(p5=1.6))
    assert found.patches.argmax() == 5 and found.patches[5] == pytest.approx(1.6)
    assert found.level == pytest.approx(0.1), "the mean over sixteen patches"
    assert found.side == 4


def test_a_prediction_is_told_from_the_one_that_nothing_changes() -> None:
    found = SurpriseMeter().compare(latent(0.0), latent(0.9), latent(1.0))
    assert found.level == pytest.approx(0.1) and found.nothing == pytest.approx(1.0)


def test_what_is_usual_is_known_after_five_comparisons_and_is_of_those_before() -> None:
    meter = SurpriseMeter()
    for level in (0.1, 0.2, 0.3, 0.2, 0.2):
        assert math.isnan(meter.compare(latent(), latent(), latent(level)).usual)
    found = meter.compare(latent(), latent(), latent(5.0))
    assert found.usual == pytest.approx(0.2)
    assert found.scale == pytest.approx(0.2), "one event does not change what the colours mean"


def test_the_picture_is_redder_where_the_patch_is() -> None:
    found = Surprise(patches=latent(p5=1.0)[:, 0].numpy(), nothing=0.0, usual=math.nan, scale=1.0)
    grey = np.full((120, 160, 3), 128, dtype=np.uint8)
    drawn = overlay(grey, found, "square")
    assert drawn.shape == (384, 384, 3) and drawn.dtype == np.uint8
    inside = np.zeros((384, 384), dtype=bool)
    inside[96:192, 96:192] = True  # row 1, column 1 of 4 x 4
    assert (drawn[inside][:, 0] > 200).all() and (drawn[inside][:, 2] < 50).all()
    upper = drawn[:288][~inside[:288]]  # below are the words
    assert (upper == 128).all()


def test_the_picture_is_cut_as_the_model_cuts_it() -> None:
    wide = np.zeros((100, 300, 3), dtype=np.uint8)
    wide[:, 100:200] = 255
    assert (square(wide, "square") == 255).all()


def test_patches_that_are_no_square_are_refused_for_a_picture() -> None:
    found = Surprise(patches=np.zeros(6, np.float32), nothing=0.0, usual=math.nan, scale=1.0)
    assert found.side == 0
    with pytest.raises(ValueError, match="6 patches are no square"):
        overlay(np.zeros((8, 8, 3), np.uint8), found, "square")
