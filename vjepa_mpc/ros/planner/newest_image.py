"""The planner node's service ~/get_image: the camera's newest image as PNG, which is encoded on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from vjepa_mpc.images import encode_png, image_to_rgb
from vjepa_mpc.loop.job_queue import StoppedError
from vjepa_mpc.ros.common.process import Awaited
from vjepa_mpc.srv import GetImage


class NewestImage:
    """Offers the service.

    Args:
        node: whose service.
        image: gives the newest message, or raises a ValueError that says why there is no current one.
    """

    def __init__(self, node: Node, image: Callable[[], Image | CompressedImage]) -> None:
        self._node, self._image = node, image
        self._encoder = ThreadPoolExecutor(max_workers=1, thread_name_prefix="picture encoder")
        # Its callback waits for the encoder; a group of its own keeps the others running meanwhile.
        node.create_service(GetImage, "~/get_image", self._on_request, callback_group=ReentrantCallbackGroup())

    def close(self) -> None:
        """Encode nothing more."""
        self._encoder.shutdown(wait=False, cancel_futures=True)

    async def _on_request(self, _: GetImage.Request, response: GetImage.Response) -> GetImage.Response:
        try:
            message = self._image()
            response.image = CompressedImage(
                header=message.header, format="png", data=await self._encoded(message).future
            )
            response.success = True
        except (ValueError, StoppedError) as error:
            response.message = str(error)
        return response

    def _encoded(self, message: Image | CompressedImage) -> Awaited[bytes]:
        result: Awaited[bytes] = Awaited(self._node)

        def encode() -> None:
            try:
                result.bring(encode_png(image_to_rgb(message)))
            except ValueError as error:
                result.fail(error)

        self._encoder.submit(encode)
        return result
