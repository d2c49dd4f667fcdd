"""`make demo`: a simulated Franka does what goal pictures show, planned by visual MPC.

Simulator and planner run as processes of their own and talk over DDS; the goal pictures, taken from a scripted
reference run with the same start, go in through the planner's service.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vjepa_mpc.msg import PlanStatus
from vjepa_mpc.ros.parameters.table import EXECUTION_MODES
from vjepa_mpc.sim import FrankaSim, SimConfig
from vjepa_mpc.sim.tasks import TASKS, Task, TaskGoal
from vjepa_mpc.tools.demo.link import DemoLink, LinkError, View, describe
from vjepa_mpc.tools.demo.report import Episode, save_json, save_plot, success_rate, table
from vjepa_mpc.tools.demo.video import FPS, DemoVideo, Moment
from vjepa_mpc.tools.processes import DomainLease, NodeProcess, local_environment

ARMS = ("sim", "libfranka")
LIBFRANKA_ADDRESS = "127.0.0.1"
DEFAULT_EPISODES = {"pick_place": 3}  # of eight sub-goals each
OTHER_EPISODES = 6
REQUIRED_RATE = 0.8
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


class Demo:
    """Runs episodes over a link and records them."""

    def __init__(self, link: DemoLink, video: DemoVideo, name: str, seed: int, episodes: int) -> None:
        self._link, self._video = link, video
        self._task_type = TASKS.part(name)
        self._name, self._seed, self._episodes = name, seed, episodes
        self._config = SimConfig()
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
            if status is not None and status.reason == "GOAL_FINISHED":
                break
            if status is not None and status.state == PlanStatus.FAULT:
                episode.message = status.reason
                self._line.end(describe(status))
                break
            if time.monotonic() - last_step > STEP_TIMEOUT:
                episode.message = "no progress"
                self._line.end(f"no step for {STEP_TIMEOUT:.0f} s: {describe(status)}")
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
                live=scene.view.image,
                goal=goal.image,
                title=title + (f": {verdict}" if verdict else ""),
                note=f"{VIDEO_SPEED} x real time",
                caption="goal" if len(goals) == 1 else f"goal {current + 1} of {len(goals)}: {goal.name}",
                energy=episode.energies[-1] if episode.energies else float("nan"),
                distance=task.start_distance(scene),
            )
        )


def _note_step(episode: Episode, status: PlanStatus, elapsed: float) -> None:
    episode.step_times.append(elapsed)
    episode.energies.append(status.energy)
    episode.sub_goals.append(status.sub_goal)
    episode.plan_seconds.append(status.plan_time)


class LiveLine:
    """One line that is written over on a terminal; elsewhere a line every few seconds."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._next = 0.0

    def show(self, text: str) -> None:
        """Replace the line."""
        now = time.monotonic()
        if self._terminal:
            print("\r\033[K" + text[: shutil.get_terminal_size().columns - 1], end="", flush=True)
        elif now >= self._next:
            self._next = now + 5.0
            print(text, flush=True)

    def end(self, text: str) -> None:
        """Write a line that stays."""
        print(("\r\033[K" if self._terminal else "") + text, flush=True)


def bar(share: float, width: int = 20) -> str:
    """A progress bar."""
    full = round(min(max(share, 0.0), 1.0) * width)
    return "[" + "#" * full + "-" * (width - full) + "]"


def summary(episode: Episode) -> str:
    """One line on an episode."""
    how = "reached" if episode.reached else f"NOT reached {episode.message}".rstrip()
    return (
        f"{how}, {100 * episode.start_distance:.1f} cm -> {100 * episode.final_distance:.2f} cm "
        f"in {episode.steps} steps, {episode.seconds:.0f} s"
    )


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(
        prog="demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.add_argument("--task", choices=TASKS.names, default="pick_place")
    result.add_argument("--episodes", type=int, help=f"how many (default: {OTHER_EPISODES}, with pick_place 3)")
    result.add_argument("--seed", type=int, default=0, help="which starts and goals")
    result.add_argument("--arm", choices=ARMS, default="sim", help="what moves the simulated arm")
    result.add_argument(
        "--execution", choices=EXECUTION_MODES, default=EXECUTION_MODES[0], help="plan at rest or in motion"
    )
    result.add_argument("--checkpoint", default="", help="world model (default: the bundled one)")
    result.add_argument(
        "--require", type=float, default=REQUIRED_RATE, help="share that must succeed for exit status 0"
    )
    result.add_argument("--out", type=Path, default=Path("results/demo"), help="folder of video, plot and results.json")
    result.add_argument("--domain", type=int, default=None, help="ROS domain id (default: a free one)")
    return result


def share_folder() -> Path:
    """Where config/ lies: the source tree, or the installed package's share folder."""
    source = Path(__file__).resolve().parents[3]
    if (source / "config" / "planner.yaml").is_file():
        return source
    from ament_index_python.packages import get_package_share_directory

    return Path(get_package_share_directory("vjepa_mpc"))


def start_nodes(stack: ExitStack, out: Path, domain: int, arguments: argparse.Namespace) -> list[NodeProcess]:
    """Simulator, planner and what drives the arm as processes; they end with the stack."""
    config = share_folder() / "config"
    over_libfranka = arguments.arm == "libfranka"
    sim = NodeProcess(
        "sim_node",
        out / "sim_node.log",
        domain,
        params_files=[config / "sim.yaml"],
        parameters={"libfranka_address": LIBFRANKA_ADDRESS} if over_libfranka else None,
    )
    nodes = [stack.enter_context(sim)]
    if over_libfranka:
        address = {"robot_ip": LIBFRANKA_ADDRESS}
        driver = NodeProcess("franka_driver", out / "franka_driver.log", domain, parameters=address)
        nodes.append(stack.enter_context(driver))
    checkpoint = {"checkpoint": arguments.checkpoint} if arguments.checkpoint else {}
    planner = NodeProcess(
        "planner_node",
        out / "planner_node.log",
        domain,
        params_files=[config / "planner.yaml", config / "robots" / "sim.yaml"],
        parameters={"execution": arguments.execution, **checkpoint},
    )
    nodes.append(stack.enter_context(planner))
    return nodes


def main(args: Sequence[str] | None = None) -> int:
    """Entry point; exit status 0 when enough episodes succeeded, 2 when not, 1 after an error."""
    arguments = parser().parse_args(args)
    count = arguments.episodes or DEFAULT_EPISODES.get(arguments.task, OTHER_EPISODES)
    domain = arguments.domain if arguments.domain is not None else DomainLease().domain_id
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    print(f"{arguments.task}: {count} episodes, seed {arguments.seed}; the nodes are on ROS domain {domain}")
    os.environ.update(local_environment(domain))
    with ExitStack() as stack:
        nodes = start_nodes(stack, out, domain, arguments)
        link = stack.enter_context(DemoLink(domain))
        video = DemoVideo(out / f"{arguments.task}.mp4")
        stack.callback(video.close)
        try:
            episodes = Demo(link, video, arguments.task, arguments.seed, count).run()
        except LinkError as error:
            return _give_up(str(error), nodes)
        except KeyboardInterrupt:
            print("\ninterrupted", file=sys.stderr)
            return 130
    save_json(out / "results.json", arguments.task, arguments.seed, arguments.require, episodes)
    save_plot(out / f"{arguments.task}.png", arguments.task, episodes)
    rate = success_rate(episodes)
    print(f"\n{table(episodes)}\n")
    print(f"{rate:.0%} reached (required: {arguments.require:.0%}). Video, plot, results.json and logs: {out}/")
    return 0 if rate >= arguments.require else 2


def _give_up(problem: str, nodes: Sequence[NodeProcess]) -> int:
    print(f"\ndemo: {problem}", file=sys.stderr)
    for node in nodes:
        ended = "" if node.returncode is None else f" (ended with status {node.returncode})"
        tail = "\n  ".join(node.output().strip().splitlines()[-5:])
        print(f"{node.name}{ended}, {node.log}:\n  {tail}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
