"""Ctrl-C loses nothing that a benchmark has measured, and its files are tried before it measures."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure

from vjepa_mpc.exit_status import ExitStatus

ROOT = Path(__file__).resolve().parents[3]

# Stands before a benchmark's main: the function that is named is interrupted when it is called for the nth time.
INTERRUPT = """
import sys
import common
import {benchmark} as benchmark

measure, calls = benchmark.{function}, []

def measure_or_interrupt(*arguments):
    calls.append(arguments)
    if len(calls) == {nth}:
        raise KeyboardInterrupt
    return measure(*arguments)

benchmark.{function} = measure_or_interrupt
sys.exit(common.run(benchmark.main))
"""


def interrupted(benchmark: str, function: str, nth: int, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a benchmark that gets a Ctrl-C in the nth call of a function of its."""
    places = [str(ROOT / "benchmarks"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    script = INTERRUPT.format(benchmark=benchmark, function=function, nth=nth)
    return subprocess.run(
        [sys.executable, "-c", script, "--device", "cpu", "--threads", "1", *options],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(places)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def common(module: Callable[[str], ModuleType]) -> ModuleType:
    """What the benchmarks share."""
    return module("common")


def test_ctrl_c_keeps_the_rows_that_were_measured_and_marks_them_as_partial(tmp_path: Path) -> None:
    file = tmp_path / "growth.json"
    done = interrupted("bench_growth", "measure", 3, "--repeats", "1", "--json", str(file))
    assert done.returncode == 130, done.stderr
    content = json.loads(file.read_text())
    assert content["partial"] is True and content["slopes"] == []
    assert [row["value"] for row in content["rows"]] == [4, 8]
    for text in (done.stdout, file.with_suffix(".md").read_text()):
        assert "Interrupted: this is what was measured before." in text and "| samples | 8 |" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["growth.json", "growth.md"]


def test_before_the_first_row_nothing_is_written(common: ModuleType, tmp_path: Path) -> None:
    def nothing() -> Iterator[dict[str, Any]]:
        raise KeyboardInterrupt
        yield {}

    file = tmp_path / "growth.json"
    file.write_text("{}")
    options = argparse.Namespace(json=file, interrupted=False)
    rows = list(common.until_interrupted(options, nothing()))
    assert rows == [] and list(common.until_interrupted(options, iter("what is measured later"))) == []
    assert common.finish(options, torch.float32, "Growth", rows, figure=Figure) == ExitStatus.INTERRUPTED
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("growth.json", "{}")]


@pytest.mark.parametrize("suffix", [".json", ".md", ".png"])
def test_a_file_that_cannot_be_written_is_said_before_anything_is_measured(
    common: ModuleType, tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / "growth.json"
    file.with_suffix(suffix).mkdir()
    with pytest.raises(ValueError, match=f"--json {file.with_suffix(suffix)} cannot be written"):
        common.begin(argparse.Namespace(json=file))


@pytest.mark.slow
@pytest.mark.sim
def test_plans_that_worker_processes_still_make_are_given_up(tmp_path: Path, tiny_model: str) -> None:
    file = tmp_path / "quality.json"
    what = ["--reference", "cpu", "--presets", "cpu", "paper", "--options", "published", "--problems", "2"]
    loops = ["--reach", "0", "--pick-place", "0", "--processes", "1"]
    done = interrupted("bench_quality", "preset_row", 2, *what, *loops, "--model", tiny_model, "--json", str(file))
    assert done.returncode == 130, done.stderr
    content = json.loads(file.read_text())
    assert content["partial"] is True and content["curves"] == []
    assert [row["preset"] for row in content["rows"]] == ["cpu"]
