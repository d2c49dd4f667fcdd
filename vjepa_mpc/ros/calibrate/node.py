"""Camera calibration with a real or simulated arm. Run by the executable ``calibrate``.

Takes the planner node's parameters and stands in its place: the same control loop, supervisor, limits, topics. Where
the planner would plan, it makes small known moves; then it asks the world model which actions explain the pictures,
fits the rotation between the model's axes and the robot's, and writes it into a parameter file for the planner.

Exit status: 0 written; 1 the moves could not be made, or the fit is not reliable, and nothing was written; 2 the
command line or a parameter cannot be used; 130 interrupted.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import replace

import numpy as np
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from vjepa_mpc.calibration.calibrator import Calibrator
from vjepa_mpc.calibration.explain import explain_moves, explaining_config
from vjepa_mpc.calibration.fit import RotationFit, fit_rotation, save_rotation
from vjepa_mpc.controller.assembly import load_model
from vjepa_mpc.controller.step import Step
from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.files import require_writable
from vjepa_mpc.ros.calibrate.parameters import NODE, PARAMETERS, build_settings
from vjepa_mpc.ros.common import process
from vjepa_mpc.ros.parameters.live import LiveParameters
from vjepa_mpc.ros.parameters.planner import declare
from vjepa_mpc.ros.planner.wiring import Wiring, require_interfaces
from vjepa_mpc.safety.reasons import Reason, State
from vjepa_mpc.safety.supervisor import Decision

STOP_TIMEOUT = 3.0  # seconds
LOOK_PERIOD = 0.1  # seconds between looks at how it goes


class CalibrateNode(LifecycleNode):
    """Makes the moves and fits the rotation; `calibrate` is the whole job."""

    def __init__(self) -> None:
        super().__init__("calibrate")
        locked = "the calibration is under way"
        self._settings = declare(self, lambda: locked, lambda _: None).snapshot
        own = LiveParameters(self, PARAMETERS, build_settings, lambda: locked, lambda _: None)
        self._calibration = own.snapshot
        self._wiring: Wiring | None = None
        self._ended = threading.Event()
        self._moved_at = time.monotonic()

    def start(self) -> None:
        """Load the model and take over the arm."""
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def stop(self) -> bool:
        """Bring the arm to rest and end all threads."""
        wiring, self._wiring = self._wiring, None
        return wiring is None or wiring.loop.stop(STOP_TIMEOUT)

    # -- lifecycle --------------------------------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the world model and connect inputs and outputs."""
        # One move after the other, each from rest: the pictures before and after it have to be sharp.
        settings = replace(self._settings, execution="blocking")
        try:
            if settings.supervisor is None:
                raise ValueError("workspace.lower and workspace.upper are not set: give the box the arm may move in")
            require_interfaces(settings)
            require_writable(self._calibration.path, "output_file")
            self._world_model = load_model(settings.model)
            self._calibrator = Calibrator(settings.supervisor.workspace, settings.limits.max_step)
            wiring = Wiring(self, settings, self._calibrator, self)
        except Exception as error:  # rclpy drops exceptions of transitions without a word
            self.get_logger().error(f"cannot begin: {error}")
            return TransitionCallbackReturn.FAILURE
        wiring.loop.start()
        self._wiring = wiring
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """From now on the arm may move."""
        result = super().on_activate(state)
        if self._wiring is not None:
            loop = self._wiring.loop
            loop.call(loop.activate)
            loop.call(loop.set_goal, [self._calibration.route])
        return result

    # -- from the control loop --------------------------------------------------------------------------------------

    def planned(self, step: Step, seconds: float) -> None:
        """A move is being made."""
        self._moved_at = time.monotonic()
        move = ", ".join(f"{centimetres:+.1f}" for centimetres in 100 * step.actions[0, :3])
        self.get_logger().info(f"move to place {step.goal_index + 1} of {step.goal_count}: ({move}) cm")

    def ended(self, goal_id: int, step: Step) -> None:
        """All moves have been made."""
        self._ended.set()

    def decided(self, decision: Decision) -> None:
        """The log has a line on it already."""

    # -- the job ----------------------------------------------------------------------------------------------------

    def calibrate(self, stopping: threading.Event) -> int:
        """Move, ask the model, fit, write; returns the exit status. Ends early when ``stopping`` is set."""
        if self._wiring is None or not self._make_moves(self._wiring, stopping):
            return ExitStatus.INTERRUPTED if stopping.is_set() else ExitStatus.FAILED
        observations = self._calibrator.observations
        self.get_logger().info(f"asking the world model about {len(observations) - 1} moves")
        try:
            planned, made = explain_moves(
                self._world_model,
                observations,
                explaining_config(self._settings.planner, self._calibration.route.length),
                crop=self._settings.model.crop,
                seed=self._settings.model.seed,
            )
            fit = fit_rotation(planned, made)
        except ValueError as error:
            print(f"no rotation can be fitted: {error}", file=sys.stderr)
            return ExitStatus.FAILED
        print(move_table(planned, made, fit))
        print(fit)
        if not fit.reliable:
            print(
                f"Not reliable, so {self._calibration.path} is not written. Have the whole hand and nothing "
                "that moves in the picture, make more (places) or longer (move_length) moves, or turn the camera back "
                "towards where the model's training had it.",
                file=sys.stderr,
            )
            return ExitStatus.FAILED
        save_rotation(self._calibration.path, fit)
        print(f"{self._calibration.path} written: give it to the planner as its last --params-file")
        return ExitStatus.DONE

    def _make_moves(self, wiring: Wiring, stopping: threading.Event) -> bool:
        """Wait while the loop makes the moves; whether it made all of them."""
        self._moved_at = time.monotonic()
        while not self._ended.wait(LOOK_PERIOD):
            decision = wiring.loop.decision
            if stopping.is_set():
                print("interrupted; nothing was written", file=sys.stderr)
                return False
            waited = time.monotonic() - self._moved_at
            if decision is not None and (decision.state == State.FAULT or waited > self._calibration.patience):
                named = f"{decision.reason.name}: {wiring.inputs.explain(decision)}"
                silent = f"no move has ended for {waited:.0f} s (patience)"
                why = silent if decision.reason is Reason.NONE else named
                print(f"the moves were not made: {why}; nothing was written", file=sys.stderr)
                return False
        return self.stop()  # afterwards the last step, too, has been committed


def move_table(planned: np.ndarray, made: np.ndarray, fit: RotationFit) -> str:
    """One line a move: what was made, and what the model saw, turned by the fit; centimetres."""
    turned = planned @ fit.matrix.T
    lines = ["move    made x      y      z    seen x      y      z  [cm]"]
    for number, (left, right) in enumerate(zip(made, turned, strict=True), start=1):
        row = " ".join(f"{100 * value:6.1f}" for value in left), " ".join(f"{100 * value:6.1f}" for value in right)
        lines.append(f"{number:4}    {row[0]}    {row[1]}")
    return "\n".join(lines)


def main(args: list[str] | None = None) -> int:
    """Entry point of the executable ``calibrate``."""
    return process.run(CalibrateNode, NODE, args, work=CalibrateNode.calibrate)


if __name__ == "__main__":
    sys.exit(main())
