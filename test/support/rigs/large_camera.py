"""A camera of large raw pictures, stretched simulated ones. Run as ``python -m support.rigs.large_camera``.

Arguments: OFFER WIDTH HEIGHT RATE, where the offer is ``reliable`` or ``best_effort``. Takes ``camera/image_raw``,
publishes ``large/image_raw``, and each picture as often as the rate wants, with its own stamp.
"""

from __future__ import annotations

import sys
from array import array
from contextlib import suppress

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import Image

from vjepa_mpc.images import image_to_rgb

TOPIC = "large/image_raw"
OFFERS = {  # as the drivers of many cameras have them
    "reliable": QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE),
    "best_effort": qos_profile_sensor_data,
}


def stretched(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """A picture of another size, each pixel the nearest of the old one."""
    rows = np.arange(height) * picture.shape[0] // height
    columns = np.arange(width) * picture.shape[1] // width
    return picture[rows][:, columns]


class LargeCamera(Node):
    """See the module."""

    def __init__(self, offer: str, width: int, height: int, rate: float) -> None:
        super().__init__("large_camera")
        self._width, self._height = width, height
        self._newest: Image | None = None
        self._out = self.create_publisher(Image, TOPIC, OFFERS[offer])
        self.create_subscription(Image, "camera/image_raw", self._on_image, qos_profile_sensor_data)
        self.create_timer(1.0 / rate, self._publish)

    def _on_image(self, message: Image) -> None:
        picture = stretched(image_to_rgb(message), self._width, self._height)
        size = {"width": self._width, "height": self._height, "step": 3 * self._width}
        self._newest = Image(header=message.header, encoding="rgb8", data=array("B", picture.tobytes()), **size)

    def _publish(self) -> None:
        if self._newest is not None:
            self._out.publish(self._newest)


def main() -> int:
    offer, width, height, rate = sys.argv[1:5]
    rclpy.init()
    with suppress(ExternalShutdownException, KeyboardInterrupt):
        rclpy.spin(LargeCamera(offer, int(width), int(height), float(rate)))
    rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
