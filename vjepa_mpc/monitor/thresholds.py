"""Thresholds that keep a stated rate of false alarms per run: split conformal prediction over runs' largest scores."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_SURE = 0.1  # of a score: how much it varies from run to run at least


@dataclass(frozen=True, kw_only=True, eq=False)
class Thresholds:
    """One threshold a check, all equally far above what is usual for it. Roots of scores are compared: scores are
    never negative, and some have long tails.

    Attributes:
        usual: [K] median of the root of the largest score in a normal run, of each check.
        spread: [K] how much that varies from run to run.
        distance: how many spreads above the usual an alarm is.
    """

    usual: np.ndarray
    spread: np.ndarray
    distance: float

    @property
    def values(self) -> np.ndarray:
        """[K] scores above which there is an alarm."""
        return (self.usual + self.distance * self.spread) ** 2

    def excess(self, scores: np.ndarray) -> np.ndarray:
        """[K] how far scores are over their thresholds, relative to how far these are above the usual; > 0 alarms."""
        return ((_root(scores) - self.usual) / self.spread - self.distance) / self.distance


def _root(scores: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(scores, 0.0))


def fewest_runs(rate: float) -> int:
    """The fewest runs that a rate of false alarms can be promised with.

    Raises:
        ValueError: the rate is not between 0 and 1.
    """
    if not 0.0 < rate < 1.0:
        raise ValueError(f"a false alarm in {rate:g} of the runs: give a number between 0 and 1, such as 0.05")
    return math.ceil(round(1.0 / rate, 9)) - 1


def conformal(largest: np.ndarray, rate: float, least: np.ndarray) -> Thresholds:
    """Thresholds that a new normal run passes with probability at most ``rate``, whichever check alarms.

    The largest score of each check, in units of its spread in the other runs, is taken over the checks; of these, one
    number a run, the smallest is taken that at least (n + 1)(1 - rate) of the n runs do not pass (V. Vovk et al.,
    Algorithmic Learning in a Random World, 2005). That holds if the runs are exchangeable with the new one.

    Args:
        largest: [n, K] largest scores in runs that the checks were not fitted to.
        rate: of false alarms per run.
        least: [K] scores that are no alarm, whatever the runs say.

    Raises:
        ValueError: there are too few runs for the rate.
    """
    needed = fewest_runs(rate)
    if len(largest) < needed:
        raise ValueError(
            f"{len(largest)} runs cannot promise false alarms in {rate:.3g} of the runs: record {needed}, or accept "
            f"{1 / (len(largest) + 1):.3g}"
        )
    roots, floor = _root(largest), _root(least)
    worst = np.sort([_farthest(roots[number], np.delete(roots, number, axis=0), floor) for number in range(len(roots))])
    rank = min(math.ceil((len(worst) + 1) * (1.0 - rate) - 1e-9), len(worst))
    distance = max(float(worst[rank - 1]), 1.0)
    usual, spread = _usual(roots, floor)
    return Thresholds(usual=usual, spread=np.maximum(spread, (floor - usual) / distance), distance=distance)


def _farthest(run: np.ndarray, others: np.ndarray, floor: np.ndarray) -> float:
    """How many spreads the worst check of a run [K] is above what is usual in the others [n, K]."""
    usual, spread = _usual(others, floor)
    return float(((run - usual) / spread).max())


def _usual(roots: np.ndarray, floor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median [K] and spread [K] of the runs' roots [n, K]."""
    usual = np.median(roots, axis=0)
    return usual, np.maximum(np.quantile(roots, 0.9, axis=0) - usual, _SURE * np.maximum(floor, usual) + 1e-9)
