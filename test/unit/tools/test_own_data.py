"""`make own-data`: the commands that it calls, and the table of what was measured."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("vjepa_mpc.sim", reason="the simulator's packages are not installed")

from vjepa_mpc.judging import command as judging
from vjepa_mpc.tools.own_data.__main__ import judge_words, parser, post_train_words
from vjepa_mpc.tools.own_data.table import table
from vjepa_mpc.training.post_training import command as post_training
from vjepa_mpc.training.post_training.recipe import load_recipe


def parsed(module: Any, words: list[str]) -> argparse.Namespace:
    command = argparse.ArgumentParser()
    module.add_arguments(command)
    return command.parse_args(words[1:])


@pytest.mark.parametrize("steps", ["10", "100", "1500"])
def test_post_training_takes_as_many_steps_as_are_asked_for(steps: str) -> None:
    arguments = parser().parse_args(["--steps", steps])
    given = parsed(post_training, post_train_words(arguments, Path("a.safetensors"), Path("data"), Path("out")))
    recipe = load_recipe(given.recipe, given.set)
    assert recipe.post_training.steps == int(steps)
    assert recipe.post_training.warmup + recipe.post_training.anneal <= recipe.post_training.epochs


def test_both_models_are_judged_at_the_step_that_they_were_trained_with() -> None:
    arguments = parser().parse_args(["--samples", "7", "--out", "here"])
    given = parsed(judging, judge_words(arguments, Path("a.safetensors"), Path("data"), "after"))
    assert (given.samples, given.out) == (7, Path("here/judge_after"))
    assert given.seconds_a_step == load_recipe("minutes").seconds_a_step


def judgement(words: str, left: float, right: int) -> dict[str, Any]:
    row = {"steps": 1, "beside_copied": 0.5, "beside_copied_95": [0.4, 0.6]}
    return {
        "words": words,
        "prediction": [{**row, "beside_shuffled": 0.7, "beside_shuffled_95": [0.6, 0.8]}],
        "recovery": [{"left": left, "left_95": [left, 2 * left], "direction_degrees": 20.0}],
        "gripper": {"all": {"right": right, "count": 5}} if right else {},
    }


def reach(rate: float) -> dict[str, Any]:
    intervals = {"success_rate": [0.1, 0.9], "median_final_distance_m": [0.01, 0.03]}
    return {
        "episodes": 5,
        "success_rate": rate,
        "intervals_95": intervals,
        "median_final_distance_m": 0.02,
        "max_final_distance_m": 0.125,
    }


def test_the_table_has_both_models_side_by_side_and_the_probe() -> None:
    figures = {
        "settings": {"turn": 30.0, "minutes": 2.0, "steps": 150, "episodes": 5, "seed": 0},
        "before": {"judgement": judgement("Not ready", 1.8, 0), "reach": reach(0.2)},
        "after": {"judgement": judgement("Ready", 0.3, 4), "reach": reach(1.0)},
        "probe": {"as_trained": 0.007, "turned": 0.012},
    }
    said = table(figures)
    assert "turned by 30°; 2 min of play" in said
    assert "| reach: within 2.5 cm | 1 of 5 (10–90 %) | 5 of 5 (10–90 %) |" in said
    assert "| left of the way after a plan, median | 180 % (180–360), 20° astray | 30 % (30–60), 20° astray |" in said
    assert "| gripper's sign right | – | 4 of 5 |" in said and "| Not ready | Ready |" in said
    assert "to 1.2 cm (median, held out) with the turned camera, to 0.7 cm" in said


def test_nothing_to_compare_is_said_with_a_dash() -> None:
    nothing = {"words": "Cannot be judged", "prediction": [], "recovery": [], "gripper": {}}
    part = {"judgement": nothing, "reach": reach(0.0)}
    figures = {
        "settings": {"turn": 1.0, "minutes": 1.0, "steps": 10, "episodes": 5, "seed": 0},
        "before": part,
        "after": part,
        "probe": {"as_trained": 0.01, "turned": 0.01},
    }
    assert table(figures).count("| – | – |") == 4
