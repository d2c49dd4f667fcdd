"""Recorded runs as the monitor sees them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from support.rigs.monitored_work import ColourEncoder
from support.robot_recordings import make_truth, recording
from vjepa_mpc.data import DataError, Episode
from vjepa_mpc.monitor.recordings import sights_of
from vjepa_mpc.monitor.sight import Eye


@pytest.fixture
def eye() -> Eye:
    return Eye(ColourEncoder())  # type: ignore[arg-type]


def test_a_gap_is_refused(eye: Eye) -> None:
    truth = make_truth(length=36)
    stamps = truth.stamps.copy()
    stamps[20:] += 2.0
    with pytest.raises(DataError, match=r"no picture for 2\.07 s after 20 pictures"):
        sights_of(Episode(recording(replace(truth, stamps=stamps))), eye, 5.0)


def test_a_short_run_is_refused(eye: Eye) -> None:
    with pytest.raises(DataError, match="a run has at least 10"):
        sights_of(Episode(recording(make_truth(length=12))), eye, 2.0)


def test_pictures_and_states_belong_together(eye: Eye) -> None:
    episode = Episode(recording(make_truth(length=36)))
    seen = sights_of(episode, eye, 5.0)
    assert seen.stamps[0] == 0.0 and np.allclose(np.diff(seen.stamps), 0.2)
    assert seen.states is not None and np.isnan(seen.change[0]) and np.isfinite(seen.change[1:]).all()
    np.testing.assert_allclose(seen.states, episode.states(episode.grid(0.2)), atol=1e-6)
