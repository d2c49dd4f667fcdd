"""What the planner thinks, as messages: what they carry, and that nothing is made for nobody."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np
import pytest

pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")
pytest.importorskip("visualization_msgs", reason="visualization_msgs is not installed")
pytest.importorskip("nav_msgs", reason="nav_msgs is not installed")

from support.rigs.loop_rig import BOX, START, LoopRig, running, settings
from vjepa_mpc.controller.foresight import Foresight
from vjepa_mpc.controller.step import Step
from vjepa_mpc.controller.visual_mpc import VisualMPC
from vjepa_mpc.images import image_to_rgb
from vjepa_mpc.imagination.imagined import SIDE
from vjepa_mpc.ros.outputs.thoughts import TYPES
from vjepa_mpc.ros.recorder.topics import SHOWN

pytestmark = pytest.mark.ros

TOPICS = tuple(TYPES)
ENDLESS = 1000  # steps; a loaded machine may hold the arm in between, and nothing is compared across a hold
ROUNDING = 0.005  # of pixels to 8 bits, in the latents of the point-mass model
PATIENCE = 180.0  # seconds for what has to come
FAR = START + np.array([0.2, 0.2, 0.1])


class CountingMPC(VisualMPC):
    """Counts what is foreseen."""

    foreseen = 0

    def foresee(self, step: Step) -> Foresight | None:
        self.foreseen += 1
        return super().foresee(step)


class WatchedRig(LoopRig):
    """Somebody subscribes to all topics, and messages wake whoever waits."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for topic in TOPICS:
            self.node.publishers[topic].subscribers = 1
            self.node.publishers[topic].listener = self._on_thought

    def _on_thought(self, message: Any) -> None:
        with self._changed:
            self._changed.notify_all()

    def wait_until(self, what: Callable[[], Any]) -> None:
        with self._changed:
            assert self._changed.wait_for(what, PATIENCE), f"the status is {self.status}"

    def messages(self, topic: str) -> list[Any]:
        return self.node.publishers[topic].messages


def test_with_nobody_looking_nothing_is_made() -> None:
    with running(settings(), mpc_type=CountingMPC) as rig:
        rig.set_goal(FAR, steps=3)
        rig.wait_for("GOAL_FINISHED")
        assert len(rig.steps) == 3
        assert rig.mpc.foreseen == 0
        assert all(step.plan.history is None for step in rig.steps)
        assert "thoughts" not in {thread.name for thread in threading.enumerate()}
        assert all(rig.node.publishers[topic].messages == [] for topic in TOPICS)


@pytest.fixture(scope="module")
def watched() -> Any:
    """A rig on its way, all topics looked at and all of them heard."""
    with running(settings(), rig_type=WatchedRig) as rig:
        rig.set_goal(FAR, steps=ENDLESS)
        rig.wait_until(lambda: all(rig.messages(topic) for topic in TOPICS))
        yield rig


def step_of(rig: WatchedRig, number: int) -> Step:
    return next(step for step in rig.steps if step.goal_step == number)


def test_the_plan_is_the_way_from_where_the_step_begins(watched: WatchedRig) -> None:
    first = watched.messages("~/plan")[0]
    step = next(each for each in watched.steps if len(each.actions) + 1 == len(first.poses))
    points = [np.array([pose.pose.position.x, pose.pose.position.y, pose.pose.position.z]) for pose in first.poses]
    np.testing.assert_allclose(points[0], step.question.origin[:3], atol=1e-6)
    np.testing.assert_allclose(points[1] - points[0], step.actions[0, :3], atol=1e-6)
    assert first.header.frame_id == watched.settings.frame_id


def test_the_markers_are_fan_way_box_target_words_and_setpoint(watched: WatchedRig) -> None:
    fan = next(message for message in watched.messages("~/markers") if len(message.markers) > 1)
    marks = {marker.ns: marker for marker in fan.markers}
    assert set(marks) == {"elites", "chosen", "target", "arrival", "workspace", "words"}
    elites = marks["elites"]
    step = next(each for each in watched.steps if f"step {each.goal_step} " in marks["words"].text)
    count = len(step.plan.elites)
    assert len(elites.points) == len(elites.colors) == 2 * count * step.plan.elites.shape[1]
    best_end, best = elites.points[-1], step.question.origin[:3] + step.plan.elites[0, :, :3].sum(0)
    np.testing.assert_allclose([best_end.x, best_end.y, best_end.z], best, atol=1e-6)
    assert elites.colors[-1].g > elites.colors[-1].r and elites.colors[0].r > elites.colors[0].g
    corners = np.array([[point.x, point.y, point.z] for point in marks["workspace"].points])
    np.testing.assert_allclose(corners.min(axis=0), BOX["workspace.lower"])
    np.testing.assert_allclose(corners.max(axis=0), BOX["workspace.upper"])
    watched.wait_until(lambda: any(each.markers[0].ns == "setpoint" for each in watched.messages("~/markers")))


def test_the_energies_are_those_of_every_candidate_of_the_last_iteration(watched: WatchedRig) -> None:
    message = watched.messages("~/energies")[0]
    step = step_of(watched, message.step)
    assert step.goal_step > 1, "the plan before had not kept them"
    last = step.plan.history[-1]
    np.testing.assert_array_equal(np.array(message.energies), last.energies.numpy())
    actions = np.array(message.actions).reshape(len(last.energies), message.horizon, 7)
    np.testing.assert_allclose(actions, last.actions.numpy(), atol=1e-6)
    assert message.energy == step.energy and list(message.origin) == pytest.approx(step.question.origin.tolist())


def test_without_a_decoder_of_its_own_a_model_s_imagination_is_the_nearest_picture(watched: WatchedRig) -> None:
    picture = image_to_rgb(watched.messages("~/imagination")[0])
    assert picture.shape == (SIDE, SIDE, 3)
    assert picture[-10:].max() > 200, "it says what it is"
    assert picture[: SIDE - 30].reshape(-1, 3).std(axis=0).max() < 3.0, "the camera of this rig shows one colour"
    assert picture[0, 0].min() > 10


def test_where_the_plan_ends_is_marked_and_whether_it_has_arrived(watched: WatchedRig) -> None:
    for message in watched.messages("~/markers"):
        marks = {marker.ns: marker for marker in message.markers}
        if "arrival" in marks:
            arrival, end = marks["arrival"], marks["chosen"].points[-1]
            np.testing.assert_allclose(
                [getattr(arrival.pose.position, axis) - getattr(end, axis) for axis in "xyz"], 0.0
            )
            step = next(each for each in watched.steps if f"step {each.goal_step} " in marks["words"].text)
            assert (arrival.color.g > arrival.color.r) == step.plan.arrived


def test_a_model_that_is_right_is_hardly_surprised(watched: WatchedRig) -> None:
    message = watched.messages("~/surprise_values")[0]
    assert message.level < 0.2 * message.nothing + ROUNDING
    assert (message.rows, message.columns, len(message.patches)) == (1, 1, 1)
    picture = image_to_rgb(watched.messages("~/surprise")[0])
    assert picture.shape == (384, 384, 3)


def test_another_picture_than_was_expected_is_a_surprise() -> None:
    with running(settings(), rig_type=WatchedRig) as rig:

        def inverted(image: Any) -> Any:
            if len(rig.steps) % 2:  # another one before and after each action, also if one was interrupted
                image.data = bytes(255 - value for value in bytes(image.data))
            return image

        rig.alter[rig.settings.topics.image] = inverted
        rig.set_goal(FAR, steps=ENDLESS)
        rig.wait_until(lambda: rig.messages("~/surprise_values"))
        message = rig.messages("~/surprise_values")[0]
        assert message.level > 0.5 * message.nothing


def test_steps_between_which_nobody_looked_are_not_compared() -> None:
    with running(settings(), rig_type=WatchedRig, mpc_type=CountingMPC) as rig:
        for topic in ("~/imagination", "~/surprise", "~/surprise_values"):
            rig.node.publishers[topic].get_subscription_count = cycle([1, 0]).__next__  # every other step
        way = FAR - START
        rig.set_goal(*(START + share * way for share in (0.2, 0.4, 0.6, 0.8)))
        rig.wait_for("GOAL_FINISHED")
        assert len(rig.steps) == 4 and rig.mpc.foreseen > 0
    assert rig.messages("~/surprise_values") == [] == rig.messages("~/surprise")


def test_a_recording_does_not_switch_them_on() -> None:
    assert {f"~/{topic}" for topic in SHOWN} == set(TYPES)


def test_a_package_that_is_missing_turns_its_topic_off_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "visualization_msgs.msg", None)
    with running(settings()) as rig:
        assert "~/markers" not in rig.node.publishers and "~/plan" in rig.node.publishers
        (warning,) = [line for line in rig.node.warnings if "~/markers" in line]
        assert "~/markers is off" in warning and "visualization-msgs" in warning
        rig.set_goal(FAR, steps=1)
        rig.wait_for("GOAL_FINISHED")


def test_what_cannot_be_shown_is_told_once_and_the_arm_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(VisualMPC):
        def foresee(self, step: Step) -> Foresight | None:
            raise RuntimeError("the crystal ball is broken")

    with running(settings(), rig_type=WatchedRig, mpc_type=Broken) as rig:
        rig.set_goal(FAR, steps=3)
        rig.wait_for("GOAL_FINISHED")
        rig.wait_until(lambda: len(rig.messages("~/plan")) >= 2)
    told = [record.message for record in caplog.records if "crystal ball" in record.message]
    assert told == ["what the planner thinks cannot be shown: RuntimeError: the crystal ball is broken"]
