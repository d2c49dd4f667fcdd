"""Send goal images to the planner: `set_goal a.png b.png --steps 8` (nobody types a picture into a service call).

`set_goal --save-current a.png` keeps what the camera sees now as such an image.
"""

from __future__ import annotations

import argparse
import functools
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rclpy.client import Client
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage

from vjepa_mpc.arguments import COUNT, Parser, local_path, real, whole
from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.files import WriteError, replacing, require_writable
from vjepa_mpc.goals.folder import read_goals
from vjepa_mpc.goals.gripper_intent import GripperIntent
from vjepa_mpc.images import decode_image, read_image_bytes
from vjepa_mpc.msg import PlanStatus
from vjepa_mpc.ros.common import process
from vjepa_mpc.ros.common.names import ros_name
from vjepa_mpc.ros.parameters.arguments import NodeParameters
from vjepa_mpc.ros.parameters.command_line import own_arguments
from vjepa_mpc.srv import GetImage, SetGoal

NODE = NodeParameters("set_goal", lambda _: ())
NOT_ACTIVE = "NOT_ACTIVE"  # of the planner's status


class SignalledError(Exception):
    """A signal came before the answer."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = Parser(prog="set_goal", description=__doc__)
    images = "goal images (PNG, JPEG), one a sub-goal, in order; or one folder with goals.yaml"
    result.add_argument("images", nargs="*", help=images)
    result.add_argument("--current", action="store_true", help="take the camera's newest image as the goal")
    save = "write the camera's newest image to this PNG file, and set no goal"
    result.add_argument("--save-current", type=local_path, metavar="FILE", help=save)
    steps = "step budget of each sub-goal, or one for all"
    result.add_argument("--steps", nargs="+", type=_steps, default=[], help=steps)
    gripper = "free, open, closed or close_after:H; each or for all"
    result.add_argument("--gripper", nargs="+", type=_gripper, default=[], help=gripper)
    result.add_argument("--remote", action="store_true", help="the images are files on the planner's machine")
    name = "name of the planner node (default: %(default)s)"
    result.add_argument("--node", type=ros_name, default="planner_node", help=name)
    timeout = "seconds to wait for the planner and its answer"
    result.add_argument("--timeout", type=real(0.0, 86400.0), default=10.0, help=timeout)
    return result


def _steps(text: str) -> int:
    if not text.isdigit():  # most likely the pictures
        raise argparse.ArgumentTypeError(f"{text}: give whole numbers. Pictures stand before the options")
    return whole(1, COUNT)(text)


def _gripper(text: str) -> str:
    try:
        GripperIntent.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}. Pictures stand before the options") from error
    return text


def make_request(arguments: argparse.Namespace) -> SetGoal.Request | GetImage.Request:
    """The service request of a command line.

    Raises:
        ImageError: a picture cannot be used.
        ValueError: the arguments do not fit together.
    """
    if arguments.save_current is not None:
        if arguments.images or arguments.current:
            raise ValueError("--save-current sets no goal: give neither goal images nor --current with it")
        require_writable(arguments.save_current, "--save-current")
        return GetImage.Request()
    if bool(arguments.images) == arguments.current:
        raise ValueError("give goal images, or --current for the camera's newest image (not both)")
    request = SetGoal.Request(use_current_image=arguments.current, steps=arguments.steps, gripper=arguments.gripper)
    if arguments.remote:
        request.image_files = arguments.images
        return request
    if len(arguments.images) == 1 and Path(arguments.images[0]).is_dir():
        return _folder_request(arguments)
    for path in arguments.images:
        data = read_image_bytes(path)
        decode_image(data, f"image file {path}")  # a bad file is better found here than by the planner
        request.images.append(CompressedImage(format="png" if data[:4] == b"\x89PNG" else "jpeg", data=data))
    return request


def _folder_request(arguments: argparse.Namespace) -> SetGoal.Request:
    """The request of a folder of goals; --steps and --gripper count more than what stands in it.

    Raises:
        ValueError: it cannot be used.
    """
    goals = read_goals(Path(arguments.images[0]))
    steps, gripper = arguments.steps, arguments.gripper or [goal.gripper for goal in goals]
    given = [goal.steps for goal in goals if goal.steps is not None]
    if not steps and given:
        if len(given) < len(goals):
            raise ValueError(
                f"{arguments.images[0]}: {len(given)} of {len(goals)} goals have steps: give all, or --steps"
            )
        steps = given
    request = SetGoal.Request(steps=steps, gripper=gripper)
    request.images = [CompressedImage(format=goal.format, data=goal.picture) for goal in goals]
    return request


class SetGoalNode(Node):
    """Asks the planner; `ask` is the whole job."""

    def __init__(self, arguments: argparse.Namespace, request: SetGoal.Request | GetImage.Request) -> None:
        super().__init__("set_goal")
        self._arguments, self._request = arguments, request
        self._reason = ""
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._status = self.create_subscription(PlanStatus, f"{arguments.node}/status", self._on_status, latched)

    def start(self) -> None:
        """Nothing to start: the subscription is there."""

    def stop(self) -> bool:
        """Nothing to end."""
        return True

    def ask(self, stopping: threading.Event) -> int:
        """Send the request, and print the answer or keep the picture; returns the exit status."""
        try:
            response = self._answer(stopping)
        except TimeoutError as error:
            print(f"set_goal: {error}", file=sys.stderr)
            return ExitStatus.FAILED
        except SignalledError:
            print("set_goal: interrupted before the planner answered", file=sys.stderr)
            return ExitStatus.INTERRUPTED
        if not response.success:
            print(f"refused: {response.message}")
            return ExitStatus.FAILED
        if not isinstance(response, GetImage.Response):
            print(response.message)
            return ExitStatus.DONE
        try:
            self._save(response.image)
        except WriteError as error:
            print(f"set_goal: {error}", file=sys.stderr)
            return ExitStatus.FAILED
        return ExitStatus.DONE

    def _save(self, picture: CompressedImage) -> None:
        """Write the picture.

        Raises:
            WriteError: it could not be written.
        """
        file: Path = self._arguments.save_current
        with replacing(file) as partial:
            partial.write_bytes(bytes(picture.data))
        height, width = decode_image(picture.data, str(file)).shape[:2]
        print(f"{file} written: {width} x {height} pixels, as the planner's camera sees it now")

    def _answer(self, stopping: threading.Event) -> SetGoal.Response | GetImage.Response:
        """The planner's answer.

        Raises:
            TimeoutError: there is no such planner, it is not configured, or no answer came.
            SignalledError: a signal came.
        """
        timeout = f"within {self._arguments.timeout:g} s"
        kind, service = (GetImage, "get_image") if self._arguments.save_current else (SetGoal, "set_goal")
        # Inactive, it refuses goals; waiting may help. At the timeout, it is left to say why.
        unready = ("",) if kind is GetImage else ("", NOT_ACTIVE)
        self._wait(lambda: self._reason not in unready, stopping)
        if not self._reason:
            topic = self._status.topic_name
            raise TimeoutError(f"nothing on {topic} {timeout}: is the planner running there, and configured?")
        client: Client[Any, Any] = self.create_client(kind, f"{self._arguments.node}/{service}")
        if not self._wait(client.service_is_ready, stopping):
            raise TimeoutError(f"no service {client.srv_name} {timeout}: is the planner running in this namespace?")
        future = client.call_async(self._request)
        if not self._wait(future.done, stopping):
            raise TimeoutError(f"no answer from {client.srv_name} {timeout}: see the planner's log")
        return future.result()

    def _wait(self, ready: Callable[[], bool], stopping: threading.Event) -> bool:
        """Whether it came true within the timeout.

        Raises:
            SignalledError: a signal came before.
        """
        came = process.wait_until(ready, stopping, self._arguments.timeout)
        if stopping.is_set():
            raise SignalledError
        return came

    def _on_status(self, status: PlanStatus) -> None:
        self._reason = status.reason


def main(args: Sequence[str] | None = None) -> int:
    """Entry point of the executable ``set_goal``; exit status 0 when the goal was accepted."""
    argv = list(sys.argv if args is None else args)
    try:
        arguments = own_arguments(parser(), argv)
        request = make_request(arguments)
    except ValueError as error:
        print(f"set_goal: {error}", file=sys.stderr)
        return ExitStatus.MISUSED
    make = functools.partial(SetGoalNode, arguments, request)
    return process.run(make, NODE, argv, work=SetGoalNode.ask, own_options=True)


if __name__ == "__main__":
    sys.exit(main())
