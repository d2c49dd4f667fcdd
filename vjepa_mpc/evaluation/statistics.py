"""Intervals for success rates and medians."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

#: Two-sided 95 % quantile of the normal distribution.
Z_95 = 1.959963984540054


def wilson_interval(successes: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval of a success rate (E. B. Wilson, JASA 22, 1927); sensible also at 0 and 100 %.

    Raises:
        ValueError: no trials, or successes outside 0..trials.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials: need 0 <= successes <= trials and trials >= 1")
    rate, weight = successes / trials, z * z / trials
    centre = (rate + weight / 2.0) / (1.0 + weight)
    half = z * math.sqrt(rate * (1.0 - rate) / trials + weight / (4.0 * trials)) / (1.0 + weight)
    return max(0.0, centre - half), min(1.0, centre + half)


def median_interval(values: Sequence[float], resamples: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Percentile-bootstrap 95 % interval of the median.

    Raises:
        ValueError: no values, or values that are not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"need at least one value, all finite, not {array.tolist()}")
    draws = np.random.default_rng(seed).choice(array, size=(resamples, array.size))
    low, high = np.percentile(np.median(draws, axis=1), [2.5, 97.5])
    return float(low), float(high)


def share_within(values: Sequence[float], limit: float) -> float:
    """Share of the values that are at most `limit`."""
    return float(np.mean(np.asarray(values, dtype=np.float64) <= limit))


def bootstrap_interval(
    values: np.ndarray, statistic: Callable[[np.ndarray], float], resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Percentile-bootstrap 95 % interval of a statistic of rows.

    Args:
        values: [n, ...]; rows are drawn with replacement.
        statistic: of rows [n, ...].
        resamples: how often.
        seed: of the draws.

    Raises:
        ValueError: no rows, or values that are not finite.
    """
    rows = np.asarray(values, dtype=np.float64)
    if len(rows) == 0 or not np.isfinite(rows).all():
        raise ValueError(f"need at least one row, all finite, not {rows.tolist()}")
    draws = np.random.default_rng(seed).integers(len(rows), size=(resamples, len(rows)))
    low, high = np.percentile([statistic(rows[draw]) for draw in draws], [2.5, 97.5])
    return float(low), float(high)
