"""Episodes in looks: the same starts and goals, seen by another camera, in another light, on another table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from vjepa_mpc.sim import FrankaSim
from vjepa_mpc.sim.drawing import BLOCK_YAW
from vjepa_mpc.sim.look import BASE, GROUPS, Look, LookRanges, draw_light, draw_look, look_groups
from vjepa_mpc.sim.tasks import Task

LOOK_ENTROPY = 0x100C  # first word of every look's entropy, so that starts and goals are the same in all looks
CROSS_LIGHT = "cross-light"
LOOKS = ("base", *GROUPS, "all", CROSS_LIGHT)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An episode in its look.

    Attributes:
        task: with its block turned as far as the look says.
        before_goals: call it before the goal pictures are taken.
        before_start: call it before the episode begins.
    """

    task: Task
    before_goals: Callable[[], None]
    before_start: Callable[[], None]


class EpisodeLooks:
    """Draws how each episode looks, and shows it.

    Args:
        name: of :data:`LOOKS`. With ``cross-light`` the goal pictures are taken in another light than the episode's.
        seed: of the looks.
        ranges: what is drawn from.

    Raises:
        ValueError: there is no such look.
    """

    def __init__(self, name: str = "base", seed: int = 0, ranges: LookRanges | None = None) -> None:
        self.name, self._seed, self._ranges = name, seed, ranges or LookRanges()
        self._groups = () if name == CROSS_LIGHT else look_groups(name)

    def draw(self, episode: int) -> tuple[Look, Look]:
        """The look of an episode's goal pictures, and the look of the episode."""
        rng = np.random.default_rng([LOOK_ENTROPY, self._seed, episode])
        if self.name == CROSS_LIGHT:
            look = draw_look(rng, ["light"], self._ranges)
            return look, replace(look, light=draw_light(rng, self._ranges))
        look = draw_look(rng, self._groups, self._ranges) if self._groups else BASE
        return look, look

    def show(self, sim: FrankaSim, task: Task, episode: int) -> Shown:
        """The episode in its look; what has nothing to do with the task lies aside of its places."""
        for_goals, for_episode = self.draw(episode)
        clear = [place for place in (task.block_position, getattr(task, "target_position", None)) if place is not None]
        return Shown(
            task=replace(task, block_yaw=task.block_yaw * for_episode.yaw_limit / BLOCK_YAW),
            before_goals=lambda: sim.set_look(for_goals, clear),
            before_start=lambda: sim.set_look(for_episode, clear),
        )
