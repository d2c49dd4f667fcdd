"""Sends a picture of 200 MB, as a goal or as the camera's: ``python -m system.faults.huge_picture goal|camera``."""

from __future__ import annotations

import sys
import time

import rclpy
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image
from vjepa_mpc.srv import SetGoal

from support.fault_injector import FaultInjector

SIDE = 8165  # pixels: 200 MB of RGB
TIMEOUT = 60.0  # seconds


def main() -> int:
    rclpy.init()
    node = Node("huge_picture")
    send_goal(node) if sys.argv[1] == "goal" else send_image(node)
    rclpy.shutdown()
    return 0


def send_goal(node: Node) -> None:
    client = node.create_client(SetGoal, "planner_node/set_goal")
    assert client.wait_for_service(TIMEOUT)
    request = SetGoal.Request(images=[CompressedImage(format="png", data=bytes(3 * SIDE * SIDE))])
    future = client.call_async(request)
    rclpy.spin_until_future_complete(node, future, timeout_sec=TIMEOUT)
    print(future.result().message)


def send_image(node: Node) -> None:
    topic = FaultInjector.REMAPPINGS["camera/image_raw"]
    publisher = node.create_publisher(Image, topic, qos_profile_sensor_data)
    deadline = time.monotonic() + TIMEOUT
    while not publisher.get_subscription_count():
        assert time.monotonic() < deadline, f"nobody listens on {topic}"
        time.sleep(0.01)
    image = Image(height=SIDE, width=SIDE, encoding="rgb8", step=3 * SIDE, data=bytes(3 * SIDE * SIDE))
    image.header.stamp = node.get_clock().now().to_msg()
    publisher.publish(image)


if __name__ == "__main__":
    sys.exit(main())
