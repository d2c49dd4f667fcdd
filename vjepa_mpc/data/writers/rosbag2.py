"""rosbag2 folders, one an episode, with the topics that the arm's own recordings have."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from pathlib import Path
from typing import Any

import numpy as np

from vjepa_mpc.data.bags.types import types_with
from vjepa_mpc.data.bags.writer import BagWriter
from vjepa_mpc.data.episode import Episode
from vjepa_mpc.data.writer import Writer, pictures_of
from vjepa_mpc.images import encode_jpeg

IMAGES, POSES, JOINTS = "/camera/color/image_raw/compressed", "/current_pose", "/joint_states"
_TYPES = {
    IMAGES: "sensor_msgs/msg/CompressedImage",
    POSES: "geometry_msgs/msg/PoseStamped",
    JOINTS: "sensor_msgs/msg/JointState",
}
_FINGERS = ("fr3_finger_joint1", "fr3_finger_joint2")
_FINGER_OPEN = 0.04
_QUALITY = 95

_Entry = tuple[int, str, Any]


class Rosbag2Writer(Writer):
    """Pictures as JPEG, poses as recorded, the gripper as two fingers in metres; stamps stay as they are."""

    def __init__(self, folder: Path, fps: float) -> None:
        super().__init__(folder, fps)
        folder.mkdir(parents=True)
        self._count = 0

    def write(self, episode: Episode) -> None:
        """See :class:`Writer`."""
        messages = _Messages()
        with BagWriter(self.folder / f"episode_{self._count:06d}") as bag:
            topics = {name: bag.add_topic(name, kind, messages.types) for name, kind in _TYPES.items()}
            streams = messages.pictures(episode), messages.poses(episode), messages.fingers(episode)
            for stamp, name, message in merge(*streams, key=lambda entry: entry[0]):
                bag.write(topics[name], stamp, messages.types.serialize_cdr(message, _TYPES[name]))
        self._count += 1

    def close(self) -> None:
        """See :class:`Writer`; every bag is complete already."""

    def abandon(self) -> None:
        """See :class:`Writer`; every bag is closed already."""


class _Messages:
    """Makes ROS messages without ROS."""

    def __init__(self) -> None:
        self.types = types_with()

    def pictures(self, episode: Episode) -> Iterator[_Entry]:
        """The pictures in their order."""
        for stamp, picture in zip(episode.stamps, pictures_of(episode, episode.stamps), strict=True):
            data = np.frombuffer(encode_jpeg(picture, _QUALITY), dtype=np.uint8)
            header = self._header(stamp, "camera")
            yield _nanoseconds(stamp), IMAGES, self._new(IMAGES, header=header, format="jpeg", data=data)

    def poses(self, episode: Episode) -> Iterator[_Entry]:
        """Every recorded pose, of the tool's centre in the base frame."""
        track = episode.poses
        point, turn, pose = (self.types.types[f"geometry_msgs/msg/{name}"] for name in ("Point", "Quaternion", "Pose"))
        for stamp, position, quaternion in zip(track.stamps, track.positions, track.quaternions, strict=True):
            x, y, z = map(float, position)
            qx, qy, qz, qw = map(float, quaternion)
            value = pose(position=point(x=x, y=y, z=z), orientation=turn(x=qx, y=qy, z=qz, w=qw))
            yield _nanoseconds(stamp), POSES, self._new(POSES, header=self._header(stamp, "base"), pose=value)

    def fingers(self, episode: Episode) -> Iterator[_Entry]:
        """Every recorded opening; an arm without a gripper has open fingers throughout."""
        track = episode.gripper
        known = episode.recording.gripper is not None
        stamps = track.stamps if known else episode.poses.stamps
        for stamp, closedness in zip(stamps, track.at(stamps), strict=True):
            position = np.full(2, _FINGER_OPEN * (1.0 - closedness))
            none = np.zeros(0)
            message = self._new(
                JOINTS,
                header=self._header(stamp, ""),
                name=list(_FINGERS),
                position=position,
                velocity=none,
                effort=none,
            )
            yield _nanoseconds(stamp), JOINTS, message

    def _header(self, stamp: float, frame: str) -> Any:
        seconds, nanoseconds = divmod(_nanoseconds(stamp), 10**9)
        time = self.types.types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
        return self.types.types["std_msgs/msg/Header"](stamp=time, frame_id=frame)

    def _new(self, topic: str, **values: Any) -> Any:
        return self.types.types[_TYPES[topic]](**values)


def _nanoseconds(stamp: float) -> int:
    return round(float(stamp) * 1e9)
