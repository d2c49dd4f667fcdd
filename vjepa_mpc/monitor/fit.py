"""Learning the usual course of the work from normal runs alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vjepa_mpc.monitor.appearance import Channel, fit_channel
from vjepa_mpc.monitor.camera import fit_background
from vjepa_mpc.monitor.checks import CHECKS, LEAST, SPANS, Checker, Learned
from vjepa_mpc.monitor.course import Course, fit_course, warped
from vjepa_mpc.monitor.features import colours, fit_projection, shares
from vjepa_mpc.monitor.follow import Follower
from vjepa_mpc.monitor.sight import Sights
from vjepa_mpc.monitor.steps import Step, found_steps, named_steps
from vjepa_mpc.monitor.thresholds import Thresholds, conformal, fewest_runs

FEWEST = 20
_FOLDS = 5
_NEAR = 2  # phases before and after that pace is told from
_PACE_FLOOR = 0.5  # phases: how sure one may be of how far a run has gone
_STRANGE = 6.0  # times as far from the course as runs usually are: another task
_LENGTH = 2.5  # times as long, or as short: another task


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """How to learn.

    Attributes:
        rate: accepted false alarms per run.
        states: whether states are used where the runs have them.
        steps: (name, end in seconds of a usual run) that the user says; empty to find them.
        seed: of what is drawn.
    """

    rate: float = 0.05
    states: bool = True
    steps: tuple[tuple[str, float], ...] = ()
    seed: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """A monitor: what is usual, the steps, and the thresholds.

    Attributes:
        learned, steps, thresholds: see there.
        rate: of false alarms per run, as promised.
        encoder: fingerprint of the encoder whose latents it knows.
        runs: it was fitted to.
    """

    learned: Learned
    steps: tuple[Step, ...]
    thresholds: Thresholds
    rate: float
    encoder: tuple[float, ...]
    runs: int


def fit(
    runs: Sequence[Sights],
    names: Sequence[str],
    encoder: tuple[float, ...],
    settings: FitSettings | None = None,
    show: Callable[[str], None] = lambda _: None,
) -> Fitted:
    """Learn from normal runs.

    Thresholds come from runs that were left out of the learning, a fifth at a time.

    Args:
        runs: at least twenty.
        names: of the runs, for messages.
        encoder: fingerprint of the one that the latents are of.
        settings: how to learn.
        show: is told what is going on.

    Raises:
        ValueError: there are too few runs, some are of another task or frame rate, or the steps cannot be.
    """
    settings = settings or FitSettings()
    if len(runs) < max(FEWEST, fewest_runs(settings.rate)):
        raise ValueError(
            f"{len(runs)} normal runs: at least {FEWEST} are needed, and {fewest_runs(settings.rate)} for false alarms "
            f"in {settings.rate:.3g} of the runs; record more"
        )
    period = _period(runs, names)
    states = settings.states and all(run.states is not None for run in runs)
    rng = np.random.default_rng(settings.seed)
    show("the usual course")
    learned = learn(runs, period, states=states, rng=rng, names=names)
    largest = np.zeros((len(runs), len(CHECKS)))
    folds = np.arange(len(runs)) % _FOLDS
    for fold in range(_FOLDS):
        show(f"thresholds {fold + 1}/{_FOLDS}")
        part = learn([run for run, own in zip(runs, folds, strict=True) if own != fold], period, states=states, rng=rng)
        for index in np.flatnonzero(folds == fold).tolist():
            largest[index] = largest_scores(part, runs[index])
    course = learned.course
    steps = (
        named_steps(settings.steps, len(course), period)
        if settings.steps
        else found_steps(course.mean[:, -1] if states else None, _speed(course))
    )
    return Fitted(
        learned=learned,
        steps=steps,
        thresholds=conformal(largest, settings.rate, np.array(list(LEAST.values()))),
        rate=settings.rate,
        encoder=encoder,
        runs=len(runs),
    )


def _speed(course: Course) -> np.ndarray:
    return np.linalg.norm(np.gradient(course.mean / course.spread, axis=0), axis=1)


def largest_scores(learned: Learned, run: Sights) -> np.ndarray:
    """The largest score of each check [K] in a whole run."""
    checker = Checker(learned)
    return np.max([checker.score(run.at(index)).values for index in range(len(run))], axis=0)


def learn(
    runs: Sequence[Sights], period: float, *, states: bool, rng: np.random.Generator, names: Sequence[str] = ()
) -> Learned:
    """Everything but the thresholds.

    Raises:
        ValueError: with names given, some runs are of another task.
    """
    projection = fit_projection(runs, rng)
    features = [projection.pictures(run, states=states) for run in runs]
    components = len(projection.picture)
    course, paths = fit_course(features, shares(components, states=states))
    if names:
        _refuse_mixed(course, features, paths, names)
    phases = len(course)
    followed = [_followed(course, each) for each in features]
    patches, tints = [projection.patches(run) for run in runs], [colours(run) for run in runs]
    places = [elsewhere for _, elsewhere, _ in followed]

    def channel(values: list[np.ndarray]) -> Channel:
        laid = [warped(each, path, phases) for each, path in zip(values, paths, strict=True)]
        return fit_channel(values, laid, places)

    laid_colours = np.stack([warped(each, path, phases) for each, path in zip(tints, paths, strict=True)])
    sharp = np.stack([warped(run.sharpness, path, phases) for run, path in zip(runs, paths, strict=True)])
    pictures = np.concatenate([run.small[:: max(1, len(run) // 8)] for run in runs])
    return Learned(
        projection=projection,
        course=course,
        latents=channel(patches),
        colours=channel(tints),
        background=fit_background(list(pictures[:: max(1, len(pictures) // 200)])),
        brightness=laid_colours.mean(axis=(0, 3)).astype(np.float32),
        sharpness=sharp.mean(axis=0).astype(np.float32),
        grip=_grip(runs, paths, phases) if states else np.ones(phases, np.float32),
        change=float(np.nanquantile(np.concatenate([run.change for run in runs]), 0.02)),
        pace=_pace(followed, phases),
        period=period,
        states=states,
    )


def _followed(course: Course, features: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How following finds a run: phase [T], the one that explains the last pictures best [T], the expected one [T]."""
    follower = Follower(course)
    places, expected = [], []
    for each in features:
        places.append(follower.update(each))
        expected.append(follower.phases[-1])
    phases = np.array([(place.phase, place.elsewhere) for place in places])
    return phases[:, 0], phases[:, 1], np.array(expected)


def _pace(followed: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], phases: int) -> np.ndarray:
    """[P, 2, 3] mean progress in each of the spans in each phase, and its standard deviation."""
    pace = np.zeros((phases, 2, len(SPANS)))
    for column, span in enumerate(SPANS):
        ends = np.concatenate([phase[span:] for phase, _, _ in followed])
        gone = np.concatenate([expected[span:] - expected[:-span] for _, _, expected in followed])
        for phase in range(phases):
            near = gone[np.abs(ends - phase) <= _NEAR]
            near = near if len(near) else np.array([float(span)])
            pace[phase, :, column] = near.mean(), max(float(near.std()), _PACE_FLOOR)
    return pace


def _grip(runs: Sequence[Sights], paths: Sequence[np.ndarray], phases: int) -> np.ndarray:
    """[P] the largest closedness in each phase and its neighbours."""
    told = [(path, run.states[:, 6]) for path, run in zip(paths, runs, strict=True) if run.states is not None]
    ways, closed = np.concatenate([path for path, _ in told]), np.concatenate([states for _, states in told])
    near = [closed[np.abs(ways - phase) <= _NEAR] for phase in range(phases)]
    return np.array([each.max(initial=0.0) for each in near], np.float32)


def _period(runs: Sequence[Sights], names: Sequence[str]) -> float:
    """Seconds between two pictures.

    Raises:
        ValueError: the runs' frame rates differ.
    """
    periods = np.array([np.median(np.diff(run.stamps)) for run in runs])
    usual = float(np.median(periods))
    other = [
        f"{name} has {1 / period:.3g}"
        for name, period in zip(names, periods, strict=True)
        if abs(period / usual - 1) > 0.2
    ]
    if other:
        raise ValueError(
            f"frame rates differ: most runs have {1 / usual:.3g} pictures a second, but {', '.join(other)}"
        )
    return usual


def _refuse_mixed(
    course: Course, features: Sequence[np.ndarray], paths: Sequence[np.ndarray], names: Sequence[str]
) -> None:
    """Refuse runs that are no variations of the same course."""
    far = np.array(
        [
            np.median(np.sqrt((((each - course.mean[path]) / course.spread) ** 2 * course.share).sum(axis=1)))
            for each, path in zip(features, paths, strict=True)
        ]
    )
    lengths = np.array([len(each) for each in features]) / np.median([len(each) for each in features])
    spread = max(float(np.median(np.abs(far - np.median(far)))), 0.05 * float(np.median(far)))
    strange = (far - np.median(far) > _STRANGE * spread * 1.5) & (far > 1.5 * np.median(far))
    strange |= (lengths > _LENGTH) | (lengths < 1 / _LENGTH)
    if strange.any():
        odd = ", ".join(name for name, is_strange in zip(names, strange, strict=True) if is_strange)
        raise ValueError(
            f"{int(strange.sum())} of {len(names)} runs do not go as the others do: {odd}. Fit each task by itself, "
            "and leave out runs in which something went wrong"
        )
