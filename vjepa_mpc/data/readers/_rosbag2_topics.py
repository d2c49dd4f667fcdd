"""Which topics of a bag hold pictures, poses and gripper, and how to take values from their messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vjepa_mpc.data.bags.bag import Bag, header_stamp
from vjepa_mpc.data.errors import DataError, listed
from vjepa_mpc.data.mapping import NO_GRIPPER, DataMapping
from vjepa_mpc.data.reader import choose_camera

_COMPRESSED = "sensor_msgs/msg/CompressedImage"
_IMAGES = (_COMPRESSED, "sensor_msgs/msg/Image")
_POSES = ("geometry_msgs/msg/PoseStamped", "geometry_msgs/msg/TransformStamped", "geometry_msgs/msg/Pose")
_JOINTS = "sensor_msgs/msg/JointState"
# Words in names of topics that hold what is wanted, not what is.
_COMMANDED = ("goal", "target", "command", "desired", "set_point", "setpoint", "equilibrium", "reference", "plan")
_FINGER_METRES = 0.04
# Types that begin with a header beside those whose name ends in Stamped.
_WITH_HEADER = (*_IMAGES, _JOINTS, "nav_msgs/msg/Odometry")


@dataclass(frozen=True)
class Topics:
    """Where everything is; ``pose_field`` and ``gripper_field`` are dotted paths into the messages, "" for none."""

    images: str
    poses: str
    pose_field: str
    gripper: str
    gripper_field: str
    joints: tuple[str, ...]
    mapping: DataMapping
    notes: tuple[str, ...]


def find_topics(bag: Bag, mapping: DataMapping) -> Topics:
    """The topics to read.

    Raises:
        DataError: one is missing, or cannot be chosen without the mapping; the message lists the topics.
    """
    there = [name for name in bag.types if bag.counts.get(name, 0)]
    images, notes = _images(bag, there, mapping)
    poses, pose_field = _split(mapping.poses or _poses(bag, there), "poses", bag, there)
    gripper, gripper_field, joints = _gripper(bag, there, mapping)
    found = mapping.filled(images=images, poses=poses, gripper=gripper or NO_GRIPPER, rotation="quaternion_xyzw")
    if joints:
        width = _FINGER_METRES * len(joints)
        found = found.filled(gripper_open=width, gripper_closed=0.0, gripper_columns=joints)
    else:
        found = found.filled(gripper_open=0.0, gripper_closed=1.0)
    return Topics(images, poses, pose_field, gripper, gripper_field, joints, found, notes)


def has_header(type_name: str) -> Callable[[bytes], float]:
    """A function from a message's bytes to its header's stamp in seconds; NaN for types without a header."""
    if type_name in _WITH_HEADER or type_name.endswith("Stamped") or type_name == "franka_msgs/msg/FrankaRobotState":
        return header_stamp
    return lambda data: float("nan")


def pose_values(message: Any, path: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Position [3], quaternion [4] (x, y, z, w) and the frame of a message that holds a pose.

    Raises:
        DataError: it holds none.
    """
    inner = _inside(message, path)
    frame = getattr(getattr(inner, "header", getattr(message, "header", None)), "frame_id", "")
    for name in ("pose", "transform", "pose"):  # a PoseWithCovarianceStamped holds pose.pose
        inner = getattr(inner, name, inner)
    position = getattr(inner, "position", getattr(inner, "translation", None))
    rotation = getattr(inner, "orientation", getattr(inner, "rotation", None))
    if position is None or rotation is None:
        raise DataError(f"poses: {type(inner).__name__} holds no position and orientation: name a field, TOPIC:FIELD")
    quaternion = np.array([rotation.x, rotation.y, rotation.z, rotation.w])
    return np.array([position.x, position.y, position.z]), quaternion, frame


def gripper_value(message: Any, path: str, joints: Sequence[str]) -> float | None:
    """The gripper's value of a message: the sum of the fingers' joints, or a number; None if the joints are not in it.

    Raises:
        DataError: it holds no number.
    """
    if joints:
        places = dict(zip(message.name, message.position, strict=False))
        if not all(joint in places for joint in joints):
            return None
        values = np.array([places[joint] for joint in joints])
        return float(np.abs(values).sum() if len(joints) > 1 else values[0])
    value = _inside(message, path)
    value = getattr(value, "data", value)
    try:
        return float(np.asarray(value, dtype=np.float64).reshape(-1)[0])
    except (TypeError, ValueError, IndexError):
        raise DataError(
            f"gripper: {type(value).__name__} is no number: name a field with TOPIC:FIELD, such as /gripper:width"
        ) from None


def _inside(message: Any, path: str) -> Any:
    for name in filter(None, path.split(".")):
        if isinstance(message, list | tuple | np.ndarray) and name.isdecimal() and int(name) < len(message):
            message = message[int(name)]
        elif hasattr(message, name):
            message = getattr(message, name)
        else:
            fields = [field for field in getattr(message, "__dataclass_fields__", {}) if not field.startswith("_")]
            raise DataError(f"{type(message).__name__} has no field {name!r}: its fields are {listed(fields)}")
    return message


def _split(name: str, key: str, bag: Bag, there: Sequence[str]) -> tuple[str, str]:
    topic, _, field = name.partition(":")
    if topic in there:
        return topic, field
    raise DataError(f"{key}: there is no topic {topic!r}. {_topics(bag)}")


def _topics(bag: Bag) -> str:
    described = (f"{name} ({bag.types[name]}, {bag.counts.get(name, 0)})" for name in sorted(bag.types))
    return f"The bag has {listed(described, 40)}"


def _measured(bag: Bag, there: Sequence[str], types: Sequence[str]) -> list[str]:
    """Topics of these types that were measured, in the order of the types."""
    found = [name for name in there if bag.types[name] in types and not any(word in name for word in _COMMANDED)]
    return sorted(found, key=lambda name: (types.index(bag.types[name]), name))


def _images(bag: Bag, there: Sequence[str], mapping: DataMapping) -> tuple[str, tuple[str, ...]]:
    if mapping.images:
        topic, _ = _split(mapping.images, "images", bag, there)
        if bag.types[topic] not in _IMAGES:
            raise DataError(f"images: {topic} is {bag.types[topic]}, not one of {', '.join(_IMAGES)}")
        return topic, ()
    pictures = [name for name in _measured(bag, there, _IMAGES) if "depth" not in name.lower()]
    if not pictures:
        raise DataError(f"no topic has pictures: set images. {_topics(bag)}")
    # The same camera raw and compressed is one camera.
    same = {name.removesuffix("/compressed") for name in pictures}
    topic, notes = choose_camera("", pictures, "image topics")
    return topic, notes if len(same) > 1 else ()


def _poses(bag: Bag, there: Sequence[str]) -> str:
    candidates = _measured(bag, there, _POSES)
    if not candidates:
        raise DataError(f"no topic has measured poses: set poses. {_topics(bag)}")
    named = [name for name in candidates if "current_pose" in name]
    if len(candidates) > 1 and len(named) != 1:
        raise DataError(f"several topics have poses: set poses to one of {listed(candidates)}")
    return (named or candidates)[0]


def _gripper(bag: Bag, there: Sequence[str], mapping: DataMapping) -> tuple[str, str, tuple[str, ...]]:
    """Topic, field and finger joints."""
    if mapping.gripper == NO_GRIPPER:
        return "", "", ()
    if mapping.gripper:
        topic, field = _split(mapping.gripper, "gripper", bag, there)
        joints = _fingers(bag, topic, mapping) if bag.types[topic] == _JOINTS and not field else ()
        return topic, field, joints
    for topic in _measured(bag, there, (_JOINTS,)):
        joints = _fingers(bag, topic, mapping, needed=False)
        if joints:
            return topic, "", joints
    raise DataError(f"no joint states have fingers: set gripper, or 'gripper: {NO_GRIPPER}'. {_topics(bag)}")


def _fingers(bag: Bag, topic: str, mapping: DataMapping, needed: bool = True) -> tuple[str, ...]:
    """The finger joints among the first messages: several publishers may share the topic."""
    decode, names = bag.decoder(), list[str]()
    for number, message in enumerate(bag.messages([topic])):
        names += [name for name in decode(message.data, topic).name if name not in names]
        if number >= 20:
            break
    wanted = mapping.gripper_columns or tuple(sorted(name for name in names if "finger" in name or "grip" in name))
    missing = [name for name in wanted if name not in names]
    if needed and (missing or not wanted):
        raise DataError(f"gripper: {topic} has no joints {listed(missing or ['finger'])}: it has {listed(names)}")
    return () if missing else wanted
