"""Equal steps of time in recordings that have holes."""

from __future__ import annotations

import numpy as np

from vjepa_mpc.data.steps import clip_starts, sample_stamps


def test_frames_are_the_nearest_ones_in_time() -> None:
    stamps = np.array([0.0, 0.09, 0.21, 0.3, 0.41, 0.62])
    assert sample_stamps(stamps, 0.2).tolist() == [0.0, 0.21, 0.41, 0.62]
    assert sample_stamps(stamps, 0.01).tolist() == stamps.tolist()
    assert sample_stamps(stamps[:1], 0.2).tolist() == [0.0]


def test_no_clip_spans_a_hole() -> None:
    stamps = np.array([0.0, 0.25, 0.5, 0.75, 2.0, 2.25, 2.5])
    assert clip_starts(stamps, 3, 0.25).tolist() == [0, 1, 4]
    assert clip_starts(stamps, 8, 0.25).tolist() == []
