"""Settings of a training run from a YAML file: dataclasses, filled by name, each value in its setting's type."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from vjepa_mpc.worldmodel import bundled_model_path

T = TypeVar("T")


def recipes_folder() -> Path:
    """Where the recipes lie that come with the package: beside resource/models, wherever that is installed."""
    return bundled_model_path().parents[2] / "config" / "train"


def read_yaml(path: Path) -> dict[str, Any]:
    """The settings in a file.

    Raises:
        ValueError: it is no YAML, or holds something else than settings.
        OSError: it cannot be read.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no YAML ({' '.join(str(error).split())})") from error
    if values is not None and not isinstance(values, dict):
        raise ValueError(f"{path}: expected settings, one `name: value` a line")
    return values or {}


def read_settings(kind: type[T], values: Any, prefix: str = "") -> T:
    """A dataclass from the values of its fields; sections become the dataclasses that are their defaults.

    Args:
        kind: the dataclass. Its defaults tell the types; a field without one is taken as it is.
        values: as YAML has them. It reads 8e-4 as a text, and a whole number may stand for a real one.
        prefix: of the settings' names in messages, such as "batch.".

    Raises:
        ValueError: a setting is unknown or of another type; the message names it with its value.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{prefix.rstrip('.')}: expected a section, found {values!r}")
    known = {each.name: each for each in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = [name for name in values if name not in known]
    if unknown:
        raise ValueError(f"unknown setting {prefix}{unknown[0]}: known are {', '.join(known)}")
    return kind(**{name: _typed(prefix + name, _default(known[name]), value) for name, value in values.items()})


def _default(each: dataclasses.Field[Any]) -> Any:
    return each.default if each.default_factory is dataclasses.MISSING else each.default_factory()


def _typed(name: str, default: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(default):
        return read_settings(type(default), value, f"{name}.")  # type: ignore[arg-type]
    if default is dataclasses.MISSING:
        return value
    if default is None:
        return value or None  # 0 and null: not set
    if isinstance(default, tuple):
        return _entries(name, default, value)
    number = value
    if isinstance(default, float) and not isinstance(value, bool):
        number = _real(value)
    if type(number) is not type(default) or (isinstance(number, float) and not math.isfinite(number)):
        raise ValueError(f"{name}={value!r}: expected a value like {default!r}")
    return number


def _entries(name: str, default: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ValueError(f"{name}={value!r}: expected a list")
    return tuple(_typed(f"{name}[{index}]", default[0], entry) for index, entry in enumerate(value))


def _real(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def changed_settings(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """What differs, as in "batch.clips 16 -> 32"; both as ``dataclasses.asdict`` or JSON has them."""
    for name, value in now.items():
        earlier = before.get(name)
        if isinstance(value, Mapping) and isinstance(earlier, Mapping):
            yield from changed_settings(earlier, value, f"{prefix}{name}.")
        elif (list(value) if isinstance(value, tuple) else value) != earlier:  # JSON knows lists alone
            yield f"{prefix}{name} {earlier} -> {value}"
