"""The parameter ``controller``: from values to a controller that moves the arm, whatever it is."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

from support.rigs.loop_rig import BOX, FINGER, START, running
from support.rigs.plain_loop import loop_settings
from support.rigs.plain_loop import running as running_plain
from vjepa_mpc.controller import Observation, Step, VisualMPC, assembly
from vjepa_mpc.controller.interface import Controller, CurrentGoal, HasPlanner
from vjepa_mpc.controller.setup import Setup
from vjepa_mpc.ros.parameters.planner import known
from vjepa_mpc.ros.parameters.settings import Settings, build_settings
from vjepa_mpc.worldmodel import PointMassWorldModel

pytestmark = pytest.mark.ros

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
REPLAY = "replay_controller:ReplayController"
MOVES = np.array([[0.05, 0, 0], [0, 0.05, 0], [0, 0, 0.05]])


class Stay(Controller):
    """Has no options and no planner, and loads no world model."""

    def __init__(self) -> None:
        self._goal: CurrentGoal[int] = CurrentGoal()

    @property
    def goal_id(self) -> int:
        return self._goal.id

    def set_goals(self, goals: Any) -> int:
        return self._goal.set(lambda goal_id: goal_id)

    def clear_goals(self) -> None:
        self._goal.clear()

    def propose(self, observation: Observation) -> Step:
        still = {"actions": np.zeros((1, 7)), "target_pose": observation.origin}
        return Step(goal_id=self._goal.get(), goal_step=1, finished=True, **still)

    def commit(self, step: Step) -> None: ...


class Asks(Stay):
    """Asks for the world model."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    @classmethod
    def make(cls, setup: Setup, options: Any = None) -> Asks:
        return cls(setup.load_world_model())


class Unfinished(Controller):
    """Derived, but without what is abstract."""

    def clear_goals(self) -> None: ...


class Stranger:
    """Not derived."""

    def propose(self, observation: Observation) -> Step: ...


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """This file by a name that can be imported."""
    monkeypatch.setitem(sys.modules, "own_controllers", sys.modules[__name__])


def values_for(controller: str, **values: Any) -> dict[str, Any]:
    given = {"controller": controller, **values}
    return {parameter.name: parameter.default for parameter in known(given)} | BOX | {"gripper_joint": FINGER} | given


def made(settings: Settings) -> Any:
    return assembly.make_controller(
        settings.model,
        planner=settings.planner,
        agreement=settings.agreement,
        gripper=settings.gripper,
        action_rotation=settings.action_rotation,
        controller=settings.controller.controller,
        options=settings.controller.options,
    )


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a world model was loaded")

    monkeypatch.setattr(assembly, "load_world_model", refuse)


@pytest.fixture
def actions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file of recorded moves; the examples are on the path."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    path = tmp_path / "actions.txt"
    np.savetxt(path, np.pad(MOVES, ((0, 0), (0, 4))))
    return str(path)


@pytest.mark.parametrize("execution", ["blocking", "pipelined"])
def test_the_example_is_chosen_by_parameters_and_moves_the_arm(actions: str, no_model: None, execution: str) -> None:
    settings = build_settings(values_for(REPLAY, execution=execution, **{"replay_controller.path": actions}))
    controller = made(settings)
    assert type(controller) is import_module("replay_controller").ReplayController
    with running(settings, controller=controller) as rig:
        rig.loop.warm_up()
        rig.set_goal(START)
        status = rig.wait_for("GOAL_FINISHED")
        assert [step.goal_step for step in rig.steps] == [1, 2, 3]
        assert (status.sub_goals, status.step, status.step_budget) == (1, 3, 3)
        assert np.linalg.norm(rig.position - (START + MOVES.sum(axis=0))) < 0.01


def test_the_examples_option_is_a_parameter_that_has_to_be_given(actions: str) -> None:
    names = {each.name for each in known({"controller": REPLAY})} - {each.name for each in known({})}
    assert names == {"replay_controller.path"}
    with pytest.raises(ValueError, match=r"replay_controller.path='': give the file"):
        build_settings(values_for(REPLAY))


def test_the_default_is_visual_mpc_which_takes_changes_of_the_planner() -> None:
    settings = build_settings(values_for("visual_mpc", threads=1, device="cpu", dtype="float32"))
    controller = made(settings)
    assert isinstance(controller, VisualMPC) and isinstance(controller, HasPlanner)
    assert controller.planner_config == settings.planner


def test_a_controller_without_a_planner_is_told_of_none(no_model: None) -> None:
    controller = made(build_settings(values_for("own_controllers:Stay")))
    assert type(controller) is Stay and not isinstance(controller, HasPlanner)
    with running_plain(loop_settings(), controller, PointMassWorldModel()) as plain:
        plain.set_goals("anything")
        plain.ports.wait_for("GOAL_FINISHED")


def test_the_world_model_is_loaded_for_a_controller_that_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    model = PointMassWorldModel()
    monkeypatch.setattr(assembly, "load_world_model", lambda *_: model)
    assert made(build_settings(values_for("own_controllers:Asks", threads=1))).model is model


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("visual_mcp", "did you mean visual_mpc"),
        ("own_controllers:Unfinished", "it lacks commit, goal_id, propose, set_goals; see .*Controller"),
        ("own_controllers:Stranger", "it lacks clear_goals, commit, goal_id, set_goals and it is not derived from Con"),
        ("no_such_module_anywhere:Class", "cannot be imported"),
    ],
)
def test_what_is_no_controller_is_refused_with_what_is_missing(name: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        build_settings({**values_for("visual_mpc"), "controller": name})
