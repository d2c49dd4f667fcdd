"""The demo's episodes: start, goal pictures from a scripted reference run, and what the planner makes of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vjepa_mpc.msg import PlanStatus
from vjepa_mpc.sim import FrankaSim, SimConfig
from vjepa_mpc.sim.tasks import TASKS, Task, TaskGoal
from vjepa_mpc.tools.demo.link import DemoLink, View, describe
from vjepa_mpc.tools.demo.report import Episode
from vjepa_mpc.tools.demo.terminal import LiveLine, bar
from vjepa_mpc.tools.demo.thoughts import WatchedThoughts
from vjepa_mpc.tools.demo.video import FPS, VIEW, DemoVideo, Moment

DEMO_ENTROPY = 0xDE30  # keeps the demo's starts apart from those of training and evaluation
STEP_TIMEOUT = 60.0  # seconds without a step; even a busy machine takes a few only
VIDEO_SPEED = 3  # simulated seconds a second of film


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """What a task's judgement looks at, seen through ROS topics instead of in the simulator."""

    view: View
    config: SimConfig

    @property
    def pose(self) -> np.ndarray:
        """Of the arm [7]."""
        return self.view.pose

    @property
    def block_pose(self) -> np.ndarray:
        """Of the block [7]."""
        return self.view.block_pose

    @property
    def closedness(self) -> float:
        """Of the gripper."""
        return self.view.closedness

    @property
    def block_size(self) -> float:
        """Edge of the block in metres."""
        return self.config.block_size


class Demo:
    """Runs episodes over a link and records them."""

    def __init__(self, link: DemoLink, video: DemoVideo, name: str, seed: int, episodes: int) -> None:
        self._link, self._video = link, video
        self._task_type = TASKS.part(name)
        self._name, self._seed, self._episodes = name, seed, episodes
        self._config = SimConfig()
        self._thoughts = WatchedThoughts(link, self._config.camera)
        self._line = LiveLine()

    def run(self) -> list[Episode]:
        """All episodes; the reference simulator is only needed for the pictures."""
        results = []
        with FrankaSim(self._config) as reference:
            for index in range(self._episodes):
                task = self._task_type.sample(np.random.default_rng([DEMO_ENTROPY, self._seed, index]))
                results.append(self._episode(index, task, task.goals(reference)))
                self._line.end(f"episode {index + 1}/{self._episodes}: {summary(results[-1])}")
        return results

    def _episode(self, index: int, task: Task, goals: Sequence[TaskGoal]) -> Episode:
        self._link.reset(task.start_pose, task.block_position, task.block_yaw)
        self._video.start_episode()
        self._thoughts.forget()
        scene = self._look()
        episode = Episode(index=index, start_distance=task.start_distance(scene))
        goal_id = self._link.set_goal([goal.image for goal in goals], [goal.steps for goal in goals])
        self._follow(episode, goal_id, task, goals)
        scene = self._look()
        outcome = task.outcome(scene)
        episode.final_distance, episode.reached = outcome.distance, outcome.success and not episode.message
        self._film(episode, task, goals, len(goals) - 1, scene, "reached" if episode.reached else "not reached")
        self._video.hold(1.5)
        return episode

    def _look(self) -> Scene:
        return Scene(view=self._link.wait_for_view(), config=self._config)

    def _follow(self, episode: Episode, goal_id: int, task: Task, goals: Sequence[TaskGoal]) -> None:
        """Watch until the planner is done with the goal, filming every few camera images."""
        started = last_step = time.monotonic()
        next_frame, seen = 0.0, 0
        while True:
            scene = self._look()
            elapsed = time.monotonic() - started
            for status in self._link.statuses_of(goal_id)[seen:]:
                seen += 1
                if status.state == PlanStatus.EXECUTING:
                    last_step = time.monotonic()
                    _note_step(episode, status, elapsed)
            status = scene.view.status
            episode.times.append(elapsed)
            episode.distances.append(task.start_distance(scene))
            if elapsed >= next_frame:
                next_frame += VIDEO_SPEED / FPS
                self._film(episode, task, goals, episode.sub_goals[-1] if episode.sub_goals else 0, scene)
            self._line.show(self._progress(episode, goals, status))
            problem = trouble(status, time.monotonic() - last_step)
            if problem:
                episode.message, line = problem
                self._line.end(line)
            if problem or (status is not None and status.reason == "GOAL_FINISHED"):
                break
        episode.seconds = time.monotonic() - started
        episode.steps = len(episode.step_times)

    def _progress(self, episode: Episode, goals: Sequence[TaskGoal], status: PlanStatus | None) -> str:
        total = sum(goal.steps for goal in goals)
        sub_goal = episode.sub_goals[-1] if episode.sub_goals else 0
        parts = [
            f"episode {episode.index + 1}/{self._episodes}",
            bar(len(episode.step_times) / total),
            f"goal {sub_goal + 1}/{len(goals)} {goals[sub_goal].name}",
            f"step {len(episode.step_times)}/{total}",
            f"energy {episode.energies[-1]:.3f}" if episode.energies else "energy -",
            f"distance {100 * episode.distances[-1]:5.1f} cm",
            f"plan {episode.plan_seconds[-1]:.2f} s" if episode.plan_seconds else "plan -",
        ]
        if status is not None and status.state in (PlanStatus.HOLDING, PlanStatus.WAITING_INPUT):
            parts.append(status.reason)
        return "  ".join(parts)

    def _film(
        self, episode: Episode, task: Task, goals: Sequence[TaskGoal], current: int, scene: Scene, verdict: str = ""
    ) -> None:
        goal = goals[current]
        title = f"{self._name.replace('_', ' and ')}, episode {episode.index + 1}, step {len(episode.step_times)}"
        self._video.add(
            Moment(
                live=self._thoughts.with_fan(scene.view.image, _action(scene.view.status), VIEW),
                expected=self._thoughts.expected,
                goal=goal.image,
                title=title + (f": {verdict}" if verdict else ""),
                note=f"{VIDEO_SPEED} x real time",
                caption="goal" if len(goals) == 1 else f"goal {current + 1} of {len(goals)}: {goal.name}",
                energy=episode.energies[-1] if episode.energies else float("nan"),
                distance=task.start_distance(scene),
            )
        )


def _action(status: PlanStatus | None) -> np.ndarray | None:
    """The action [7] that is being carried out, as far as a status tells."""
    return np.array(status.action) if status is not None and any(status.action) else None


def _note_step(episode: Episode, status: PlanStatus, elapsed: float) -> None:
    episode.step_times.append(elapsed)
    episode.energies.append(status.energy)
    episode.sub_goals.append(status.sub_goal)
    episode.plan_seconds.append(status.plan_time)


def trouble(status: PlanStatus | None, waited: float) -> tuple[str, str] | None:
    """Why an episode is given up, in a word and in a line; None while it goes well.

    Args:
        status: the planner's newest.
        waited: seconds since the last step.
    """
    if status is not None and status.state == PlanStatus.FAULT:
        return str(status.reason), describe(status)
    if waited > STEP_TIMEOUT:
        return "no progress", f"no step for {STEP_TIMEOUT:.0f} s: {describe(status)}"
    return None


def summary(episode: Episode) -> str:
    """One line on an episode."""
    how = "reached" if episode.reached else f"NOT reached {episode.message}".rstrip()
    return (
        f"{how}, {100 * episode.start_distance:.1f} cm -> {100 * episode.final_distance:.2f} cm "
        f"in {episode.steps} steps, {episode.seconds:.0f} s"
    )
