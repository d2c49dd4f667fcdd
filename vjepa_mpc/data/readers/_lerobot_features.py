"""Which columns of a LeRobot dataset hold position, rotation and gripper: by the names in ``meta/info.json``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vjepa_mpc.data.errors import DataError, listed
from vjepa_mpc.data.mapping import NO_GRIPPER, DataMapping
from vjepa_mpc.data.reader import choose, columns_of

_BOOKKEEPING = {"timestamp", "frame_index", "episode_index", "index", "task_index"}
_EULER = (("roll", "pitch", "yaw"), ("rx", "ry", "rz"))
_QUATERNION = ("qx", "qy", "qz", "qw")


@dataclass(frozen=True)
class Columns:
    """Some columns of a feature; their order is the one they are wanted in."""

    feature: str
    columns: tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """Where states are, and the mapping with what their names say about conventions."""

    positions: Columns
    rotations: Columns
    gripper: Columns | None
    mapping: DataMapping


def layout(features: Mapping[str, Mapping[str, Any]], mapping: DataMapping) -> Layout:
    """Where the states of a dataset are.

    Args:
        features: of ``meta/info.json``.
        mapping: has precedence over names.

    Raises:
        DataError: names do not say it, or the mapping names what is not there; the message lists the features.
    """
    vectors = _vectors(features)
    positions = _positions(vectors, mapping)
    rotations, found = _rotations(vectors, mapping.filled(poses=positions.feature), positions)
    gripper, found = _gripper(vectors, found)
    return Layout(positions, rotations, gripper, found)


def column_names(feature: Mapping[str, Any]) -> list[str]:
    """Names of a vector's columns, numbers where it names none; LeRobot writes lists, or lists in a dict."""
    width = int((feature.get("shape") or [1])[0])
    names = feature.get("names")
    if isinstance(names, Mapping):
        parts = [part if isinstance(part, list) else [part] for part in names.values()]
        names = [name for part in parts for name in part]
    if isinstance(names, list) and len(names) == width:
        return [str(name) for name in names]
    return [str(index) for index in range(width)]


def _vectors(features: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Column names of all features that are vectors of numbers, those of the observed state first."""
    found = {
        name: column_names(feature)
        for name, feature in features.items()
        if str(feature.get("dtype", "")).startswith(("float", "int"))
        and len(feature.get("shape") or [1]) == 1
        and name not in _BOOKKEEPING
    }
    return dict(sorted(found.items(), key=lambda each: each[0] != "observation.state"))


def _observed(vectors: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """What was measured, not what was commanded."""
    return {name: columns for name, columns in vectors.items() if not name.startswith("action")}


def _tokens(name: str) -> list[str]:
    return [token for token in re.split(r"[^a-z0-9]+", name.lower()) if token]


def _axis(columns: Sequence[str], axis: str, quaternion: bool) -> int | None:
    """The column of an axis, such as "x", "ee_x" or "tcp.x.pos"; with ``quaternion`` "qx", "quat_x" and the like."""
    for index, name in enumerate(columns):
        tokens = [token for token in _tokens(name) if token not in ("pos", "position")]
        turned = any(token.startswith(("quat", "rot", "ori")) for token in tokens)
        if tokens and tokens[-1] == axis and turned == quaternion:
            return index
    return None


def _named(columns: Sequence[str], names: Sequence[str]) -> tuple[int, ...]:
    found = [next((i for i, column in enumerate(columns) if name in _tokens(column)), None) for name in names]
    return tuple(index for index in found if index is not None) if None not in found else ()


def _xyz(columns: Sequence[str]) -> tuple[int, ...]:
    found = [_axis(columns, axis, quaternion=False) for axis in "xyz"]
    return tuple(index for index in found if index is not None) if None not in found else ()


def _quaternion(columns: Sequence[str]) -> tuple[int, ...]:
    """Columns in the order x, y, z, w, whatever order they are stored in."""
    spelled = _named(columns, _QUATERNION)
    if spelled:
        return spelled
    found = [_axis(columns, axis, quaternion=True) for axis in "xyzw"]
    return tuple(index for index in found if index is not None) if None not in found else ()


def _positions(vectors: Mapping[str, list[str]], mapping: DataMapping) -> Columns:
    if mapping.poses:
        columns = vectors[choose(mapping.poses, list(vectors), "features", "poses")]
        wanted = columns_of(columns, mapping.position_columns, "position_columns")
        return Columns(mapping.poses, tuple(wanted) or _xyz(columns) or (0, 1, 2))
    for name, columns in _observed(vectors).items():
        found = (
            tuple(columns_of(columns, mapping.position_columns, "position_columns"))
            if (mapping.position_columns and set(mapping.position_columns) <= set(columns))
            else _xyz(columns)
        )
        if len(found) == 3:
            return Columns(name, found)
    for name, columns in _observed(vectors).items():
        if len(columns) in (6, 7) and any(word in name for word in ("cartesian", "eef", "ee_pose", "tcp", "pose")):
            return Columns(name, (0, 1, 2))
    raise DataError(f"no feature names columns x, y, z: set poses and position_columns. {_there(vectors)}")


def _rotations(
    vectors: Mapping[str, list[str]], mapping: DataMapping, positions: Columns
) -> tuple[Columns, DataMapping]:
    name = mapping.orientations or positions.feature
    columns = vectors[choose(name, list(vectors), "features", "orientations")]
    if mapping.rotation_columns:
        wanted = tuple(columns_of(columns, mapping.rotation_columns, "rotation_columns"))
        kind = "quaternion_xyzw" if len(wanted) == 4 else "matrix" if len(wanted) == 9 else "euler"
        return Columns(name, wanted), mapping.filled(orientations=name, rotation=kind)
    quaternion = _quaternion(columns)
    if quaternion:
        return Columns(name, quaternion), mapping.filled(orientations=name, rotation="quaternion_xyzw")
    for names in _EULER:
        euler = _named(columns, names)
        if euler:
            return Columns(name, euler), mapping.filled(orientations=name, rotation="euler")
    return _unnamed_rotation(vectors, mapping, name, positions)


def _unnamed_rotation(
    vectors: Mapping[str, list[str]], mapping: DataMapping, name: str, positions: Columns
) -> tuple[Columns, DataMapping]:
    width = len(vectors[name])
    first = 3 if name == positions.feature else 0
    kinds = {3: "euler", 4: "quaternion_xyzw", 9: "matrix"}
    if width - first not in kinds:
        raise DataError(f"no columns of {name} are named as a rotation: set rotation_columns. {_there(vectors)}")
    return Columns(name, tuple(range(first, width))), mapping.filled(orientations=name, rotation=kinds[width - first])


def _gripper(vectors: Mapping[str, list[str]], mapping: DataMapping) -> tuple[Columns | None, DataMapping]:
    if mapping.gripper == NO_GRIPPER:
        return None, mapping
    if mapping.gripper:
        columns = vectors[choose(mapping.gripper, list(vectors), "features", "gripper")]
        wanted = columns_of(columns, mapping.gripper_columns, "gripper_columns") or _fingers(columns)
        return _with_range(mapping.gripper, columns, tuple(wanted) or (len(columns) - 1,), mapping)
    for name, columns in _observed(vectors).items():
        named = mapping.gripper_columns and set(mapping.gripper_columns) <= set(columns)
        found = columns_of(columns, mapping.gripper_columns, "gripper_columns") if named else _fingers(columns)
        if found:
            return _with_range(name, columns, tuple(found), mapping)
    for name, columns in _observed(vectors).items():
        if "gripper" in name and len(columns) <= 2:
            return _with_range(name, columns, tuple(range(len(columns))), mapping)
    raise DataError(f"no column is named as a gripper: set gripper, or 'gripper: {NO_GRIPPER}'. {_there(vectors)}")


def _fingers(columns: Sequence[str]) -> list[int]:
    return [index for index, name in enumerate(columns) if re.search("grip|finger", name.lower())]


def _with_range(
    feature: str, columns: Sequence[str], chosen: tuple[int, ...], mapping: DataMapping
) -> tuple[Columns, DataMapping]:
    """With the values of open and closed that the names imply; 0 open, 1 closed where they imply nothing."""
    text = " ".join([feature, *(columns[index] for index in chosen)]).lower()
    if "open" in text:
        ends = (1.0, 0.0)
    elif "finger" in text or "qpos" in text:
        ends = (0.04 * len(chosen), 0.0)
    elif "width" in text:
        ends = (0.08, 0.0)
    else:
        ends = (0.0, 1.0)
    found = mapping.filled(gripper=feature, gripper_open=ends[0], gripper_closed=ends[1])
    return Columns(feature, chosen), found


def _there(vectors: Mapping[str, list[str]]) -> str:
    return "There is: " + "; ".join(f"{name} ({listed(columns, 12)})" for name, columns in vectors.items())
