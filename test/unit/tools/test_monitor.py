"""`vjepa-mpc monitor fit` and `watch`, from recordings on a disk to words."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from vjepa_mpc.tools.cli import main

RUNS, PICTURES, SIZE = 20, 16, 64
RATE = "4"  # pictures a second of the notebook's files


def write_runs(path: Path, count: int, *, first: int = 0, stranger: bool = False) -> Path:
    """A red square that goes across the picture, as an npz file of the notebook; a blue one joins it, if strange."""
    # A table with a pattern: on a plain one nobody could tell a moved camera from a moved square.
    pattern = np.random.default_rng(7).uniform(70.0, 150.0, (SIZE // 8, SIZE // 8, 1)).repeat(8, 0).repeat(8, 1)
    images = np.broadcast_to(pattern, (count, PICTURES, SIZE, SIZE, 3)).astype(np.float32)
    states = np.zeros((count, PICTURES, 7))
    for run in range(count):
        noise = np.random.default_rng(first + run)
        for index in range(PICTURES):
            left = 2 + 3 * index + int(noise.integers(2))
            images[run, index, 20:32, left : left + 12] = (220, 40, 40)
            states[run, index, :3] = 0.4 + 0.01 * index, 0.0, 0.2
            states[run, index, 6] = float(index > PICTURES // 2)
            if stranger and index > 9:
                images[run, index, 40:60, 5:25] = (20, 30, 220)
        images[run] += noise.normal(0.0, 2.0, images[run].shape)
    np.savez(path, observations=images.clip(0, 255).astype(np.uint8), states=states)
    return path


def test_from_recordings_to_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    normal, monitor = write_runs(tmp_path / "normal.npz", RUNS), tmp_path / "monitor.npz"
    assert main(["monitor", "fit", "--data", str(normal), "--out", str(monitor), "--rate", RATE]) == 0
    assert "20 normal runs, usually 4.0 s; steps:\n  step 1: 0.0 to " in capsys.readouterr().out
    strange = write_runs(tmp_path / "strange.npz", 1, first=100, stranger=True)
    told = tmp_path / "told.json"
    assert main(["monitor", "watch", "--data", str(strange), "--monitor", str(monitor), "--json", str(told)]) == 0
    assert re.search(r"trajectory_0: UNKNOWN_STATE in step 2 after [23]\.", capsys.readouterr().out)
    [run] = json.loads(told.read_text())
    assert [each["name"] for each in run["deviations"]] == ["UNKNOWN_STATE"]


def test_too_few_runs_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = write_runs(tmp_path / "few.npz", 3)
    arguments = ["monitor", "fit", "--data", str(few), "--out", str(tmp_path / "m.npz"), "--rate", RATE]
    assert main(arguments) == 2
    assert "3 normal runs: at least 20 are needed" in capsys.readouterr().err


def test_a_rate_above_that_of_the_recordings_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = write_runs(tmp_path / "runs.npz", 1)
    arguments = ["monitor", "fit", "--data", str(runs), "--out", str(tmp_path / "m.npz"), "--rate", "10"]
    assert main(arguments) == 2
    assert "has 4 pictures a second, fewer than the 10 that are looked at" in capsys.readouterr().err


def test_another_file_is_no_monitor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = write_runs(tmp_path / "runs.npz", 1)
    assert main(["monitor", "watch", "--data", str(runs), "--monitor", str(runs)]) == 2
    assert "is no monitor file of this version" in capsys.readouterr().err
