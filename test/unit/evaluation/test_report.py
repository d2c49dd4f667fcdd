"""Summaries, the table, exit codes and the JSON of an evaluation."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from vjepa_mpc.evaluation import calibrate_sim, compare_endings, episodes, evaluate
from vjepa_mpc.evaluation.episodes import episode_generator
from vjepa_mpc.evaluation.report import EpisodeRecord, summarise, table
from vjepa_mpc.sim.tasks.reach import ReachTask
from vjepa_mpc.tools.demo.report import Episode, save_plot
from vjepa_mpc.worldmodel import build_world_model, save_world_model

TINY = {
    "img_size": 32,
    "patch_size": 16,
    "tubelet_size": 2,
    "encoder": {"embed_dim": 12, "depth": 1, "num_heads": 1},
    "predictor": {"embed_dim": 12, "predictor_embed_dim": 12, "depth": 1, "num_heads": 1},
}


class Pour(ReachTask):
    """From outside."""

    distance_means = "cup to bowl"
    reached_within = 0.04


def _record(
    episode: int, final: float, replan: tuple[float, ...] = (0.3,), held_by: tuple[str, ...] = ()
) -> EpisodeRecord:
    return EpisodeRecord(
        episode=episode,
        success=final <= 0.025,
        start_distance=0.2,
        final_distance=final,
        final_closedness=0.0,
        steps=10,
        replan_seconds=replan,
        held_by=held_by,
    )


def test_summary() -> None:
    summary = summarise([_record(0, 0.01), _record(1, 0.02, (0.5, 0.4)), _record(2, 0.04), _record(3, 0.08)])
    assert summary["success_rate"] == 0.5
    assert summary["median_final_distance_m"] == pytest.approx(0.03)
    assert summary["success_rate_2_5cm"] == 0.5 and summary["success_rate_5cm"] == 0.75
    assert summary["replan_seconds_median"] == pytest.approx(0.3)
    low, high = summary["intervals_95"]["success_rate"]
    assert low < 0.5 < high


def test_episodes_that_the_node_would_have_held_are_counted_once_each() -> None:
    records = [_record(0, 0.01), _record(1, 0.2, held_by=("NO_PROGRESS", "NO_PROGRESS")), _record(2, 0.01)]
    assert summarise(records)["episodes_held"] == 1
    assert "in 1 of 3 episodes" in table("reach", {"model": summarise(records)}, 3).splitlines()[-1]


def test_table_has_a_row_each_and_lines_up() -> None:
    summaries = {"model": summarise([_record(0, 0.01)]), "no motion": summarise([_record(0, 0.2, ())])}
    title, header, rule, *rows, held = table("reach", summaries, 1).splitlines()
    assert "reach: 1 episodes" in title and "replan" in header
    assert held.startswith("model: ") and "in 0 of 1 episodes" in held
    assert len(rows) == 2 and {len(line) for line in (header, *rows)} == {len(rule)}
    assert "100 %" in rows[0] and "0.30 s" in rows[0] and rows[1].startswith("no motion")


def test_a_task_from_outside_says_itself_what_its_distance_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "own_tasks", sys.modules[__name__])
    title = table("own_tasks:Pour", {"model": summarise([_record(0, 0.01)])}, 1).splitlines()[0]
    assert title == "own_tasks:Pour: 1 episodes; distance (cup to bowl) in cm, final"


def test_the_demo_draws_the_distance_as_the_task_means_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "own_tasks", sys.modules[__name__])
    drawn: list[str] = []
    axes = pytest.importorskip("matplotlib.axes", reason="matplotlib is not installed").Axes
    for method in ("set_ylabel", "annotate"):
        real = getattr(axes, method)

        def noted(self: Any, text: str, *rest: Any, _real: Any = real, **more: Any) -> Any:
            drawn.append(text)
            return _real(self, text, *rest, **more)

        monkeypatch.setattr(axes, method, noted)
    episode = Episode(index=0, start_distance=0.2, times=[0.0, 1.0], distances=[0.2, 0.05])
    save_plot(tmp_path / "pour.png", "own_tasks:Pour", [episode])
    assert (tmp_path / "pour.png").stat().st_size > 0
    assert "distance, cup to bowl [cm]" in drawn and "reached: 4 cm" in drawn


def test_episodes_are_seeded_one_by_one() -> None:
    draws = [episode_generator(seed, episode).random() for seed, episode in ((0, 0), (0, 1), (1, 0), (0, 0))]
    assert draws[0] == draws[3] and len(set(draws)) == 3


@pytest.fixture
def untrained(tmp_path: Path) -> Path:
    world_model = build_world_model(TINY)
    path = tmp_path / "untrained.safetensors"
    save_world_model(path, TINY, world_model.encoder.state_dict(), world_model.predictor.state_dict())
    return path


def _arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    return parser.parse_args(words)


@pytest.mark.sim
def test_whole_command_on_an_untrained_model(
    untrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "folder" / "result.json"
    words = ("--task", "gripper", "--episodes", "1", "--seed", "5", "--model", str(untrained), "--json", str(out))
    code = evaluate.main(_arguments(*words))
    document = json.loads(out.read_text())
    assert code == (0 if document["success_rate"] == 1.0 else 1)
    assert document["partial"] is False
    keys = {"success_rate", "median_final_distance_m", "success_rate_2_5cm", "success_rate_5cm"}
    assert keys | {"replan_seconds_median", "episodes"} <= set(document)
    assert document["episodes"] == 1 and len(document["records"]["model"]) == 1
    assert len(document["records"]["model"][0]["replan_seconds"]) == document["records"]["model"][0]["steps"] == 4
    assert document["baselines"]["scripted oracle"]["success_rate"] == 1.0
    assert document["baselines"]["no motion"]["success_rate"] == 0.0
    assert np.isfinite(document["baselines"]["random actions"]["median_final_distance_m"])
    assert "scripted oracle" in capsys.readouterr().out


@pytest.mark.sim
def test_several_looks_stand_in_one_table_with_the_same_starts(
    untrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "result.json"
    looks = ("--look", "base", "all", "cross-light", "--look-seed", "3", "--no-baselines")
    evaluate.main(
        _arguments("--task", "reach", "--episodes", "1", "--model", str(untrained), "--json", str(out), *looks)
    )
    document = json.loads(out.read_text())
    assert {*document["looks"]} == {"base", "all", "cross-light"}
    assert {*document["looks"]["all"]} == {"success_rate", "median_final_distance_m", "episodes"}
    starts = {name: records[0]["start_distance"] for name, records in document["records"].items()}
    assert len(set(starts.values())) == 1
    assert "model, cross-light" in capsys.readouterr().out


def _run(module: ModuleType, *words: str) -> int:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return module.main(parser.parse_args(words))


@pytest.mark.sim
def test_endings_are_compared_on_the_same_episodes(untrained: Path, tmp_path: Path) -> None:
    # Everything is below this energy, so every sub-goal ends before its first action.
    words = ("--task", "gripper", "--episodes", "2", "--energy-threshold", "1e6", "--plateau-window", "0")
    code = _run(compare_endings, *words, "--model", str(untrained), "--out", str(tmp_path))
    document = json.loads((tmp_path / "goals.json").read_text())
    assert document["endings"]["budget"]["endings"] == {"BUDGET": 2}
    assert document["endings"]["budget"]["mean_steps"] == 4
    assert document["endings"]["early"]["endings"] == {"ENERGY": 2} and document["endings"]["early"]["mean_steps"] == 0
    starts = [[r["start_distance"] for r in document["records"][name]] for name in ("budget", "early")]
    assert starts[0] == starts[1]
    assert document["early"] == {"energy_threshold": 1e6}
    assert code == (0 if document["fewer_steps_and_no_less_success"] else 1)
    assert "energy threshold 1e+06" in (tmp_path / "goals.md").read_text()


def test_better_is_fewer_steps_and_no_less_success() -> None:
    budget = {"mean_steps": 30.0, "success_rate": 0.9}
    assert compare_endings.is_better({"mean_steps": 20.0, "success_rate": 0.9}, budget)
    assert not compare_endings.is_better({"mean_steps": 20.0, "success_rate": 0.85}, budget)
    assert not compare_endings.is_better({"mean_steps": 30.0, "success_rate": 1.0}, budget)


@pytest.mark.sim
@pytest.mark.slow
def test_calibration_is_measured_turn_by_turn(untrained: Path, tmp_path: Path) -> None:
    words = ("--angles", "0", "20", "--episodes", "1", "--model", str(untrained), "--out", str(tmp_path))
    assert _run(calibrate_sim, *words) == 0
    rows = json.loads((tmp_path / "calibration.json").read_text())["angles"]
    assert [row["turn_degrees"] for row in rows] == [0, 20]
    for row in rows:
        assert row["moves"] > 50 and row["held_out_moves"] == 30
        assert not row["reliable"] and row["confidence"] < 0.5  # it has learned nothing
    table = (tmp_path / "calibration.md").read_text()
    assert table.count("| no |") == 2 and "| 20° |" in table


def test_impossible_numbers_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        _arguments("--task", "reach", "--episodes", "0")
    assert "--episodes: 0: give a whole number from 1" in capsys.readouterr().err


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the third episode."""
    real, begun = episodes._record, []

    def record(*arguments: Any, **more: Any) -> EpisodeRecord:
        begun.append(1)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return real(*arguments, **more)

    monkeypatch.setattr(episodes, "_record", record)


@pytest.mark.sim
@pytest.mark.usefixtures("interrupted")
def test_ctrl_c_keeps_the_episodes_that_are_done(
    untrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "result.json"
    words = ("--task", "gripper", "--episodes", "20", "--model", str(untrained), "--json", str(out))
    assert evaluate.main(_arguments(*words)) == 130
    document = json.loads(out.read_text())
    assert document["partial"] is True and document["episodes"] == 2 and document["episodes_asked_for"] == 20
    assert len(document["records"]["model"]) == 2
    assert "model (2 of 20)" in capsys.readouterr().out


@pytest.mark.sim
@pytest.mark.usefixtures("interrupted")
def test_ctrl_c_keeps_what_is_compared_so_far(untrained: Path, tmp_path: Path) -> None:
    words = ("--task", "gripper", "--episodes", "2", "--energy-threshold", "1e6", "--plateau-window", "0")
    assert _run(compare_endings, *words, "--model", str(untrained), "--out", str(tmp_path)) == 130
    document = json.loads((tmp_path / "goals.json").read_text())
    assert document["partial"] is True and document["fewer_steps_and_no_less_success"] is None
    assert document["endings"]["budget"]["endings"] == {"BUDGET": 2} and "early" not in document["endings"]
    assert "Interrupted" in (tmp_path / "goals.md").read_text()


def test_ctrl_c_keeps_the_angles_that_are_measured(
    untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = {name: {"success_rate": 1.0, "median_final_distance_m": 0.01} for name in ("without", "with")}
    names = ("angle", "vertical", "angle_std", "held_out_direction_error_before", "held_out_direction_error_after")
    row = {**{f"{name}_degrees": 1.0 for name in names}, "residual_m": 0.0, "confidence": 1.0, "reliable": True}
    row |= {"moves": 3, "held_out_moves": 3, "reach": sides}

    def measured(model: Any, config: Any, turn: float, *_: Any) -> dict[str, Any]:
        if turn:
            raise KeyboardInterrupt
        return {**row, "turn_degrees": turn}

    monkeypatch.setattr(calibrate_sim, "measure", measured)
    words = ("--angles", "0", "20", "--model", str(untrained), "--out", str(tmp_path))
    assert _run(calibrate_sim, *words) == 130
    document = json.loads((tmp_path / "calibration.json").read_text())
    assert document["partial"] is True and len(document["angles"]) == 1
    assert "1 of 2 angles" in (tmp_path / "calibration.md").read_text()


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (evaluate, ("--task", "reach", "--json", "{}/result.json")),
        (compare_endings, ("--out", "{}")),
        (calibrate_sim, ("--out", "{}")),
    ],
)
def test_outputs_are_tried_before_anything_is_loaded(
    module: ModuleType, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(module, "load_model", lambda *_: pytest.fail("it was loaded first"))
    with pytest.raises(ValueError, match=r"cannot be written .*name another place"):
        _run(module, *(word.format(tmp_path / "file") for word in words))
