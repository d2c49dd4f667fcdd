"""A monitor that has seen twenty normal runs, and what it makes of others."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from support.rigs.monitored_work import ENCODER, SIZE, fitted_monitor, run
from vjepa_mpc.monitor.fit import FitSettings, Fitted, fit
from vjepa_mpc.monitor.naming import (
    CAMERA_MOVED,
    IMAGE_BAD,
    OBJECT_LOST,
    STEP_SKIPPED,
    STUCK,
    TOO_FAST,
    TOO_SLOW,
    UNKNOWN_STATE,
    WRONG_ORDER,
)
from vjepa_mpc.monitor.sight import Sights
from vjepa_mpc.monitor.watch import Watched, Watcher, watch_run

SINCE = 4.0  # seconds of a run from when on its pictures are changed


@pytest.fixture(scope="module")
def monitor() -> Fitted:
    return fitted_monitor()


def watched(monitor: Fitted, seen: Sights) -> Watched:
    return watch_run(monitor, seen, ENCODER)


def after(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray, float], np.ndarray]:
    return lambda picture, now: change(picture) if now > SINCE else picture


def with_a_stranger(picture: np.ndarray) -> np.ndarray:
    changed = picture.copy()
    changed[50:60, 10:20] = (20, 20, 220)
    return changed


def without_the_square(picture: np.ndarray) -> np.ndarray:
    ground = np.random.default_rng(0).uniform(60, 120, (SIZE // 4, SIZE // 4, 3)).repeat(4, 0).repeat(4, 1)
    noise = np.random.default_rng(int(picture.sum())).normal(0.0, 2.0, picture.shape)
    return np.clip(ground + noise, 0, 255).astype(np.uint8)


def freezing() -> Callable[[np.ndarray, float], np.ndarray]:
    kept: list[np.ndarray] = []

    def change(picture: np.ndarray, now: float) -> np.ndarray:
        if now > SINCE:
            kept.append(picture)
        return kept[0] if kept else picture

    return change


def test_the_steps_are_found_where_the_gripper_changes(monitor: Fitted) -> None:
    begins = [step.begin * monitor.learned.period for step in monitor.steps]
    assert begins == pytest.approx([0.0, 3.0, 6.0, 9.0], abs=0.6)


def test_a_normal_run_goes_from_nought_to_the_end_without_a_word(monitor: Fitted) -> None:
    found = watched(monitor, run(100))
    assert found.deviations == []
    progress = [reading.progress for reading in found.readings]
    assert progress == sorted(progress) and progress[0] < 0.1 and progress[-1] > 0.95
    steps = list(dict.fromkeys(reading.step for reading in found.readings))
    assert steps == ["step 1", "step 2", "step 3", "step 4"]
    assert found.readings[0].next_step == "step 2" and found.readings[-1].next_step == ""


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        (TOO_FAST, lambda: run(101, pace=2.0)),
        (TOO_SLOW, lambda: run(101, pace=0.5)),
        (STUCK, lambda: run(101, stop=(SINCE, 6.0))),
        (WRONG_ORDER, lambda: run(101, legs=(1, 0, 2, 3))),
        (STEP_SKIPPED, lambda: run(101, legs=(0, 2, 3))),
        (STEP_SKIPPED, lambda: run(101, legs=(0, 1))),
        (UNKNOWN_STATE, lambda: run(101, change=after(with_a_stranger))),
        (OBJECT_LOST, lambda: run(101, change=after(without_the_square))),
        (CAMERA_MOVED, lambda: run(101, change=after(lambda picture: np.roll(picture, 2, axis=1)))),
        (IMAGE_BAD, lambda: run(101, change=after(lambda picture: (picture * 0.6).astype(np.uint8)))),
        (IMAGE_BAD, lambda: run(101, change=after(lambda picture: cv2.GaussianBlur(picture, (0, 0), 2.0)))),
        (IMAGE_BAD, lambda: run(101, change=freezing())),
    ],
    ids=["fast", "slow", "stuck", "order", "skipped", "cut off", "stranger", "lost", "moved", "dark", "blur", "frozen"],
)
def test_what_goes_wrong_is_named(monitor: Fitted, name: str, seen: Callable[[], Sights]) -> None:
    found = watched(monitor, seen())
    assert [each.name for each in found.deviations[:1]] == [name]


def test_the_place_in_the_picture_is_told(monitor: Fitted) -> None:
    found = watched(monitor, run(101, change=after(with_a_stranger))).deviations[0]
    assert found.where is not None
    left, top, width, height = found.where
    assert left <= 15 / SIZE <= left + width and top <= 55 / SIZE <= top + height
    assert SINCE < found.began < SINCE + 1.0


def test_watching_does_not_look_ahead(monitor: Fitted) -> None:
    whole, half = run(101), run(101)
    cut = [half.at(index) for index in range(30)]
    watcher = Watcher(monitor, ENCODER)
    alone = [watcher.see(each).scores.values for each in cut]
    together = [reading.scores.values for reading in watched(monitor, whole).readings[:30]]
    np.testing.assert_array_equal(alone, together)


def test_pictures_that_come_too_often_are_not_wanted(monitor: Fitted) -> None:
    watcher = Watcher(monitor, ENCODER)
    watcher.see(run(101).at(0))
    assert not watcher.wants(0.05) and watcher.wants(0.2)


def test_a_gap_is_told_and_counts_as_time_that_passed(monitor: Fitted) -> None:
    seen, watcher = run(101), Watcher(monitor, ENCODER)
    for index in range(20):
        watcher.see(seen.at(index))
    reading = watcher.see(seen.at(26))
    assert "no picture for 1.40 s" in reading.note
    assert reading.scores.place.phase == pytest.approx(26, abs=3)


def test_too_low_a_frame_rate_is_told(monitor: Fitted) -> None:
    seen, watcher = run(101), Watcher(monitor, ENCODER)
    notes = [watcher.see(seen.at(index)).note for index in range(0, 40, 2)]
    assert "fitted with one every 0.20 s" in notes[-1]


def test_an_older_picture_is_refused(monitor: Fitted) -> None:
    seen, watcher = run(101), Watcher(monitor, ENCODER)
    watcher.see(seen.at(5))
    with pytest.raises(ValueError, match=r"after one of 1\.000 s: stamps have to ascend"):
        watcher.see(seen.at(4))


def test_another_encoder_is_refused(monitor: Fitted) -> None:
    with pytest.raises(ValueError, match="fitted with another encoder"):
        Watcher(monitor, (64.0, 192.0))


def test_a_monitor_with_states_wants_states(monitor: Fitted) -> None:
    with pytest.raises(ValueError, match="fitted with states, and there are none"):
        watched(monitor, run(101, states=False))


def test_a_camera_alone_is_enough() -> None:
    runs = [run(seed, states=False) for seed in range(20)]
    alone = fit(runs, [f"run {seed}" for seed in range(20)], ENCODER, FitSettings(steps=(("a", 6.0), ("b", np.inf))))
    assert [step.name for step in alone.steps] == ["a", "b"]
    assert watched(alone, run(101, states=False)).deviations == []
    assert watched(alone, run(101, states=False, legs=(2, 3, 0, 1))).deviations[0].name == WRONG_ORDER
