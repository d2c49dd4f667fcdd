"""The mapping: one YAML file or dict a robot, which says where recordings keep what, and in which units.

All keys are optional. What a key leaves out, the reader of the format finds out from the files where they say enough.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from os import PathLike
from typing import Any

import yaml

from vjepa_mpc.data.errors import DataError, listed
from vjepa_mpc.files import expanded
from vjepa_mpc.options import build, check_options, option, parameters

NO_GRIPPER = "none"
METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}
# Numbers that each form of a rotation takes.
ROTATION_WIDTH = {"quaternion_xyzw": 4, "quaternion_wxyz": 4, "euler": 3, "rotation_vector": 3, "matrix": 9}


def _names(value: Any) -> tuple[str, ...]:
    """Column or joint names from a YAML list, or from a text with commas; numbers become texts."""
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list | tuple) else [value]
    return tuple(str(part).strip() for part in parts if str(part).strip())


def _text(value: Any) -> str:
    """A name that YAML may have read as a number, such as a camera's serial number."""
    return str(value)


def _six(value: Any) -> tuple[float, ...]:
    try:
        numbers = tuple(float(number) for number in value)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != 6:
        raise ValueError("give six numbers: x, y, z in metres, roll, pitch, yaw in radians")
    return numbers


def _formats() -> tuple[str, ...]:
    from vjepa_mpc.data.readers import READERS  # readers import this module

    return ("", *READERS.names)


@dataclass(frozen=True, kw_only=True)
class DataMapping:
    """Where recordings keep what, and in which units."""

    format: str = option("", "Format of the recordings; empty: recognised by the files.", choices=_formats)
    images: str = option(
        "",
        "Where the pictures are: topic (rosbag2), feature (lerobot), observation (robomimic), or the camera's serial "
        "number or role left, right, wrist, ext1, ext2 (droid). Empty: the only camera, or the first that is not on "
        "the wrist.",
        from_plain=_text,
    )
    poses: str = option(
        "",
        "Where the tool's poses are: topic or TOPIC:FIELD (rosbag2), feature (lerobot), observation (robomimic), path "
        "in the HDF5 file (droid).",
        from_plain=_text,
    )
    orientations: str = option(
        "", "Where the rotations are when they are apart from the positions; empty: with the poses.", from_plain=_text
    )
    gripper: str = option(
        "", f"Where the gripper's opening is; '{NO_GRIPPER}': there is none, it counts as open.", from_plain=_text
    )
    position_columns: tuple[str, ...] = option(
        (), "Names or numbers of the three columns that hold x, y, z.", from_plain=_names
    )
    rotation_columns: tuple[str, ...] = option(
        (), "Names or numbers of the columns that hold the rotation.", from_plain=_names
    )
    gripper_columns: tuple[str, ...] = option(
        (),
        "Names or numbers of the columns that hold the gripper; in ROS joint states the names of the finger joints. "
        "Several are added up by their absolute values.",
        from_plain=_names,
    )
    position_unit: str = option("m", "Unit of the positions.", choices=tuple(METRES))
    rotation: str = option(
        "",
        "Form of the rotations; a matrix is row by row. Empty: by the names of the columns.",
        choices=("", *ROTATION_WIDTH),
    )
    euler_axes: str = option(
        "xyz",
        "Order of Euler angles as scipy writes it: small letters turn about the base's axes, capitals about the "
        "tool's. 'xyz' is roll, pitch, yaw.",
    )
    angle_unit: str = option("rad", "Unit of the angles.", choices=("rad", "deg"))
    gripper_open: float | None = option(
        None, "Value of the gripper when it is open, such as 0.08 for fingers in metres, or 1 for an opening."
    )
    gripper_closed: float | None = option(None, "Value of the gripper when it is closed.")
    frame: str = option("", "Name of the frame that poses have to be in (ROS frame_id); empty: any.")
    base: tuple[float, ...] = option(
        (0.0,) * 6,
        "Pose of the recordings' frame in the robot's base frame: x, y, z, roll, pitch, yaw in metres and radians.",
        from_plain=_six,
    )
    tool: tuple[float, ...] = option(
        (0.0,) * 6,
        "Pose of the tool centre point in the recorded tool's frame: x, y, z, roll, pitch, yaw; for recordings of the "
        "flange.",
        from_plain=_six,
    )
    colours: str = option("rgb", "Order of the colours; 'bgr' swaps red and blue.", choices=("rgb", "bgr"))
    image_delay: float = option(
        0.0,
        "How much later than what they show the pictures are stamped; this much is taken off.",
        unit="s",
        low=-10.0,
        high=10.0,
    )
    stamps: str = option(
        "",
        "Which stamps count in a rosbag2: of the messages' headers, or of the recorder when it received them. Empty: "
        "the headers' where there are any.",
        choices=("", "header", "receive"),
    )
    fps: float | None = option(
        None,
        "Pictures a second, for recordings without stamps or with wrong ones; not for rosbag2.",
        unit="1/s",
        low=0.01,
        high=1000.0,
    )

    def __post_init__(self) -> None:
        check_options(self)
        if self.gripper_open is not None and self.gripper_open == self.gripper_closed:
            raise ValueError(f"gripper_open and gripper_closed are both {self.gripper_open}: they have to differ")
        axes = self.euler_axes
        if len(axes) != 3 or axes not in (axes.lower(), axes.upper()) or set(axes.lower()) - set("xyz"):
            raise ValueError(f"euler_axes={axes!r}: use three of x, y, z, all small or all capital, such as xyz or ZYX")

    def filled(self, **found: Any) -> DataMapping:
        """With what a reader found out, where the mapping says nothing itself."""
        blank = {name: value for name, value in found.items() if getattr(self, name) in ("", None, ())}
        return replace(self, **blank)


def keys_table() -> str:
    """The keys as a Markdown table, as ``docs/datasets.md`` has it."""
    lines = ["| key | default | what it says |", "|---|---|---|"]
    for each in parameters(DataMapping):
        default = "—" if each.default in (None, "", ()) else f"`{_shown(each.default)}`"
        allowed = [choice for choice in each.option.allowed if choice]
        choices = f" One of {', '.join(f'`{choice}`' for choice in allowed)}." if allowed else ""
        lines.append(f"| `{each.name}` | {default} | {each.description}{choices} |")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    return f"[{', '.join(f'{number:g}' for number in value)}]" if isinstance(value, tuple) else str(value)


def read_mapping(mapping: DataMapping | Mapping[str, Any] | str | PathLike[str] | None) -> DataMapping:
    """A mapping from a dict, a YAML file, or None for one that says nothing.

    Raises:
        DataError: the file cannot be read, a key is unknown, or a value cannot be used.
    """
    if isinstance(mapping, DataMapping):
        return mapping
    values, where = ({}, "the mapping") if mapping is None else _values(mapping)
    known = [each.name for each in fields(DataMapping)]
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise DataError(f"{where} has an unknown key {key!r}: {hint}the keys are {listed(known, 30)}")
    try:
        return build(DataMapping, _numbers(values))
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: {error}") from None


def _numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    numeric = ("gripper_open", "gripper_closed", "image_delay", "fps")
    for name in numeric:
        if isinstance(values.get(name), str | bool | list | dict):
            raise ValueError(f"{name}={values[name]!r}: give a number")
    return {name: value for name, value in values.items() if value is not None}


def _values(mapping: Mapping[str, Any] | str | PathLike[str]) -> tuple[Mapping[str, Any], str]:
    if isinstance(mapping, Mapping):
        return mapping, "the mapping"
    path = expanded(mapping)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the mapping {path} cannot be read ({error}): give the path of a YAML file") from None
    except yaml.YAMLError as error:
        raise DataError(f"the mapping {path} is not YAML: {error}") from None
    if values is None:
        return {}, f"the mapping {path}"
    if not isinstance(values, dict):
        raise DataError(f"the mapping {path} holds a {type(values).__name__}: write one 'key: value' a line")
    return values, f"the mapping {path}"
