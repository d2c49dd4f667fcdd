"""The usual course of the work: runs of different pace laid over one another, and how much they vary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# What it costs, in nats, to go on by so many phases of the course with one picture; one is usual.
ADVANCE = np.array([2.2, 0.4, 1.8, 3.2, 4.6])
_ROUNDS = 3
_FAR = 1e9


@dataclass(frozen=True, kw_only=True, eq=False)
class Course:
    """The mean of the aligned runs, phase by phase; a phase lasts as long as a picture of the usual pace.

    Attributes:
        mean: [P, F] features of each phase.
        spread: [F] standard deviation around it.
        share: [F] weight of each feature in the distance; they sum up to the sharpness of the alignment.
    """

    mean: np.ndarray
    spread: np.ndarray
    share: np.ndarray

    def __len__(self) -> int:
        return len(self.mean)

    def costs(self, features: np.ndarray) -> np.ndarray:
        """How far pictures [T, F] are from each phase: [T, P] nats, bounded, so that one oddity does not decide."""
        deviation = (features[:, None] - self.mean) / self.spread
        return (np.minimum(deviation**2, 25.0) * self.share).sum(axis=-1)


def align(costs: np.ndarray) -> np.ndarray:
    """The phase [T] of each picture of a whole run, from costs [T, P]: the best way from start to end."""
    best, came = np.full(costs.shape, _FAR), np.zeros(costs.shape, int)
    best[0, : len(ADVANCE)] = costs[0, : len(ADVANCE)] + np.arange(min(len(ADVANCE), costs.shape[1]))
    for index in range(1, len(costs)):
        before, came[index] = step_on(best[index - 1])
        best[index] = before + costs[index]
    last = costs.shape[1] - len(ADVANCE)
    phase = last + int(np.argmin(best[-1, last:]))
    path = [phase]
    for index in range(len(costs) - 1, 0, -1):
        phase -= came[index, phase]
        path.append(phase)
    return np.array(path[::-1])


def step_on(best: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Costs [P] of the best ways that are a picture longer, without that picture, and by how much each went on."""
    options = np.full((len(ADVANCE), len(best)), _FAR)
    for advance, cost in enumerate(ADVANCE[: len(best)]):
        options[advance, advance:] = best[: len(best) - advance] + cost
    came = options.argmin(axis=0)
    return options[came, np.arange(len(best))], came


def fit_course(runs: Sequence[np.ndarray], share: np.ndarray) -> tuple[Course, list[np.ndarray]]:
    """Lay runs [T, F] over one another, beginning with the one of median length.

    Returns:
        the course, and the phase [T] of each picture of each run.
    """
    lengths = [len(run) for run in runs]
    first = runs[int(np.argsort(lengths)[len(lengths) // 2])]
    spread = np.concatenate(runs).std(axis=0) * 0.5 + 1e-6
    course = Course(mean=first, spread=spread, share=share)
    paths: list[np.ndarray] = []
    for _ in range(_ROUNDS):
        paths = [align(course.costs(run)) for run in runs]
        course = _averaged(course, runs, paths)
    return course, [align(course.costs(run)) for run in runs]


def _averaged(course: Course, runs: Sequence[np.ndarray], paths: Sequence[np.ndarray]) -> Course:
    features, phases = np.concatenate(runs), np.concatenate(paths)
    count = np.bincount(phases, minlength=len(course))[:, None]
    total = np.zeros_like(course.mean)
    np.add.at(total, phases, features)
    mean = np.where(count > 0, total / np.maximum(count, 1), course.mean)
    spread = np.sqrt(((features - mean[phases]) ** 2).mean(axis=0)) + 1e-6
    return Course(mean=mean, spread=spread, share=course.share)


def warped(values: np.ndarray, path: np.ndarray, phases: int) -> np.ndarray:
    """Values [T, ...] of a run at each phase [P, ...]: of the picture whose phase is nearest."""
    nearest = np.abs(path[None] - np.arange(phases)[:, None]).argmin(axis=1)
    return values[nearest]
