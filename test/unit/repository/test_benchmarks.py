"""The benchmarks at small sizes: they run, agree with the published code, and write what is read from them."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from support.rigs.small_model import SMALL_MODEL
from vjepa_mpc.planning import PRESETS, CEMPlanner
from vjepa_mpc.worldmodel import build_world_model
from vjepa_mpc.worldmodel.vjepa.layers import layer_norm_features

ROOT = Path(__file__).resolve().parents[3]


Refused = Callable[..., str]


@pytest.fixture
def refused(
    module: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Refused:
    """What a benchmark that cannot begin says on stderr."""

    def begin(name: str, *options: str) -> str:
        monkeypatch.setattr(sys, "argv", [f"benchmarks/bench_{name}.py", *options])
        status = module("common").run(module(f"bench_{name}").main)
        out, error = capsys.readouterr()
        assert (status, out, error.count("\n")) == (2, "", 1), error
        return error

    return begin


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--threads", "99999"), "threads=99999: give the number of CPU threads"),
        (("--device", "cuda:99"), "device='cuda:99'"),
        (("--json", "/dev/null/x.json"), "--json /dev/null/x.json cannot be written"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_measured(
    refused: Refused, options: tuple[str, str], says: str
) -> None:
    assert refused("growth", *options).startswith(f"bench_growth: {says}")


@pytest.mark.skipif(find_spec("vjepa2") is not None, reason="the original is installed")
def test_the_original_is_asked_for_with_the_command_that_installs_it(refused: Refused) -> None:
    assert "-m pip install --no-deps cc-vjepa2==0.0.3`" in refused("rollout")


needs_the_original = pytest.mark.skipif(
    find_spec("vjepa2") is None, reason="needs the packaged original: pip install --no-deps cc-vjepa2 (make bench does)"
)

Row = dict[str, Any]
Run = Callable[..., Row]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a benchmark as `make bench` does; gives what it wrote as JSON."""

    def run_benchmark(name: str, *options: str) -> Row:
        file = tmp_path / f"{name}.json"
        command = [sys.executable, str(ROOT / "benchmarks" / f"bench_{name}.py"), "--json", str(file)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        command += ["--device", "cpu", "--threads", "1", *options]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, done.stderr
        content = json.loads(file.read_text())
        table = file.with_suffix(".md").read_text()
        assert content["title"] in table and f"![{content['title']}]({name}.png)" in table
        assert file.with_suffix(".png").stat().st_size > 1000
        assert {"device", "torch", "commit", "dtype", "threads", "seed", "load", "took_s"} <= set(content)
        return content

    return run_benchmark


def a_problem(problems: ModuleType) -> Any:
    """One for the tiny model."""
    context, goal = layer_norm_features(torch.randn(2, 4, 24, generator=torch.Generator().manual_seed(0)))
    return problems.Problem(context, torch.zeros(7), goal)


@needs_the_original
@pytest.mark.slow
def test_rollout_is_compared_with_the_original(run: Run) -> None:
    rows = run("rollout", "--horizons", "1", "2", "--samples", "2", "--repeats", "1")["rows"]
    assert [(row["horizon"], row["samples"], row["micro_batch"]) for row in rows] == [(1, 2, 2), (2, 2, 2)]
    for row in rows:
        assert row["ratio"] == pytest.approx(row["published_median_s"] / row["ours_median_s"], rel=1e-2)
        assert row["max_rel_error"] < 1e-4
        assert "required" not in row  # of 16 candidates only


@needs_the_original
def test_the_comparison_halves_batches_until_both_fit(
    module: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    rollout = module("bench_rollout")
    published_rollout, sizes = rollout.published_rollout, []

    def with_room_for_two(predictor: Any, context: Any, pose: Any, actions: torch.Tensor) -> list[torch.Tensor]:
        sizes.append(actions.shape[1])
        if actions.shape[1] > 2:
            raise torch.OutOfMemoryError("no room")
        return published_rollout(predictor, context, pose, actions)

    monkeypatch.setattr(rollout, "published_rollout", with_room_for_two)
    options = argparse.Namespace(seed=0, repeats=1, limit=60.0, device="cpu")
    row = rollout.compare(build_world_model(SMALL_MODEL), 3, 5, options)
    assert row["micro_batch"] == 2 and row["max_rel_error"] < 1e-4
    assert sizes == [5, 2, 2, 1, 2, 2, 1]  # refused; compared; timed


def test_a_missed_ratio_is_said(module: Callable[[str], ModuleType]) -> None:
    rollout = module("bench_rollout")
    good = {"horizon": 1, "required": 1.15, "ratio": 1.2, "max_rel_error": 1e-6}
    slow, wrong = good | {"horizon": 2, "ratio": 1.1}, good | {"horizon": 4, "max_rel_error": 2e-4}
    assert rollout.verdict([good])[0].endswith("Met.")
    assert rollout.verdict([{"horizon": 1, "failed": "out of memory"}]) == []
    (said,) = rollout.verdict([good, slow, wrong])
    assert "Missed" in said and "H 1:" not in said and "H 2: ratio 1.1" in said and "H 4:" in said


def test_what_fails_on_a_gpu_is_a_row_and_on_a_cpu_an_error(module: Callable[[str], ModuleType]) -> None:
    def fail() -> Row:
        raise torch.OutOfMemoryError("no room\nfor all that")

    common = module("common")
    row = common.row_or_failure(fail, "cuda")
    assert row == {"failed": "OutOfMemoryError: no room"}
    assert module("bench_rollout").plot([{"horizon": 1, "samples": 4, **row}]) is not None
    assert module("bench_plan").plot([{"preset": "paper", "variant": "eager", **row}]) is not None
    with pytest.raises(torch.OutOfMemoryError):
        common.row_or_failure(fail, "cpu")


def test_turns_end_with_the_time(module: Callable[[str], ModuleType]) -> None:
    calls: list[str] = []
    contenders = {name: lambda name=name: calls.append(name) for name in ("a", "b")}
    seconds = module("common").side_by_side(contenders, 5, "cpu", limit=0.0)
    assert calls == ["a", "b"] * 3  # once to warm up, twice timed
    assert [len(taken) for taken in seconds.values()] == [2, 2]


@needs_the_original
@pytest.mark.slow
def test_plan_is_timed_by_preset_and_profiled(run: Run, tiny_model: str) -> None:
    one = ["--presets", "realtime", "--published", "realtime", "--profile", "realtime"]
    content = run("plan", *one, "--repeats", "2", "--model", tiny_model)
    ours, shipped, autocast = content["rows"]
    assert (ours["preset"], ours["candidate_steps"]) == ("realtime", PRESETS["realtime"].candidate_steps)
    assert ours["plan_min_s"] < ours["replan_min_s"] and 0.0 < ours["share_of_matmul"] < 1.0
    assert ours["ratio_shipped"] == pytest.approx(shipped["plan_median_s"] / ours["plan_median_s"], rel=1e-2)
    assert ours["ratio_autocast"] == pytest.approx(autocast["plan_median_s"] / ours["plan_median_s"], rel=1e-2)
    assert content["process_peak_memory_mb"] > 100
    assert sum(row["share_percent"] for row in content["profile"]) == pytest.approx(100.0, abs=1.0)


@pytest.mark.slow
@pytest.mark.sim
def test_quality_compares_presets_and_options(run: Run, tiny_model: str) -> None:
    what = ["--reference", "cpu", "--presets", "cpu", "realtime", "--options", "published", "early stop"]
    sizes = ["--problems", "2", "--reach", "1", "--pick-place", "0", "--processes", "1"]
    content = run("quality", *what, *sizes, "--model", tiny_model)
    reference, fast = content["rows"]
    assert (reference["preset"], fast["preset"]) == ("cpu", "realtime")
    assert reference["energy_vs_reference_percent"] == reference["regret_percent"] == 0.0
    assert reference["share_of_reference_steps_percent"] == 100.0
    assert fast["candidate_steps"] == PRESETS["realtime"].candidate_steps
    assert fast["energy_median"] > 0.0 and fast["success_rate_5cm"] in (0.0, 1.0)
    assert fast["problems"] == 2 and 1 <= fast["reach_steps"] <= 10
    published, early = content["curves"][:4], content["curves"][4:]
    assert [row["candidate_steps"] for row in published] == [40, 80, 120, 160]
    assert len(early) == 4


def test_plans_that_share_predictions_are_the_same(module: Callable[[str], ModuleType]) -> None:
    torch.manual_seed(0)  # of the weights
    problems, model = module("problems"), build_world_model(SMALL_MODEL)
    problem = a_problem(problems)
    memory, sizes = problems.OneStepMemory(model), []
    for steps in (3, 5, 5):
        config = replace(PRESETS["realtime"], cem_steps=steps)
        plain, shared = (problems.plan_for(CEMPlanner(way, config), problem) for way in (model, memory))
        assert torch.equal(plain.actions, shared.actions) and plain.candidate_steps == shared.candidate_steps
        energies = [problems.reached_energy(way, config, problem, shared) for way in (model, memory)]
        assert energies[0] == energies[1]
        sizes.append(len(memory._known))
    assert sizes[0] < sizes[1] < 2 * sizes[0] and sizes[2] == sizes[1]
    with pytest.raises(ValueError, match="horizon=2"):
        memory.start_rollout(problem.context, problem.pose, 4, 2)


def test_plans_count_what_they_spent_and_not_what_they_might_have(module: Callable[[str], ModuleType]) -> None:
    quality, model = module("bench_quality"), build_world_model(SMALL_MODEL)
    setting = quality.Setting(Path("unused"), "cpu", torch.float32, 0)
    config = replace(PRESETS["cpu"], stop_spread=1.0)
    plan = quality._plan(setting, model, config, a_problem(module("problems")), 0)
    assert plan[1] == config.samples < config.candidate_steps
    assert quality.summarised([plan, (0.5, 300)]).candidate_steps == (config.samples + 300) / 2


@pytest.mark.parametrize(("preset", "steps", "too_many"), [("realtime", 4.9, 10.1), ("fast", 1.44, 1.6)])
def test_a_preset_that_is_worse_than_required_is_said(
    module: Callable[[str], ModuleType], preset: str, steps: float, too_many: float
) -> None:
    quality = module("bench_quality")
    figures = {"energy_vs_reference_percent": 0.0, "share_of_reference_steps_percent": 100.0, "success_rate_5cm": 1.0}
    paper = {"preset": "paper", **figures, "success_rate_5cm_interval": [0.5, 1.0]}
    good = paper | {"preset": preset, "energy_vs_reference_percent": 1.9, "share_of_reference_steps_percent": steps}
    assert quality.verdict([paper, good])[0].endswith("Met.")
    assert quality.verdict([good]) == []
    for worse in (
        {"energy_vs_reference_percent": 2.1},
        {"share_of_reference_steps_percent": too_many},
        {"success_rate_5cm": 0.3, "success_rate_5cm_interval": [0.1, 0.6]},
    ):
        (said,) = quality.verdict([paper, good | worse])
        assert f"Missed** ({next(iter(worse))}" in said


@pytest.mark.slow
def test_the_loop_is_timed_alone_and_beside_others(run: Run, tiny_model: str) -> None:
    content = run("loop", "--plans", "3", "--deadline", "0.05", "--model", tiny_model)
    assert [row["condition"] for row in content["rows"]] == ["idle", "2 busy processes"]
    for row in content["rows"]:
        for name in ("setpoint_jitter_ms", "latency_ms", "overrun_percent"):
            assert row[f"{name}_p50"] <= row[f"{name}_p99"] <= row[f"{name}_max"]


@pytest.mark.slow
def test_growth_has_a_slope_for_each_size(run: Run) -> None:
    content = run("growth", "--repeats", "1")
    sizes = ["samples", "horizon", "context_frames", "image_size"]
    assert [row["varied"] for row in content["slopes"]] == sizes
    assert all(row["median_s"] > 0.0 and row["start_median_s"] > 0.0 for row in content["rows"])
    samples = [row["median_s"] for row in content["rows"] if row["varied"] == "samples"]
    assert samples[-1] > samples[0]
