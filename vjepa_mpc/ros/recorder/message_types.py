"""Message types by their names: the classes that rclpy wants, and the definitions that stand in a bag."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

from vjepa_mpc.data.bags.types import types_with
from vjepa_mpc.data.errors import needs


class UnknownTypeError(ValueError):
    """A message type that this machine does not have."""


def message_class(kind: str) -> Any:
    """The Python class of a type such as "sensor_msgs/msg/Image".

    Raises:
        UnknownTypeError: its package is not installed.
    """
    package, _, name = kind.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError) as error:
        raise UnknownTypeError(f"{kind} is not installed on this machine") from error


def encoded(message: Any, kind: str) -> bytes:
    """A message of ROS as CDR bytes.

    Not by ``rclpy.serialization``: that leaves bytes without meaning at the end of messages with empty lists of large
    numbers, which strict readers refuse.
    """
    types = types_for(kind)
    return bytes(types.serialize_cdr(_copied(message, kind, types), kind))


def _copied(message: Any, kind: str, types: Any) -> Any:
    """The same message as rosbags has it."""
    fields = {name: _value(getattr(message, name), content, types) for name, content in types.fielddefs[kind][1]}
    return types.types[kind](**fields)


def _value(value: Any, content: Any, types: Any) -> Any:
    node, inner = content
    if node.name == "NAME":
        return _copied(value, inner, types)
    if node.name == "BASE":
        return value
    (element, name), _ = inner
    if element.name == "NAME":
        return [_copied(each, name, types) for each in value]
    if name[0] == "string":
        return list(value)
    if name[0] == "byte":
        return np.frombuffer(b"".join(value), dtype=np.uint8)
    return np.array(value, dtype=name[0])


def types_for(kind: str) -> Any:
    """A store of rosbags that knows a type, and those that it consists of.

    Raises:
        UnknownTypeError: there is no definition of one of them.
    """
    if kind in types_with().fielddefs:
        return types_with()
    found: dict[str, str] = {}
    missing = [kind]
    while missing:
        name = missing.pop()
        found[name] = _definition(name)
        missing += [each for each in _parts(name, found[name]) if each not in found]
    return types_with(tuple((name, text, False) for name, text in found.items()))


def _parts(name: str, definition: str) -> list[str]:
    """The types, unknown to every ROS 2, that a definition's fields have."""
    typesys, known = needs("rosbags.typesys"), types_with().fielddefs
    _, fields = typesys.get_types_from_msg(definition, name)[name]
    return [each for _, field in fields if (each := _name(field)) and each not in known]


def _name(field: Any) -> str:
    """The name of a field's type, of its elements' for a list; "" for numbers and texts."""
    node, content = field
    if node.name in ("ARRAY", "SEQUENCE"):
        return _name(content[0])
    return str(content) if node.name == "NAME" else ""


def _definition(kind: str) -> str:
    package, _, name = kind.split("/")
    try:
        return (Path(get_package_share_directory(package)) / "msg" / f"{name}.msg").read_text(encoding="utf-8")
    except (PackageNotFoundError, OSError) as error:
        raise UnknownTypeError(f"there is no definition of {kind} on this machine: {error}") from error
