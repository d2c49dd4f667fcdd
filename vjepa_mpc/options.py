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

Dataclasses nest: a field that is a :func:`group` holds a dataclass with options of its own, under a common prefix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

Plain = bool | int | float | str | tuple[float, ...]
"""What a ROS parameter, a YAML file and a command line can carry; None only where an option has no default."""

_KEY, _GROUP, _TITLE = "option", "group", "title"


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
        name: of the parameter, without the prefix, where it is not the field's.
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
    name: str = ""
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
    title: str = "",
    default_factory: Callable[[], Any] | Any = MISSING,
    **details: Any,
) -> Any:
    """A dataclass field that is an option.

    Args:
        default: of the field; left out, the field has none, and neither has the parameter.
        text: see :class:`Option`.
        none_is: the plain value that means None, such as 0 for "no limit"; the text should say so.
        title: of the section that begins here on the parameter page and in YAML files; "" goes on with the one before.
        default_factory: instead of a default, as in :func:`dataclasses.field`.
        details: the further attributes of :class:`Option`.
    """
    if none_is is not MISSING:
        details["to_plain"] = lambda value: none_is if value is None else value
        details["from_plain"] = lambda value: None if value == none_is else value
    metadata = {_KEY: Option(text=text, **details), _TITLE: title}
    if default_factory is not MISSING:
        return field(default_factory=default_factory, metadata=metadata)
    return field(default=default, metadata=metadata)


def names_from_text(text: str) -> frozenset[str]:
    """Comma-separated names, the plain form of an option that holds several."""
    return frozenset(filter(None, (word.strip() for word in text.split(","))))


def names_to_text(names: frozenset[str]) -> str:
    """Names as comma-separated text, in alphabetical order."""
    return ", ".join(sorted(names))


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

    @property
    def range(self) -> str:
        """What is allowed, in a few words; "" for anything of the type."""
        details = self.option
        if details.allowed:
            return ", ".join(details.allowed) + (", package.module:Class" if details.open_choices else "")
        if isinstance(self.default, bool):
            return "true, false"
        return _range(details.low, details.high, " … ")

    def check(self, value: Any) -> None:
        """Refuse a plain value that is out of range, not finite, or not among the choices.

        Raises:
            ValueError: with name, value and what is allowed.
        """
        check_value(self.name, value, self.option)


@dataclass(frozen=True)
class Section:
    """Parameters that stand under one heading on the parameter page and in YAML files."""

    title: str
    parameters: tuple[Parameter, ...]


class Source(Protocol):
    """Something that has parameters and makes a value from them; a dataclass with options is one (:class:`Fields`)."""

    def parameters(self, values: Mapping[str, Any]) -> Iterable[Parameter]:
        """All of them by their full names. Plain ``values`` that are known already may decide which there are."""

    def build(self, values: Mapping[str, Any]) -> Any:
        """What plain values make of it.

        Raises:
            ValueError: a value cannot be used; the message names it.
        """


@dataclass(frozen=True)
class Fields:
    """The options of a dataclass as a source, under a common prefix."""

    kind: type
    prefix: str = ""

    def parameters(self, values: Mapping[str, Any]) -> Iterable[Parameter]:
        """One for each option."""
        return parameters(self.kind, self.prefix, values=values)

    def build(self, values: Mapping[str, Any]) -> Any:
        """The dataclass."""
        return build(self.kind, values, self.prefix)


def group(source: type | Source, prefix: str = "", title: str = "") -> Any:
    """A dataclass field that is made from several options.

    Args:
        source: a dataclass with options, which is also made with their defaults when the field is left out; or another
            source.
        prefix: of the dataclass's options, such as "limits.".
        title: of the section that begins here on the parameter page and in YAML files; "" goes on with the one before.
    """
    if isinstance(source, type):
        return field(default_factory=source, metadata={_GROUP: Fields(source, prefix), _TITLE: title})
    return field(metadata={_GROUP: source, _TITLE: title})


def parameters(
    kind: type, prefix: str = "", defaults: object | None = None, values: Mapping[str, Any] | None = None
) -> tuple[Parameter, ...]:
    """The options of a dataclass and of its groups as parameters, in the order of the fields.

    Args:
        kind: the dataclass.
        prefix: of the dataclass's own options, such as "limits.".
        defaults: an instance whose values are the defaults, such as a preset; otherwise the fields' own.
        values: plain values that are known already, for groups that depend on them.
    """
    return tuple(parameter for _, parameter in _walk(kind, prefix, defaults, values or {}))


def sections(kind: type, values: Mapping[str, Any] | None = None) -> tuple[Section, ...]:
    """The same under the headings that options and groups give."""
    found: list[tuple[str, list[Parameter]]] = []
    for title, parameter in _walk(kind, "", None, values or {}):
        if not found or title:
            found.append((title, []))
        found[-1][1].append(parameter)
    return tuple(Section(title, tuple(members)) for title, members in found)


def _walk(
    kind: type, prefix: str, defaults: object | None, values: Mapping[str, Any]
) -> Iterator[tuple[str, Parameter]]:
    """Each option, with the title of the section that it begins; "" when it begins none."""
    for each in fields(kind):
        title = each.metadata.get(_TITLE, "")
        if _GROUP in each.metadata:
            for parameter in each.metadata[_GROUP].parameters(values):
                yield title, parameter
                title = ""
        elif _KEY in each.metadata:
            details: Option = each.metadata[_KEY]
            value = _default(each) if defaults is None else getattr(defaults, each.name)
            plain = None if value is MISSING else details.to_plain(value)
            yield title, Parameter(prefix + (details.name or each.name), plain, details)


def build(kind: Callable[..., T], values: Mapping[str, Any], prefix: str = "", **more: Any) -> T:
    """The dataclass, its groups included, with the plain ``values`` of its parameters and ``more`` fields.

    Raises:
        ValueError: a value cannot be converted or used; the message names it.
    """
    settings = dict(more)
    for each in fields(kind):  # type: ignore[arg-type]  # a dataclass, which Callable does not say
        if each.name in more:
            continue
        if _GROUP in each.metadata:
            settings[each.name] = each.metadata[_GROUP].build(values)
        elif _KEY in each.metadata:
            details: Option = each.metadata[_KEY]
            name = prefix + (details.name or each.name)
            if name in values:
                settings[each.name] = _from_plain(name, values[name], details)
    return kind(**settings)


def _from_plain(name: str, value: Any, details: Option) -> Any:
    try:
        return details.from_plain(value)
    except ValueError as error:
        raise ValueError(f"{name}={value!r}: {error}") from None


def check_options(settings: object, prefix: str = "") -> None:
    """Refuse values of a dataclass's options that are out of range, not finite, or not among the choices.

    For ``__post_init__``: what is declared beside a field holds however the dataclass is made.

    Raises:
        ValueError: with name, value and what is allowed.
    """
    for each in fields(settings):  # type: ignore[arg-type]  # a dataclass, which object does not say
        details, value = each.metadata.get(_KEY), getattr(settings, each.name)
        if details is not None and value is not None:
            check_value(prefix + (details.name or each.name), value, details)


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
        raise ValueError(f"{name}={value}: use a finite number{_within(low, high)}{unit}")


def _within(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {_short(low)} to {_short(high)}"
    return f" {_range(low, high, '')}".rstrip()


def _range(low: float | None, high: float | None, between: str) -> str:
    """Two bounds in a few words; "" for none."""
    if low is not None and high is not None:
        return f"{_short(low)}{between}{_short(high)}"
    return f"from {_short(low)}" if low is not None else f"up to {_short(high)}" if high is not None else ""


def _short(number: float) -> str:
    return str(int(number)) if number == int(number) else f"{number:g}"


def _default(each: Field[Any]) -> Any:
    return each.default_factory() if each.default_factory is not MISSING else each.default
