"""One declaration of an option: listed, read, checked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from vjepa_mpc.options import Parameter, build, check_options, group, option, parameters, sections


@dataclass(frozen=True, kw_only=True)
class Limits:
    speed: float = option(0.2, "Top speed.", unit="m/s", low=0.0, high=3.0)
    steps: int = option(3, "How many.", low=1)

    def __post_init__(self) -> None:
        check_options(self, "limits.")


@dataclass(frozen=True, kw_only=True)
class Thing:
    mode: str = option("soft", "How.", choices=("soft", "hard"), live=True, former=("way",), title="Thing")
    budget: float | None = option(None, "Seconds; 0: no limit.", none_is=0.0)
    names: frozenset[str] = option(
        frozenset(), "Which.", to_plain=lambda names: ", ".join(sorted(names)), from_plain=lambda text: _split(text)
    )
    limits: Limits = group(Limits, "limits.", title="Limits")
    corner: tuple[float, ...] = option(text="Where.", name="place")
    inner: object = field(default=None)  # no option


def _split(text: str) -> frozenset[str]:
    if ";" in text:
        raise ValueError("separate by commas")
    return frozenset(text.split(", "))


def by_name(found: Iterable[Parameter]) -> dict[str, Parameter]:
    return {parameter.name: parameter for parameter in found}


def test_parameters_are_listed_with_prefix_and_plain_defaults() -> None:
    found = by_name(parameters(Thing))
    assert {name: each.default for name, each in found.items()} == {
        "mode": "soft",
        "budget": 0.0,
        "names": "",
        "limits.speed": 0.2,
        "limits.steps": 3,
        "place": None,
    }
    assert found["limits.speed"].description == "Top speed. [m/s]"
    assert [found[name].range for name in ("mode", "limits.speed", "limits.steps", "place")] == [
        "soft, hard",
        "0 … 3",
        "from 1",
        "",
    ]


def test_an_instance_gives_the_defaults() -> None:
    found = by_name(parameters(Limits, "l.", Limits(speed=1.0)))
    assert found["l.speed"].default == 1.0


def test_sections_follow_the_titles() -> None:
    found = {section.title: [each.name for each in section.parameters] for section in sections(Thing)}
    assert found == {"Thing": ["mode", "budget", "names"], "Limits": ["limits.speed", "limits.steps", "place"]}


def test_plain_values_are_read_back() -> None:
    values = {each.name: each.default for each in parameters(Thing)} | {
        "names": "A, B",
        "limits.speed": 1.0,
        "place": (1.0, 2.0),
    }
    thing = build(Thing, values, inner="given")
    assert thing == Thing(
        names=frozenset({"A", "B"}), limits=Limits(speed=1.0), corner=(1.0, 2.0), inner="given", budget=None
    )
    assert build(Thing, values | {"budget": 2.0}).budget == 2.0


def test_what_cannot_be_converted_is_named() -> None:
    with pytest.raises(ValueError, match="names='A;B': separate by commas"):
        build(Thing, {"names": "A;B"})


def test_a_source_that_depends_on_values_lists_and_builds() -> None:
    class Chosen:
        def parameters(self, values: Mapping[str, Any]) -> Iterable[Parameter]:
            return parameters(Limits, f"{values.get('mode', 'soft')}.")

        def build(self, values: Mapping[str, Any]) -> Limits:
            return build(Limits, values, f"{values['mode']}.")

    @dataclass(frozen=True, kw_only=True)
    class Owner:
        mode: str = option("soft", "How.")
        limits: Limits = group(Chosen())

    assert [each.name for each in parameters(Owner, values={"mode": "hard"})] == ["mode", "hard.speed", "hard.steps"]
    assert build(Owner, {"mode": "hard", "hard.speed": 2.0}).limits.speed == 2.0


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"speed": 4.0}, r"limits.speed=4.0: use a finite number from 0 to 3 m/s"),
        ({"speed": math.nan}, r"limits.speed=nan"),
        ({"speed": math.inf}, r"limits.speed=inf"),
        ({"steps": 0}, r"limits.steps=0: use a finite number from 1$"),
    ],
)
def test_values_out_of_range_are_refused_however_they_are_given(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Limits(**values)
    with pytest.raises(ValueError, match=says):
        build(Limits, {f"limits.{name}": value for name, value in values.items()}, "limits.")


def test_choices_are_held_and_open_ones_take_a_class() -> None:
    mode = by_name(parameters(Thing))["mode"]
    with pytest.raises(ValueError, match=r"mode='x:Y': use one of soft, hard$"):
        mode.check("x:Y")

    @dataclass(frozen=True, kw_only=True)
    class Open:
        mode: str = option("soft", "How.", choices=lambda: ("soft",), open_choices=True)

    own = parameters(Open)[0]
    own.check("package.module:Class")
    assert own.range == "soft, package.module:Class"
    with pytest.raises(ValueError, match=r"use one of soft, or package.module:Class"):
        own.check("hard")
