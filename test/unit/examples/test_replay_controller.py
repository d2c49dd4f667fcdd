"""The example of a controller, in the real control loop."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from support.rigs.plain_loop import START, loop_settings, running, wait_until
from vjepa_mpc.controller.interface import Controller
from vjepa_mpc.worldmodel import PointMassWorldModel

FILE = Path(__file__).resolve().parents[3] / "examples/replay_controller.py"
MOVES = np.array([[0.05, 0, 0], [0, 0.05, 0], [0, 0, 0.05], [-0.03, 0.02, 0.0]])


@pytest.fixture
def controller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Controller:
    spec = spec_from_file_location("replay_controller", FILE)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "replay_controller", module)
    spec.loader.exec_module(module)
    np.savetxt(tmp_path / "actions.txt", np.pad(MOVES, ((0, 0), (0, 4))))
    return module.ReplayController(module.ReplayController.Options(path=str(tmp_path / "actions.txt")))


@pytest.mark.parametrize("pipelined", [False, True], ids=["blocking", "pipelined"])
def test_the_recorded_moves_are_made(controller: Controller, pipelined: bool) -> None:
    with running(loop_settings(pipelined=pipelined), controller, PointMassWorldModel()) as plain:
        plain.set_goals("anything")
        plain.ports.wait_for("GOAL_FINISHED")
        assert [step.goal_step for step in plain.ports.steps] == [1, 2, 3, 4]
        assert np.linalg.norm(plain.ports.position - (START + MOVES.sum(axis=0))) < 0.01


def test_an_interrupted_replay_goes_on_with_the_next_move_from_where_the_arm_is(controller: Controller) -> None:
    with running(loop_settings(), controller, PointMassWorldModel()) as plain:
        ports, loop = plain.ports, plain.loop
        plain.set_goals("anything")
        wait_until(lambda: len(ports.steps) == 2)
        loop.call(loop.pause)
        loop.wait_silent()
        stopped = ports.position
        loop.call(loop.unpause)
        ports.wait_for("GOAL_FINISHED")
        assert np.linalg.norm(ports.position - (stopped + MOVES[2:].sum(axis=0))) < 0.015
