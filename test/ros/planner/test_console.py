"""Each new reason is one line of its severity; what comes and goes within a step is none."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

from support.rigs.loop_rig import START, LoopRig, running, settings
from vjepa_mpc.ros.planner.console import Console
from vjepa_mpc.safety.reasons import Reason

pytestmark = pytest.mark.ros


class Log:
    """Notes severity and text."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def get_logger(self) -> Log:
        return self

    def info(self, text: str) -> None:
        self.lines.append(("INFO", text))

    def warning(self, text: str) -> None:
        self.lines.append(("WARN", text))

    def error(self, text: str) -> None:
        self.lines.append(("ERROR", text))


def written(*reasons: Reason) -> list[tuple[str, str]]:
    log = Log()
    console = Console(log, lambda decision: decision.reason.message())  # type: ignore[arg-type]
    for reason in reasons:
        console.decided(SimpleNamespace(reason=reason))  # type: ignore[arg-type]
    return log.lines


@pytest.mark.parametrize(
    ("reason", "severity"),
    [
        (Reason.NO_GOAL, "INFO"),
        (Reason.GOAL_FINISHED, "INFO"),
        (Reason.NONE, "INFO"),
        (Reason.NO_IMAGE, "WARN"),
        (Reason.IMAGE_STALE, "WARN"),
        (Reason.MOTION_NOT_ALLOWED, "WARN"),
        (Reason.POSE_JUMPED, "ERROR"),
        (Reason.PLANNER_EXCEPTION, "ERROR"),
    ],
)
def test_a_line_has_the_severity_of_the_reasons_effect(reason: Reason, severity: str) -> None:
    ((found, text),) = written(reason)
    assert found == severity
    assert text == "active: the arm moves to the goal" if reason is Reason.NONE else text.startswith(reason.name)


def test_a_reason_that_stays_is_not_repeated_and_one_that_comes_back_is() -> None:
    lines = written(Reason.IMAGE_STALE, Reason.IMAGE_STALE, Reason.NONE, Reason.IMAGE_STALE)
    assert [severity for severity, _ in lines] == ["WARN", "INFO", "WARN"]


def test_planning_and_moving_by_turns_are_one_line() -> None:
    assert len(written(*[Reason.PLANNING, Reason.NONE] * 5)) == 1


def test_a_whole_goal_is_three_lines() -> None:
    log = Log()

    class Listening(LoopRig):
        def __init__(self, *arguments, **options) -> None:
            self.console = Console(log, lambda decision: decision.message)  # type: ignore[arg-type]
            super().__init__(*arguments, **options)

        def decided(self, decision) -> None:
            self.console.decided(decision)

    with running(settings(), rig_type=Listening) as rig:
        rig.wait_for("NO_GOAL")
        rig.wait_until(lambda: None not in (rig.inputs.image, rig.inputs.pose, rig.inputs.gripper))
        log.lines.clear()
        rig.set_goal(START + np.array([0.05, 0.05, 0.0]), steps=3)
        rig.wait_for("GOAL_FINISHED")
    texts = [text for _, text in log.lines]
    assert texts[0] == "active: the arm moves to the goal"
    assert texts[1].startswith("GOAL_FINISHED: The goal is finished: every sub-goal has ended")
    assert len(texts) == 3 and texts[2].startswith("NOT_ACTIVE")  # by the rig's end
