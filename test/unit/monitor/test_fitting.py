"""What a monitor may be fitted to, what is promised of its alarms, and its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.rigs.monitored_work import ENCODER, fitted_monitor, run
from vjepa_mpc.monitor import file
from vjepa_mpc.monitor.fit import FitSettings, fit
from vjepa_mpc.monitor.steps import named_steps, read_steps
from vjepa_mpc.monitor.thresholds import conformal, fewest_runs
from vjepa_mpc.monitor.watch import watch_run

NAMES = [f"run {seed}" for seed in range(40)]


def test_fewer_than_twenty_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="19 normal runs: at least 20 are needed"):
        fit([run(0)] * 19, NAMES[:19], ENCODER)


def test_a_rate_that_so_few_runs_cannot_promise_is_refused() -> None:
    with pytest.raises(ValueError, match=r"and 99 for false alarms in 0\.01 of the runs"):
        fit([run(0)] * 20, NAMES[:20], ENCODER, FitSettings(rate=0.01))


def test_runs_of_another_task_are_named() -> None:
    runs = [run(seed) for seed in range(18)] + [run(18, legs=(2, 0, 3, 1)), run(19, legs=(2, 0, 3, 1))]
    with pytest.raises(ValueError, match="2 of 20 runs do not go as the others do: run 18, run 19"):
        fit(runs, NAMES[:20], ENCODER)


def test_another_frame_rate_is_named() -> None:
    runs = [run(seed) for seed in range(19)] + [run(19, rate=10.0)]
    with pytest.raises(ValueError, match="most runs have 5 pictures a second, but run 19 has 10"):
        fit(runs, NAMES[:20], ENCODER)


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_the_stated_rate_of_false_alarms_is_kept(rate: float) -> None:
    """Over many fits, on fresh runs, with checks of which one has heavy tails and two depend on one another."""
    rng, alarms = np.random.default_rng(5), []

    def runs(count: int) -> np.ndarray:
        common = rng.normal(size=(count, 1))
        return np.concatenate([common, 3 * common + rng.normal(size=(count, 1)), rng.standard_t(2, (count, 1))], axis=1)

    for _ in range(300):
        thresholds = conformal(runs(60), rate, np.full(3, -1e9))
        alarms.append((thresholds.excess(runs(100)) > 0).any(axis=1).mean())
    assert rate / 2 < np.mean(alarms) < rate + 0.01


@pytest.mark.parametrize(("rate", "runs"), [(0.05, 19), (0.1, 9), (0.01, 99)])
def test_the_fewest_runs_of_a_rate(rate: float, runs: int) -> None:
    assert fewest_runs(rate) == runs
    with pytest.raises(ValueError, match=f"record {runs}"):
        conformal(np.zeros((runs - 1, 1)), rate, np.zeros(1))


def test_a_score_below_the_least_is_no_alarm() -> None:
    thresholds = conformal(np.full((20, 1), 0.1), 0.05, np.array([2.0]))
    assert thresholds.values[0] >= 2.0
    assert thresholds.excess(np.array([1.9]))[0] < 0 < thresholds.excess(np.array([2.1]))[0]


def test_a_monitor_file_holds_all_of_it(tmp_path: Path) -> None:
    fitted = fitted_monitor()
    file.save(fitted, tmp_path / "monitor.npz")
    again = file.load(tmp_path / "monitor.npz")
    assert again.steps == fitted.steps and again.encoder == fitted.encoder and again.rate == fitted.rate
    seen = run(50, pace=1.4)
    one, other = (watch_run(each, seen, ENCODER) for each in (fitted, again))
    np.testing.assert_allclose(one.largest, other.largest)
    assert one.deviations == other.deviations


def test_another_file_is_no_monitor(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", numbers=np.arange(3))
    with pytest.raises(ValueError, match="is no monitor file of this version"):
        file.load(tmp_path / "other.npz")


def test_steps_are_read_from_a_yaml(tmp_path: Path) -> None:
    path = tmp_path / "steps.yaml"
    path.write_text("steps: [{name: fetch, until: 4.5}, {name: place}]")
    assert [step.name for step in named_steps(read_steps(path), 50, 0.2)] == ["fetch", "place"]
    assert named_steps(read_steps(path), 50, 0.2)[1].begin == 22


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step: []", "no list `steps`"),
        ("steps: [{name: a, until: 3}, {name: b, until: 2}]", "each has to be later"),
        ("steps: [{name: a, until: 3}, {name: a}]", "a name of its own"),
        ("steps: [{name: a}, {name: b}]", "`until` is None"),
        ("steps: [{nam: a}]", "write {name: fetch"),
    ],
)
def test_wrong_steps_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "steps.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_steps(path)


def test_a_step_after_the_end_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'b' would last from 10\.0 to 10\.0 s, but the usual run takes 10\.0 s"):
        named_steps([("a", 12.0), ("b", np.inf)], 50, 0.2)
