"""Clips of encoded episodes: which ones there are, which are held out, and which ones a step takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vjepa_mpc.data.steps import clip_starts
from vjepa_mpc.geometry.pose import pose_difference
from vjepa_mpc.training.post_training.config import PostTrainingError


class EncodedEpisode(NamedTuple):
    """An episode in the cache, sampled at the run's step.

    Attributes:
        name: as the dataset calls it.
        latents: a .npy file [K, N, D] of float16 or float32.
        stamps: seconds, [K].
        states: poses with closedness, float32 [K, 7].
    """

    name: str
    latents: Path
    stamps: np.ndarray
    states: np.ndarray


class Pick(NamedTuple):
    """A clip: an episode's number, and its first frame."""

    episode: int
    start: int


class Batch(NamedTuple):
    """What :meth:`PostTrainer.step` takes: [B, T·N, D], [B, T-1, 7], [B, T, 7]."""

    latents: Tensor
    actions: Tensor
    states: Tensor


def split(
    episodes: Sequence[EncodedEpisode], share: float, seed: int
) -> tuple[list[EncodedEpisode], list[EncodedEpisode]]:
    """Episodes to train on and held-out ones; the same whatever order the dataset has them in.

    Raises:
        PostTrainingError: there are fewer than two episodes.
    """
    if len(episodes) < 2:
        names = ", ".join(episode.name for episode in episodes) or "none"
        raise PostTrainingError(
            f"{len(episodes)} usable episode(s) ({names}): at least two are needed, one to learn from and one that is "
            "held out to see what was learned; record more, or cut a long recording in two"
        )
    ordered = sorted(episodes, key=lambda episode: episode.name)
    count = min(len(ordered) - 1, max(1, round(share * len(ordered))))
    chosen = set(np.random.default_rng([seed, 0]).permutation(len(ordered))[:count].tolist())
    training = [episode for index, episode in enumerate(ordered) if index not in chosen]
    return training, [ordered[index] for index in sorted(chosen)]


class Clips:
    """All clips of some episodes.

    Attributes:
        episodes: as given; each has at least one clip.
        count: of clips.
    """

    def __init__(self, episodes: Sequence[EncodedEpisode], frames: int, seconds: float) -> None:
        self.episodes = list(episodes)
        self.frames = frames
        self._starts = [clip_starts(episode.stamps, frames, seconds) for episode in self.episodes]
        self._ends = np.cumsum([len(starts) for starts in self._starts])
        self.count = int(self._ends[-1])

    def clip(self, number: int) -> Pick:
        """A clip by its number, from 0 to ``count`` - 1."""
        episode = int(np.searchsorted(self._ends, number, side="right"))
        before = int(self._ends[episode - 1]) if episode else 0
        return Pick(episode, int(self._starts[episode][number - before]))

    def spread(self, limit: int) -> list[Pick]:
        """Up to ``limit`` clips, evenly spread over all."""
        return [self.clip(number) for number in np.unique(np.linspace(0, self.count - 1, limit).round().astype(int))]

    def epoch_length(self, sampling: str) -> int:
        """Clips of an epoch."""
        return len(self.episodes) if sampling == "episode" else self.count

    def epoch(self, number: int, sampling: str, seed: int) -> list[Pick]:
        """The clips of an epoch in their order; see :attr:`Recipe.sampling`."""
        draws = np.random.default_rng([seed, 1, number])
        if sampling == "window":
            return [self.clip(index) for index in draws.permutation(self.count)]
        order, places = draws.permutation(len(self.episodes)), draws.random(len(self.episodes))
        return [
            Pick(int(episode), int(self._starts[episode][int(place * len(self._starts[episode]))]))
            for episode, place in zip(order, places, strict=True)
        ]

    def load(self, picks: Sequence[Pick], actions_of: Sequence[Pick] | None = None) -> Batch:
        """Read clips from the cache; ``actions_of`` takes the actions from other clips instead."""
        latents = np.stack([self._latents(pick) for pick in picks])
        states = self._states(picks)
        moves = states if actions_of is None else self._states(actions_of)
        actions = pose_difference(moves[:, :-1], moves[:, 1:])
        return Batch(torch.from_numpy(latents).flatten(1, 2), actions.float(), states.float())

    def _latents(self, pick: Pick) -> np.ndarray:
        mapped = np.load(self.episodes[pick.episode].latents, mmap_mode="r")
        return mapped[pick.start : pick.start + self.frames]

    def _states(self, picks: Sequence[Pick]) -> Tensor:
        states = [self.episodes[pick.episode].states[pick.start : pick.start + self.frames] for pick in picks]
        return torch.from_numpy(np.stack(states)).double()


class ClipOrder:
    """The clips of every step: epochs one after the other, cut into batches. No state: a resumed run needs none."""

    def __init__(self, clips: Clips, sampling: str, seed: int, batch_size: int) -> None:
        self._clips, self._sampling, self._seed, self._batch_size = clips, sampling, seed, batch_size
        self._length = clips.epoch_length(sampling)
        self._epoch: tuple[int, list[Pick]] = (-1, [])

    def step(self, number: int) -> list[Pick]:
        """The batch of a step, counted from 0."""
        first = number * self._batch_size
        return [self._at(position) for position in range(first, first + self._batch_size)]

    def _at(self, position: int) -> Pick:
        epoch, index = divmod(position, self._length)
        if self._epoch[0] != epoch:
            self._epoch = (epoch, self._clips.epoch(epoch, self._sampling, self._seed))
        return self._epoch[1][index]
