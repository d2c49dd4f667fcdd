"""What is counted for diagnostics."""

from __future__ import annotations

import pytest

from support.proposals import a_plan, a_step
from vjepa_mpc.loop.timing import PeriodMeter, TimeBudgetMeter

MISSES, CUT_SHORT, NO_ITERATION = (
    "planner deadline misses",
    "plans cut short by the deadline",
    "plans without an iteration",
)
UNLIMITED = None


@pytest.mark.parametrize(
    ("budget", "plan", "counted"),
    [
        (0.2, {}, ()),
        (UNLIMITED, {"timings": {"total": 9.0}}, ()),
        (0.2, {"timings": {"total": 0.209}}, ()),  # within the tolerated twentieth
        (0.2, {"timings": {"total": 0.211}}, (MISSES,)),
        (0.2, {"stopped_by": "deadline"}, (CUT_SHORT,)),
        (0.2, {"stopped_by": "deadline", "timings": {"total": 0.25}}, (MISSES, CUT_SHORT)),
        (0.2, {"stopped_by": "deadline", "energies": ()}, (CUT_SHORT, NO_ITERATION)),
    ],
)
def test_plans_are_counted_by_what_the_time_budget_did_to_them(budget, plan, counted) -> None:
    meter = TimeBudgetMeter()
    meter.note(a_step(plan=a_plan(**plan), time_budget=budget))
    assert meter.summary() == {name: str(int(name in counted)) for name in (MISSES, CUT_SHORT, NO_ITERATION)}


def test_a_step_without_a_plan_is_not_counted() -> None:
    meter = TimeBudgetMeter()
    meter.note(a_step(finished=True, time_budget=0.2))
    assert set(meter.summary().values()) == {"0"}


def test_intervals_are_told_in_milliseconds() -> None:
    meter = PeriodMeter(0.02)
    assert meter.summary() == {}
    for now in (0.0, 0.02, 0.04, 0.07):
        meter.tick(now)
    assert meter.summary()["period median [ms]"] == "20.0" and meter.summary()["period max [ms]"] == "30.0"


def test_lateness_is_counted_by_how_much_it_was() -> None:
    meter, now = PeriodMeter(0.02), 0.0
    meter.tick(now)
    for late in (0.0, 0.0005, 0.0015, 0.025, 0.18):
        now += 0.02 + late
        meter.tick(now)
    counted = meter.summary()["periods late by up to"]
    assert counted == "1 ms: 2, 2 ms: 1, 5 ms: 0, 10 ms: 0, 20 ms: 0, 50 ms: 1, more: 1"
