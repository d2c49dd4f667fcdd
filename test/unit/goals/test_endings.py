"""Endings are found by their files, with their options."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from vjepa_mpc.goals import endings
from vjepa_mpc.goals.endings.budget import Budget
from vjepa_mpc.goals.endings.energy import Energy
from vjepa_mpc.goals.endings.plateau import Plateau
from vjepa_mpc.goals.progress import Progress
from vjepa_mpc.goals.sub_goal import SubGoal

DEFAULTS = {"goal.steps": 10, "goal.energy_threshold": 0.0, "goal.plateau_window": 0, "goal.plateau_slope": 0.02}

OWN = '''
from dataclasses import dataclass

from vjepa_mpc.goals.endings.interface import Ending, History
from vjepa_mpc.options import option


@dataclass(frozen=True, kw_only=True)
class FellByHalf(Ending):
    """The energy is half of the first one."""

    halves: bool = option(False, "A sub-goal ends when the energy is half of its first one.", live=True)

    @property
    def on(self) -> bool:
        return self.halves

    def over(self, history: History) -> str:
        return "the energy fell by half" if history.energies[-1] <= history.energies[0] / 2 else ""
'''


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more file in the folder of endings."""
    (tmp_path / "zz_fell_by_half.py").write_text(OWN)
    monkeypatch.setattr(endings, "__path__", [*endings.__path__, str(tmp_path)])
    yield
    sys.modules.pop("vjepa_mpc.goals.endings.zz_fell_by_half", None)


def test_the_parameters_keep_their_names_and_defaults() -> None:
    found = {entry.name: entry.default for entry in endings.parameters()}
    assert {name: found[name] for name in DEFAULTS} == DEFAULTS
    assert all(entry.option.live for entry in endings.parameters())


def test_only_what_is_switched_on_takes_part() -> None:
    assert endings.build(DEFAULTS) == (Budget(steps=10),)
    given = DEFAULTS | {"goal.steps": 3, "goal.energy_threshold": 0.5, "goal.plateau_window": 4}
    assert endings.build(given) == (
        Budget(steps=3),
        Energy(energy_threshold=0.5),
        Plateau(plateau_window=4, plateau_slope=0.02),
    )


@pytest.mark.parametrize(
    ("name", "value"), [("goal.steps", 0), ("goal.energy_threshold", -1.0), ("goal.plateau_window", 1)]
)
def test_values_out_of_range_are_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name.removeprefix('goal.')}={value}"):
        endings.build(DEFAULTS | {name: value})


def test_a_request_replaces_the_budget_alone() -> None:
    energy = Energy(energy_threshold=0.5)
    assert endings.replaced((Budget(steps=10), energy), Budget(steps=2)) == (energy, Budget(steps=2))


@pytest.mark.usefixtures("own")
def test_one_file_more_is_one_ending_more() -> None:
    assert "goal.halves" in [entry.name for entry in endings.parameters()]
    ends = endings.build(DEFAULTS | {"goal.halves": True})
    progress = (
        Progress((SubGoal(image=np.zeros((8, 8, 3), np.uint8), endings=ends),))
        .seen(1.0)
        .acted()
        .seen(0.6)
        .acted()
        .seen(0.5)
    )
    assert [(end.by, end.why, end.steps) for end in progress.ended] == [("FELL_BY_HALF", "the energy fell by half", 2)]
