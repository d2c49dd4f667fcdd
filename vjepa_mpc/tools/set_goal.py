"""Send goal images to the planner: `set_goal a.png b.png --steps 8` (nobody types a picture into a service call)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import rclpy
from rclpy.client import Client
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.task import Future
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CompressedImage

from vjepa_mpc.images import decode_image, read_image_bytes
from vjepa_mpc.msg import PlanStatus
from vjepa_mpc.srv import SetGoal

NOT_ACTIVE = "NOT_ACTIVE"  # of the planner's status


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(prog="set_goal", description=__doc__)
    result.add_argument("images", nargs="*", help="goal images (PNG, JPEG), one a sub-goal, in order")
    result.add_argument("--current", action="store_true", help="take the camera's newest image as the goal")
    result.add_argument("--steps", nargs="+", type=int, default=[], help="step budget of each sub-goal, or one for all")
    result.add_argument("--gripper", nargs="+", default=[], help="free, open, closed or close_after:H; each or for all")
    result.add_argument("--remote", action="store_true", help="the images are files on the planner's machine")
    result.add_argument("--node", default="planner_node", help="name of the planner node (default: %(default)s)")
    result.add_argument("--timeout", type=float, default=10.0, help="seconds to wait for the planner and its answer")
    return result


def make_request(arguments: argparse.Namespace) -> SetGoal.Request:
    """The service request of a command line.

    Raises:
        ImageError: a picture cannot be used.
        ValueError: the arguments do not fit together.
    """
    if bool(arguments.images) == arguments.current:
        raise ValueError("give goal images, or --current for the camera's newest image (not both)")
    if any(steps < 1 for steps in arguments.steps):
        raise ValueError(f"--steps {arguments.steps}: a sub-goal takes at least 1 step")
    request = SetGoal.Request(use_current_image=arguments.current, steps=arguments.steps, gripper=arguments.gripper)
    if arguments.remote:
        request.image_files = arguments.images
        return request
    for path in arguments.images:
        data = read_image_bytes(path)
        decode_image(data, f"image file {path}")  # a bad file is better found here than by the planner
        request.images.append(CompressedImage(format="png" if data[:4] == b"\x89PNG" else "jpeg", data=data))
    return request


def send(node: Node, name: str, request: SetGoal.Request, timeout: float) -> SetGoal.Response:
    """Call the planner's service, once the planner is active.

    Raises:
        TimeoutError: there is no such planner, it is not configured, or no answer came.
    """
    wait_until_active(node, name, timeout)
    client: Client[Any, Any] = node.create_client(SetGoal, f"{name}/set_goal")
    if not client.wait_for_service(timeout):
        raise TimeoutError(
            f"no service {client.srv_name} within {timeout} s: is the planner running in this namespace?"
        )
    future = client.call_async(request)
    rclpy.spin_until_future_complete(node, future, timeout_sec=timeout)
    if not future.done():
        raise TimeoutError(f"no answer from {client.srv_name} within {timeout} s: see the planner's log")
    return future.result()


def wait_until_active(node: Node, name: str, timeout: float) -> None:
    """Wait for the planner to be active: inactive, it refuses goals. Ends at the timeout, too, for it to say why.

    Raises:
        TimeoutError: no status came, which it publishes while it is configured.
    """
    seen: list[str] = []
    active: Future[None] = Future()

    def on_status(status: PlanStatus) -> None:
        seen.append(status.reason)
        # Waiting brings no workspace; the planner's refusal says what to do.
        if status.reason != NOT_ACTIVE and not active.done():
            active.set_result(None)

    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    status = node.create_subscription(PlanStatus, f"{name}/status", on_status, latched)
    rclpy.spin_until_future_complete(node, active, timeout_sec=timeout)
    if not seen:
        topic = status.topic_name
        raise TimeoutError(f"nothing on {topic} within {timeout} s: is the planner running there, and configured?")
    node.destroy_subscription(status)


def main(args: Sequence[str] | None = None) -> int:
    """Entry point of the executable ``set_goal``; exit status 0 when the goal was accepted."""
    argv = list(sys.argv if args is None else args)
    arguments = parser().parse_args(remove_ros_args(argv)[1:])
    try:
        request = make_request(arguments)
    except ValueError as error:
        print(f"set_goal: {error}", file=sys.stderr)
        return 2
    rclpy.init(args=argv)
    node = Node("set_goal")
    try:
        response = send(node, arguments.node, request, arguments.timeout)
    except TimeoutError as error:
        print(f"set_goal: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    print(response.message if response.success else f"refused: {response.message}")
    return 0 if response.success else 1


if __name__ == "__main__":
    sys.exit(main())
