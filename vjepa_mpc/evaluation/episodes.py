"""Running episodes in the simulator: which ones, with a policy or the oracle, and the progress."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from vjepa_mpc.evaluation.looks import EpisodeLooks
from vjepa_mpc.evaluation.policies import Policy
from vjepa_mpc.evaluation.report import EpisodeRecord
from vjepa_mpc.sim import FrankaSim
from vjepa_mpc.sim.tasks import Task, TaskGoal, run_oracle

#: First word of every evaluation episode's entropy; training uses another one (`generate.TRAINING_ENTROPY`).
EVALUATION_ENTROPY = 0xE7A1

Runner = Callable[[Task, int], EpisodeRecord]
GoalMaker = Callable[[FrankaSim, Task], Sequence[TaskGoal]]
"""Makes the goals of an episode, and leaves the simulator anywhere."""


def scripted_goals(sim: FrankaSim, task: Task) -> Sequence[TaskGoal]:
    """The pictures at the ends of the phases of the task's script."""
    return task.goals(sim)


def episode_generator(seed: int, episode: int) -> np.random.Generator:
    """The generator that start and goal of an episode are drawn from."""
    return np.random.default_rng([EVALUATION_ENTROPY, seed, episode])


def run_all(task_type: type[Task], episodes: int, seed: int, run: Runner, name: str) -> Iterator[EpisodeRecord]:
    """Run the episodes of a seed one after the other, and show the progress under a name."""
    progress = _Progress(name, episodes)
    try:
        for episode in range(episodes):
            record = run(task_type.sample(episode_generator(seed, episode)), episode)
            progress.show(record)
            yield record
    finally:
        progress.end()


def policy_runner(
    sim: FrankaSim, policy: Policy, looks: EpisodeLooks | None = None, make_goals: GoalMaker = scripted_goals
) -> Runner:
    """What runs an episode with a policy, in the base look if nothing else is said."""
    looks = looks or EpisodeLooks()

    def run(task: Task, episode: int) -> EpisodeRecord:
        shown = looks.show(sim, task, episode)
        task = shown.task
        shown.before_goals()
        goals = make_goals(sim, task)
        shown.before_start()
        task.start(sim)
        start_distance = task.start_distance(sim)
        policy.begin(goals, seed=episode)
        replans: list[float] = []
        steps = 0
        while (command := policy.act(sim)) is not None:
            # As the planner node does: whatever is planned, the arm stays in its workspace.
            position = sim.config.workspace.clip(command.target[:3])
            sim.execute(np.concatenate([position, command.target[3:]]), float(command.target[6]))
            steps += 1
            if command.seconds is not None:
                replans.append(command.seconds)
        endings = tuple(end.by for end in policy.ended)
        record = _record(sim, task, episode, start_distance, steps)
        return replace(record, replan_seconds=tuple(replans), endings=endings, held_by=tuple(policy.held_by))

    return run


def oracle_runner(sim: FrankaSim, looks: EpisodeLooks | None = None) -> Runner:
    """What runs an episode with the task's own script."""
    looks = looks or EpisodeLooks()

    def run(task: Task, episode: int) -> EpisodeRecord:
        shown = looks.show(sim, task, episode)
        task = shown.task
        shown.before_start()
        task.start(sim)
        start_distance = task.start_distance(sim)
        run_oracle(sim, task)
        return _record(sim, task, episode, start_distance, None)

    return run


def _record(
    sim: FrankaSim,
    task: Task,
    episode: int,
    start_distance: float,
    steps: int | None,
) -> EpisodeRecord:
    outcome = task.outcome(sim)
    return EpisodeRecord(
        episode=episode,
        success=outcome.success,
        start_distance=start_distance,
        final_distance=outcome.distance,
        final_closedness=outcome.closedness,
        steps=steps,
    )


class _Progress:
    """A live line on a terminal, a line every tenth episode elsewhere."""

    def __init__(self, name: str, total: int) -> None:
        self._name, self._total, self._stream = name, total, sys.stderr
        self._done = self._successes = 0
        self._started = time.monotonic()

    def show(self, record: EpisodeRecord) -> None:
        self._done += 1
        self._successes += record.success
        live = self._stream.isatty()
        left = (time.monotonic() - self._started) / self._done * (self._total - self._done)
        text = (
            f"{self._name}: {self._done}/{self._total} episodes, {self._successes} succeeded, "
            f"last {100 * record.final_distance:.2f} cm, {left:.0f} s left"
        )
        if live or self._done % 10 == 0:
            print(f"\r\033[K{text}" if live else text, end="" if live else "\n", file=self._stream, flush=True)

    def end(self) -> None:
        if self._stream.isatty():
            print("\r\033[K", end="", file=self._stream, flush=True)
