"""Options: each is one field of a frozen dataclass, declared once, beside the code that uses it.

Everything that shows or reads an option is made from that field: the ROS parameter with its description and range,
``config/planner.yaml``, the parameter page in ``docs/``, the command line, and the check of a value's range::

    @dataclass(frozen=True, kw_only=True)
    class MotionLimits:
        linear_speed: float = option(0.2, "Top speed of the set-points.", unit="m/s", low=0.001, high=3.0)

        def __post_init__(self) -> None:
            check_options(self)

Values have two forms. The field holds what the code works with; the *plain* form is what ROS parameters, YAML and
command lines can carry: bool, int, float, str or a tuple of floats. They are the same but where an option says how to
convert, as for None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from typing import Any, TypeVar

T = TypeVar("T")

Plain = bool | int | float | str | tuple[float, ...]
"""What a ROS parameter, a YAML file and a command line can carry; None only where an option has no default."""

_KEY = "option"


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, kw_only=True)
class Option:
    """What is known about an option beside its name, type and default, which are its field's.

    Attributes:
        text: one or two sentences that make sense alone, as ``ros2 param describe`` shows them; without the unit.
        unit: such as "m/s"; "" for none.
        low: least value of a number.
        high: greatest value of a number.
        choices: allowed texts, or a function that gives them (of a registry: only looked up when asked for).
        open_choices: besides the choices, "package.module:Class" is allowed.
        live: may change from one planning cycle to the next; others only take effect when the node is configured.
        former: names that this option had in the release before, with the prefix; still read, with a line that says so.
        to_plain: from the field's value to the plain form.
        from_plain: the way back; raises ValueError with the name left out, as in "'q' is not like z=0.0".
    """

    text: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] | Callable[[], tuple[str, ...]] = ()
    open_choices: bool = False
    live: bool = False
    former: tuple[str, ...] = ()
    to_plain: Callable[[Any], Any] = _same
    from_plain: Callable[[Any], Any] = _same

    @property
    def allowed(self) -> tuple[str, ...]:
        """The choices' names; empty when any text will do."""
        return self.choices() if callable(self.choices) else self.choices


def option(
    default: Any = MISSING,
    text: str = "",
    *,
    none_is: Any = MISSING,
    default_factory: Callable[[], Any] | Any = MISSING,
    **details: Any,
) -> Any:
    """A dataclass field that is an option.

    Args:
        default: of the field; left out, the field has none, and neither has the parameter.
        text: see :class:`Option`.
        none_is: the plain value that means None, such as 0 for "no limit"; the text should say so.
        default_factory: instead of a default, as in :func:`dataclasses.field`.
        details: the further attributes of :class:`Option`.
    """
    if none_is is not MISSING:
        details["to_plain"] = lambda value: none_is if value is None else value
        details["from_plain"] = lambda value: None if value == none_is else value
    metadata = {_KEY: Option(text=text, **details)}
    if default_factory is not MISSING:
        return field(default_factory=default_factory, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Parameter:
    """An option by its full name and with its default in the plain form; None for one without a default.

    Attributes:
        name: dotted, as in ``ros2 param set``.
        default: plain; its type is the parameter's. None: a list of numbers that has to be given.
        option: all else.
    """

    name: str
    default: Plain | None
    option: Option

    @property
    def description(self) -> str:
        """The text with the unit."""
        return f"{self.option.text} [{self.option.unit}]" if self.option.unit else self.option.text

    def check(self, value: Any) -> None:
        """Refuse a plain value that is out of range, not finite, or not among the choices.

        Raises:
            ValueError: with name, value and what is allowed.
        """
        check_value(self.name, value, self.option)


def _options(kind: type | object) -> Iterator[tuple[Field[Any], Option]]:
    if not is_dataclass(kind):
        raise TypeError(f"{kind!r} is no dataclass: options are fields of dataclasses")
    for each in fields(kind):
        found = each.metadata.get(_KEY)
        if found is not None:
            yield each, found


def parameters(kind: type, prefix: str = "", defaults: object | None = None) -> tuple[Parameter, ...]:
    """The options of a dataclass as parameters, in the order of its fields.

    Args:
        kind: the dataclass.
        prefix: of all names, such as "limits.".
        defaults: an instance whose values are the defaults, such as a preset; otherwise the fields' own.
    """
    found = []
    for each, details in _options(kind):
        value = _default(each) if defaults is None else getattr(defaults, each.name)
        plain = None if value is MISSING else details.to_plain(value)
        found.append(Parameter(prefix + each.name, plain, details))
    return tuple(found)


def build(kind: Callable[..., T], values: Mapping[str, Any], prefix: str = "", **more: Any) -> T:
    """The dataclass with the plain ``values`` of its parameters (see :func:`parameters`) and ``more`` fields.

    Raises:
        ValueError: a value cannot be converted or used; the message names it.
    """
    settings = {}
    for each, details in _options(kind):
        name = prefix + each.name
        if each.name in more or name not in values:
            continue
        try:
            settings[each.name] = details.from_plain(values[name])
        except ValueError as error:
            raise ValueError(f"{name}={values[name]!r}: {error}") from None
    return kind(**settings, **more)


def check_options(settings: object, prefix: str = "") -> None:
    """Refuse values of a dataclass's options that are out of range, not finite, or not among the choices.

    For ``__post_init__``: what is declared beside a field holds however the dataclass is made.

    Raises:
        ValueError: with name, value and what is allowed.
    """
    for each, details in _options(settings):
        value = getattr(settings, each.name)
        if value is not None:
            check_value(prefix + each.name, value, details)


def check_value(name: str, value: Any, details: Option) -> None:
    """See :func:`check_options`; values that are neither numbers nor texts are not looked at."""
    if isinstance(value, str):
        allowed = details.allowed
        if allowed and value not in allowed and not (details.open_choices and ":" in value):
            own = ", or package.module:Class" if details.open_choices else ""
            raise ValueError(f"{name}={value!r}: use one of {', '.join(allowed)}{own}")
        return
    numbers = value if isinstance(value, tuple) else (value,)
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float):
            continue
        low, high = details.low, details.high
        if math.isfinite(number) and (low is None or number >= low) and (high is None or number <= high):
            continue
        unit = f" {details.unit}" if details.unit else ""
        if low is None or high is None:
            raise ValueError(f"{name}={value}: use a finite number{unit}")
        raise ValueError(f"{name}={value}: use a number from {low:g} to {high:g}{unit}")


def _default(each: Field[Any]) -> Any:
    return each.default_factory() if each.default_factory is not MISSING else each.default
