"""The planner's settings: compared, copied, written as plain values, and with the names of the release before."""

from __future__ import annotations

import dataclasses
import pickle
import sys
from dataclasses import replace
from types import ModuleType
from typing import Any, get_type_hints

import pytest
from torch import Tensor

from vjepa_mpc.options import option, parameters
from vjepa_mpc.planning import PRESETS, CEMConfig, Objective, Predicted, plain_settings, planner_config
from vjepa_mpc.planning.objectives.effort import Effort
from vjepa_mpc.planning.objectives.sum import WeightedSum
from vjepa_mpc.planning.optimisers.gradient import Gradient
from vjepa_mpc.planning.settings import planner_parameters
from vjepa_mpc.planning.updates.mppi import MPPI
from vjepa_mpc.registry import PartError

RICH = CEMConfig(
    rollout=3,
    axis={2: 0.1 + 0.2, 3: -1.0},
    close_gripper=2,
    time_budget=0.3,
    memory_limit_mb=12.5,
    objective="sum",
    update="mppi",
    optimiser="gradient",
    options={
        "sum": WeightedSum.Options(terms=(("l1", 1.0), ("effort", 1 / 3))),
        "mppi": MPPI.Options(temperature=0.7),
        "gradient": Gradient.Options(steps=3),
    },
)


@pytest.mark.parametrize("config", [CEMConfig(), RICH, *PRESETS.values()])
def test_settings_survive_pickling_copying_and_plain_form(config: CEMConfig) -> None:
    for other in (pickle.loads(pickle.dumps(config)), replace(config), planner_config(plain_settings(config))):
        assert other == config and hash(other) == hash(config)
    assert dataclasses.asdict(config)["axis"] == config.axis


def test_options_that_are_all_default_make_no_difference() -> None:
    assert CEMConfig(options={"mppi": MPPI.Options()}) == CEMConfig()
    assert CEMConfig(options={"mppi": MPPI.Options(temperature=1.0)}) != CEMConfig()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mpi": MPPI.Options()}, r"options\['mpi'\]: there is no such part; parts are antithetic, cem"),
        ({"mppi": 0.3}, "give an instance of the part's Options"),
        ({"mppi": MPPI.Options}, "give an instance of the part's Options"),
    ],
)
def test_options_of_no_part_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CEMConfig(options=options)


@pytest.mark.parametrize(
    ("former", "now"),
    [
        ({"deadline": 0.2}, {"time_budget": 0.2}),
        ({"execute": "best"}, {"selection": "best"}),
        ({"temperature": 0.5}, {"options": {"mppi": MPPI.Options(temperature=0.5)}}),
    ],
    ids=str,
)
def test_keywords_of_the_release_before_are_read_with_a_warning(former: dict[str, Any], now: dict[str, Any]) -> None:
    for make in (CEMConfig, lambda **settings: replace(CEMConfig(time_budget=9.0), **settings)):
        with pytest.warns(DeprecationWarning, match=f"{next(iter(former))}=…"):
            found = make(**former)
        assert found == make(**now)


def test_parameters_of_the_release_before_are_known_by_their_new_names() -> None:
    former = {name: entry.name for entry in planner_parameters(CEMConfig()) for name in entry.option.former}
    assert former == {"deadline": "time_budget", "execute": "selection", "temperature": "mppi.temperature"}


def test_parameters_have_the_presets_values_and_are_within_their_own_ranges() -> None:
    for preset in (*PRESETS.values(), RICH):
        found = planner_parameters(preset)
        for entry in found:
            assert entry.default is not None
            entry.check(entry.default)
            assert entry.option.text.endswith("."), entry.name
        assert planner_config({entry.name: entry.default for entry in found}) == preset


def test_only_the_objective_and_files_wait_for_a_configuration() -> None:
    static = {entry.name for entry in planner_parameters(CEMConfig()) if not entry.option.live}
    assert static == {"objective", "masked.mask", "sum.terms"}


class KeepLevel(Objective):
    """An objective from outside, with an option."""

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Options:
        weight: float = option(1.0, "Energy of a tilt.", low=0.0, high=10.0, live=True)

    def __init__(self, options: Options) -> None:
        self.options = options

    def __call__(self, predicted: Predicted, goal: Tensor) -> Tensor:
        return self.options.weight * predicted.actions.square().mean(dim=(1, 2))


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> str:
    module = ModuleType("my_objectives")
    module.KeepLevel = KeepLevel  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_objectives", module)
    return "my_objectives:KeepLevel"


def test_a_part_from_outside_brings_its_parameters(outside: str) -> None:
    names = {entry.name for entry in planner_parameters(CEMConfig(), {"objective": outside})}
    assert "keep_level.weight" in names
    found = planner_config({"objective": outside, "keep_level.weight": 2.5})
    assert found.options[outside] == KeepLevel.Options(weight=2.5)
    assert planner_config(plain_settings(found)) == found


def test_choices_that_name_no_part_are_found_before_the_first_plan(outside: str) -> None:
    planner_config({"objective": outside})
    with pytest.raises(PartError, match="has no Nothing"):
        planner_config({"objective": "my_objectives:Nothing"})
    with pytest.raises(PartError, match="there is no objective 'l11': did you mean l1"):
        planner_config({"objective": "sum", "sum.terms": "l11=1.0"})


def test_a_term_from_outside_brings_its_parameters(outside: str) -> None:
    terms = f"l1=1.0, {outside}=0.5"
    assert "keep_level.weight" in {entry.name for entry in planner_parameters(CEMConfig(), {"sum.terms": terms})}
    found = planner_config({"objective": "sum", "sum.terms": terms, "keep_level.weight": 2.5})
    assert found.options[outside] == KeepLevel.Options(weight=2.5)
    assert planner_config(plain_settings(found)) == found


def test_texts_of_terms_are_read_and_refused_by_name() -> None:
    found = planner_config({"objective": "sum", "sum.terms": "l1=1, l2=-0.5, effort = 2e-2"})
    assert found.options["sum"] == WeightedSum.Options(terms=(("l1", 1.0), ("l2", -0.5), ("effort", 0.02)))
    with pytest.raises(ValueError, match=r"sum\.terms='l1, effort=1': 'l1' is not like l1=1\.0"):
        planner_config({"sum.terms": "l1, effort=1"})
    assert {entry.name for entry in parameters(Effort.Options, "effort.")} == {"effort.weight", "effort.gripper_weight"}


def test_every_field_that_is_declared_a_whole_number_refuses_others() -> None:
    whole = {name for name, kind in get_type_hints(CEMConfig).items() if kind in (int, int | None)}
    assert whole >= {"rollout", "samples", "topk", "cem_steps", "micro_batch", "close_gripper"}
    for name in whole:
        for value in (2.5, 3.0, True):
            with pytest.raises(ValueError, match=f"{name}={value}: use a whole number"):
                CEMConfig(**{name: value})
