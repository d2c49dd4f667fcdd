"""The arm moves at random inside its workspace box, to collect data. Run by the executable ``play``.

It is the planner's node with another controller (:mod:`~vjepa_mpc.controller.choices.play`): the same parameters,
topics, services, supervisor and limits. Pausing, resuming, and whatever holds the arm work as they do for goals, and
the time that the arm is held does not count.

Exit status: 0 played for so long, or a signal ended it; 1 it could not begin.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn

from vjepa_mpc.arguments import Parser, real
from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.ros.common import process
from vjepa_mpc.ros.common.launch_watch import environment
from vjepa_mpc.ros.parameters.arguments import NodeParameters
from vjepa_mpc.ros.parameters.command_line import own_arguments
from vjepa_mpc.ros.parameters.live import ParameterError
from vjepa_mpc.ros.parameters.planner import known
from vjepa_mpc.ros.planner.node import PlannerNode
from vjepa_mpc.safety.reasons import State

NODE = NodeParameters("play", known, "Moves the arm at random inside its workspace box, to collect data.")
LOOK_PERIOD = 0.1  # seconds between looks at how it goes
TOLD_PERIOD = 60.0  # seconds of playing between lines on it
RECORDER_TIMEOUT = 30.0  # seconds until it is there, and for the last file's index
MOVING = (State.PLANNING, State.EXECUTING)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = Parser(
        prog="play",
        description=__doc__.partition("\n")[0],
        epilog="The planner's parameters follow after --ros-args, such as its robot profile and the workspace box.",
    )
    result.add_argument(
        "--minutes", type=real(0.001, 1e5), default=10.0, help="how long the arm moves (default: %(default)g)"
    )
    result.add_argument(
        "--episode",
        type=real(1.0, 1e6),
        default=60.0,
        metavar="SECONDS",
        help="how long the arm moves in an episode, of which each is recorded into a bag of its own (default: "
        "%(default)g)",
    )
    result.add_argument("--record", default="", metavar="DIR", help="folder for recordings (default: none is made)")
    return result


class PlayNode(PlannerNode):
    """Begins to play when it is activated; `play` is the whole job."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        super().__init__(name="play")
        self._arguments = arguments
        self._begun, self._failed = threading.Event(), threading.Event()

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """From now on the arm plays."""
        result = super().on_activate(state)
        if result == TransitionCallbackReturn.SUCCESS:
            self._begin_episode()
            self._begun.set()
        return result

    def _begin_episode(self) -> None:
        """Each episode is a goal of its own, by which the recorder tells them apart."""
        loop = self._loop
        loop.call(loop.set_goal, ())

    def _autostart(self) -> None:
        super()._autostart()
        if not self._begun.is_set():
            self._failed.set()  # the error is in the log

    def start(self) -> None:
        """Nothing yet: the recorder comes first, see `play`."""

    def play(self, stopping: threading.Event) -> int:
        """Play for as long as the arguments say, or until ``stopping`` is set; returns the exit status."""
        recorder = self._start_recorder()
        try:
            if recorder is not None and not self._heard(recorder, stopping):
                print("play: the recorder did not start; see above", file=sys.stderr)
                return ExitStatus.FAILED
            super().start()
            seconds = self._play(stopping)
        finally:
            self.stop()
            if recorder is not None:
                _end(recorder)
        if not self._begun.is_set():
            return ExitStatus.FAILED
        print(f"played for {seconds / 60:.1f} min")
        return ExitStatus.DONE

    def _play(self, stopping: threading.Event) -> float:
        """Seconds that the arm moved."""
        played, told, begun, looked = 0.0, 0.0, 0.0, time.monotonic()
        while played < 60.0 * self._arguments.minutes and not self._failed.is_set():
            if stopping.wait(LOOK_PERIOD):
                break
            now = time.monotonic()
            wiring = self._get_wiring()
            decision = None if wiring is None else wiring.loop.decision
            if decision is not None and decision.state in MOVING:
                played += now - looked
            looked = now
            if played - begun >= self._arguments.episode and wiring is not None:
                begun = played
                self._begin_episode()
            if played - told >= TOLD_PERIOD:
                told = played
                self.get_logger().info(f"played for {played / 60:.0f} of {self._arguments.minutes:g} min")
        return played

    def _heard(self, recorder: subprocess.Popen[bytes], stopping: threading.Event) -> bool:
        """Wait until the recorder is there."""

        def there() -> bool:
            return (self._recorder_name, self.get_namespace()) in self.get_node_names_and_namespaces()

        process.wait_until(lambda: there() or recorder.poll() is not None, stopping, RECORDER_TIMEOUT)
        return recorder.poll() is None and not stopping.is_set() and there()

    @property
    def _recorder_name(self) -> str:
        return f"{self.get_name()}_recorder"

    def _start_recorder(self) -> subprocess.Popen[bytes] | None:
        if not self._arguments.record:
            return None
        given = {"folder": self._arguments.record, "planner": self.get_fully_qualified_name(), "bags": "goal"}
        parameters = [word for name, value in given.items() for word in ("-p", f"{name}:={value}")]
        names = ["-r", f"__node:={self._recorder_name}", "-r", f"__ns:={self.get_namespace()}"]
        return subprocess.Popen(
            [sys.executable, "-m", "vjepa_mpc.ros.recorder.node", "--ros-args", *parameters, *names],
            env={**os.environ, **environment(os.getpid())},  # it ends when this process does
            start_new_session=True,  # Ctrl-C is for this process, which comes to rest before the recording ends
        )


def _end(recorder: subprocess.Popen[bytes]) -> None:
    recorder.send_signal(signal.SIGINT)
    try:
        recorder.wait(RECORDER_TIMEOUT)
    except subprocess.TimeoutExpired:
        recorder.kill()


def main(args: Sequence[str] | None = None) -> int:
    """Entry point of the executable ``play``."""
    argv = list(sys.argv if args is None else args)
    try:
        arguments = own_arguments(parser(), argv)
    except ParameterError as error:
        print(f"play: {error}", file=sys.stderr)
        return ExitStatus.MISUSED
    given = [*argv, "--ros-args", "-p", "controller:=play"]  # last, because config/planner.yaml states another one
    return process.run(lambda: PlayNode(arguments), NODE, given, work=PlayNode.play, own_options=True)


if __name__ == "__main__":
    sys.exit(main())
