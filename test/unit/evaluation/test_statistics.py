"""Intervals against values computed by hand or known from tables."""

from __future__ import annotations

import pytest

from vjepa_mpc.evaluation.statistics import median_interval, share_within, wilson_interval


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(20, 20, 0.8389, 1.0), (0, 10, 0.0, 0.2775), (17, 20, 0.6396, 0.9476), (47, 50, 0.8378, 0.9794)],
)
def test_wilson_interval(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(("successes", "trials"), [(1, 0), (3, 2), (-1, 4)])
def test_wilson_interval_refuses_impossible_counts(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="successes"):
        wilson_interval(successes, trials)


def test_median_interval_encloses_the_median_and_is_reproducible() -> None:
    values = [0.1, 0.2, 0.3, 0.4, 5.0]
    low, high = median_interval(values)
    assert low <= 0.3 <= high
    assert (low, high) == median_interval(values)
    assert median_interval([0.7]) == (0.7, 0.7)
    with pytest.raises(ValueError, match="finite"):
        median_interval([float("nan")])


def test_share_within_includes_the_limit() -> None:
    assert share_within([0.01, 0.025, 0.03], 0.025) == pytest.approx(2 / 3)
