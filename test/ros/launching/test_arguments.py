"""Launch arguments as data: what they set, and what is said about names that are none."""

from __future__ import annotations

import pytest

from vjepa_mpc.ros.launching.arguments import (
    BOOLEANS,
    PLAN_ARGUMENTS,
    SIM_ARGUMENTS,
    Argument,
    is_true,
    misspelt_names,
    parameters_of,
    unknown_names,
)

NAMES = [argument.name for argument in PLAN_ARGUMENTS]
NOTHING = {argument.name: argument.default for argument in PLAN_ARGUMENTS}


@pytest.mark.parametrize("argument", (*PLAN_ARGUMENTS, *SIM_ARGUMENTS), ids=lambda argument: argument.name)
def test_an_argument_explains_itself_and_its_default_is_allowed(argument: Argument) -> None:
    assert argument.text.endswith((".", "…"))
    assert not argument.choices or argument.default in argument.choices


@pytest.mark.parametrize("text", BOOLEANS)
def test_a_boolean_becomes_a_boolean(text: str) -> None:
    values = NOTHING | {"autostart": text, "use_sim_time": text}
    expected = text.lower() in ("true", "1")
    assert parameters_of(PLAN_ARGUMENTS, values) == {"autostart": expected, "use_sim_time": expected}


def test_a_text_stays_a_text() -> None:
    assert parameters_of(PLAN_ARGUMENTS, NOTHING | {"device": "0"}) == {"device": "0"}


def test_what_is_not_given_sets_nothing() -> None:
    assert parameters_of(PLAN_ARGUMENTS, NOTHING) == {}


def test_neither_true_nor_false_is_refused() -> None:
    with pytest.raises(ValueError, match="'yes' is neither"):
        is_true("yes")


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    (said,) = unknown_names(["workspce", "sim", "launch-prefix"], NAMES)
    assert "workspce" in said and "did you mean workspace?" in said


def test_a_name_like_no_other_is_told_with_all() -> None:
    (said,) = unknown_names(["zzz"], NAMES)
    assert all(name in said for name in NAMES)


def test_other_arguments_of_an_including_file_are_none_of_our_business() -> None:
    given = ["rviz", "bag", "sim_params_file", "params_files"]
    (said,) = misspelt_names(given, NAMES)
    assert said.startswith("params_files")
