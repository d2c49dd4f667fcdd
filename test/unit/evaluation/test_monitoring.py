"""The work that the monitor is measured on, what goes wrong in it, and how the figures come about."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vjepa_mpc.evaluation.monitoring.deviations import KINDS, NAMES, plan
from vjepa_mpc.evaluation.monitoring.outcome import Outcome, auroc
from vjepa_mpc.evaluation.monitoring.report import requirements, summary
from vjepa_mpc.evaluation.monitoring.work import STEPS, draw_layout
from vjepa_mpc.monitor.naming import CLASSES


def planned(kind: str, seed: int = 3):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    return plan(kind, draw_layout(rng), rng)


def steps_of(kind: str, seed: int) -> list[str]:
    return [step for step in dict.fromkeys(move.step for move in planned(kind, seed).moves) if step != "home"]


@pytest.mark.parametrize("kind", KINDS)
def test_each_deviation_has_a_class_and_a_moment(kind: str) -> None:
    run = planned(kind)
    assert NAMES[kind] in CLASSES
    assert 0.0 <= run.onset <= sum(move.seconds for move in run.moves)
    assert run.step_seconds > 1.0


def test_steps_are_exchanged_or_left_out() -> None:
    for seed in range(8):
        exchanged, short = steps_of("wrong order", seed), steps_of("step skipped", seed)
        assert sorted(exchanged) == sorted(STEPS) and exchanged != list(STEPS)
        assert len(short) == len(STEPS) - 1 and short == [step for step in STEPS if step in short]


def test_the_pace_changes_in_one_step_only() -> None:
    for kind, factor in (("twice as fast", 0.5), ("half as fast", 2.0)):
        usual, changed = planned("normal"), planned(kind)
        ratios = [one.seconds / other.seconds for one, other in zip(changed.moves, usual.moves, strict=True)]
        assert {round(ratio, 6) for ratio in ratios} == {1.0, factor}


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="the kinds are normal, dropped"):
        planned("droped")


def outcome(kind: str, began: float, name: str = "", onset: float = 5.0, score: float = 0.0) -> Outcome:
    return Outcome(
        kind=kind, seed=0, onset=onset, step_seconds=4.0, score=score, began=began, name=name, first_name=name
    )


def test_early_alarms_are_not_counted_as_noticed() -> None:
    early, late, none = outcome("stuck", 3.0, "STUCK"), outcome("stuck", 6.0, "STUCK"), outcome("stuck", math.nan)
    assert [each.noticed for each in (early, late, none)] == [False, True, False]
    assert [each.named_right for each in (early, late, none)] == [False, True, False]
    assert [each.delay for each in (early, late, none)] == [math.inf, 1.0, math.inf]


def test_the_figures_of_a_table() -> None:
    normal = [outcome("normal", math.nan, onset=math.nan, score=-1.0) for _ in range(9)]
    normal.append(outcome("normal", 4.0, "STUCK", onset=math.nan, score=0.5))
    wrong = [outcome(kind, 6.0, NAMES[kind], score=1.0) for kind in KINDS for _ in range(3)]
    wrong += [outcome(kind, math.nan, score=-0.5) for kind in KINDS]
    found = summary([*normal, *wrong])
    assert found["false_alarms"] == pytest.approx(0.1)
    assert found["named_right"] == pytest.approx(0.75)
    assert found["kinds"]["stuck"]["balanced_accuracy"] == pytest.approx((0.75 + 0.9) / 2)
    assert found["kinds"]["stuck"]["median_delay"] == 1.0
    assert found["auroc"] == pytest.approx(0.75 * 1.0 + 0.25 * 0.9)
    missed = {what for what, _, _, met in requirements(found, 12.0) if not met}
    assert "class named right" in missed and "balanced accuracy, stuck" in missed
    assert "a frame" not in missed and "false alarms on normal runs" not in missed


def test_auroc_counts_ties_half() -> None:
    assert auroc(np.array([0.0, 1.0]), np.array([1.0, 2.0])) == pytest.approx((1 + 0.5 + 1 + 1) / 4)
