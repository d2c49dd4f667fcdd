"""Measure the workspace box: start this, lead the arm by hand to all corners of where it may work, press Ctrl-C.

Only listens. Exit status: 0 written; 1 no pose came, or the box cannot be used; 2 the arguments cannot; 130 interrupted
before a pose came. Nothing is written then.
"""

from __future__ import annotations

import argparse
import functools
import shlex
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from vjepa_mpc.arguments import Parser, local_path, real
from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.files import require_writable
from vjepa_mpc.ros.common import process
from vjepa_mpc.ros.common.conversions import position_of
from vjepa_mpc.ros.common.names import ros_name
from vjepa_mpc.ros.launching.files import robot_profile
from vjepa_mpc.ros.parameters.arguments import NodeParameters
from vjepa_mpc.ros.parameters.command_line import own_arguments
from vjepa_mpc.ros.parameters.yaml_text import read_parameter_file
from vjepa_mpc.ros.teach_workspace.box import MeasuredBox, write_box

NODE = NodeParameters("teach_workspace", lambda _: ())
NEWEST = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)  # hears every publisher
SHOW_PERIOD = 1.0  # seconds between lines
WARNING_PERIOD = 2.0  # seconds


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = Parser(prog="teach_workspace", description=__doc__.partition("\n")[0])
    result.add_argument("--robot", default="", help="robot profile that names topic and frame: a name or a YAML file")
    result.add_argument(
        "--pose-topic", type=ros_name, default=None, help="topic of the measured pose (default: the profile's)"
    )
    result.add_argument("--frame", default="", help="robot base frame (default: the profile's, else the poses' own)")
    result.add_argument(
        "--output", type=local_path, default=Path("workspace.yaml"), help="file to write (default: %(default)s)"
    )
    result.add_argument("--timeout", type=real(0.0, 86400.0), default=10.0, help="seconds to wait for the first pose")
    return result


def with_profile(arguments: argparse.Namespace) -> argparse.Namespace:
    """The arguments, completed by the robot profile.

    Raises:
        FileNotFoundError: there is no such profile.
        ValueError: it is no parameter file.
    """
    stated: dict[str, Any] = {}
    if arguments.robot:
        folder = Path(get_package_share_directory("vjepa_mpc")) / "config" / "robots"
        profile = read_parameter_file(str(robot_profile(arguments.robot, folder)))
        stated = {entry.name: entry.value for entry in profile.entries}
    arguments.pose_topic = arguments.pose_topic or stated.get("topics.pose", "current_pose")
    arguments.frame = arguments.frame or stated.get("frame_id", "")
    return arguments


class TeachWorkspaceNode(Node):
    """Listens to the measured pose; `teach` is the whole job."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        super().__init__("teach_workspace")
        self._arguments = arguments
        self._frame = arguments.frame
        self._box = MeasuredBox()
        self._heard = False
        self._subscription = self.create_subscription(PoseStamped, arguments.pose_topic, self._on_pose, NEWEST)

    def start(self) -> None:
        """Nothing to start: the subscription is there."""

    def stop(self) -> bool:
        """Nothing to end."""
        return True

    def _on_pose(self, message: PoseStamped) -> None:
        self._heard = True
        frame = message.header.frame_id
        self._frame = self._frame or frame
        try:
            if frame != self._frame:
                raise ValueError(f"the pose is in frame '{frame}', not in '{self._frame}'; name it by --frame")
            self._box.add(position_of(message))
        except ValueError as error:
            self.get_logger().warning(f"pose ignored: {error}", throttle_duration_sec=WARNING_PERIOD)

    def teach(self, stopping: threading.Event) -> int:
        """Measure until ``stopping`` is set, then write; returns the exit status."""
        if not self._wait_for_pose(stopping):
            return ExitStatus.INTERRUPTED if stopping.is_set() else ExitStatus.FAILED
        print("Lead the arm to all corners of where it may work, low and high. Ctrl-C ends and writes.", flush=True)
        shown = ""
        while not stopping.wait(SHOW_PERIOD):
            if str(self._box) != shown:
                shown = str(self._box)
                print(shown, flush=True)
        return self._write()

    def _wait_for_pose(self, stopping: threading.Event) -> bool:
        if process.wait_until(lambda: self._heard, stopping, self._arguments.timeout):
            return True
        interrupted = "interrupted before a pose came; nothing was written"
        print(interrupted if stopping.is_set() else self._silence(), file=sys.stderr)
        return False

    def _silence(self) -> str:
        topic = self._subscription.topic_name
        publishers = self.get_publishers_info_by_topic(topic)
        found = ", ".join(f"{one.node_name} ({one.topic_type})" for one in publishers) or "none"
        return (
            f"no geometry_msgs/msg/PoseStamped on {topic} in {self._arguments.timeout:g} s; publishers there: {found}. "
            "Name the topic of the measured pose by --pose-topic, or the profile by --robot, and start the controller."
        )

    def _write(self) -> int:
        output = self._arguments.output
        try:
            box = self._box.box()
            write_box(output, box, self._frame)
        except (ValueError, OSError) as error:
            print(f"{output} is not written: {error}", file=sys.stderr)
            return ExitStatus.FAILED
        print(f"{self._box}\n{output} written. Start the planner with it:")
        robot = f" robot:={self._arguments.robot}" if self._arguments.robot else ""
        print(f"  ros2 launch vjepa_mpc plan.launch.py{robot} workspace:={shlex.quote(str(output))}")
        return ExitStatus.DONE


def main(args: Sequence[str] | None = None) -> int:
    """Entry point of the executable ``teach_workspace``."""
    argv = list(sys.argv if args is None else args)
    try:
        arguments = with_profile(own_arguments(parser(), argv))
        require_writable(arguments.output, "--output")
    except (FileNotFoundError, ValueError) as error:
        print(f"teach_workspace: {error}", file=sys.stderr)
        return ExitStatus.MISUSED
    make = functools.partial(TeachWorkspaceNode, arguments)
    return process.run(make, NODE, argv, work=TeachWorkspaceNode.teach, own_options=True)


if __name__ == "__main__":
    sys.exit(main())
