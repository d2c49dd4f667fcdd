"""Which frames make clips, how episodes are split, and which clips a step takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vjepa_mpc.training.post_training.latents.clips import (
    ClipOrder,
    Clips,
    EncodedEpisode,
    split,
)


def episode(number: int, frames: int) -> EncodedEpisode:
    stamps = np.arange(frames) * 0.25
    return EncodedEpisode(f"episode {number}", Path("unused"), stamps, np.zeros((frames, 7), np.float32))


def test_the_split_does_not_depend_on_the_order_of_episodes() -> None:
    episodes = [episode(number, 9) for number in range(20)]
    training, held_out = split(episodes, 0.2, seed=3)
    assert len(training) == 16 and len(held_out) == 4 and not {e.name for e in training} & {e.name for e in held_out}
    assert [e.name for e in split(episodes[::-1], 0.2, seed=3)[1]] == [e.name for e in held_out]
    assert [e.name for e in split(episodes, 0.2, seed=4)[1]] != [e.name for e in held_out]


@pytest.mark.parametrize(("sampling", "length"), [("window", 2 + 6 + 4), ("episode", 3)])
def test_an_epoch_has_each_clip_or_episode_once(sampling: str, length: int) -> None:
    clips = Clips([episode(0, 5), episode(1, 9), episode(2, 7)], frames=4, seconds=0.25)
    assert clips.count == 12 and len(set(clips.spread(100))) == 12
    order = ClipOrder(clips, sampling, seed=0, batch_size=length)
    first, second = order.step(0), order.step(1)
    assert len({pick if sampling == "window" else pick.episode for pick in first}) == length
    assert first != second
    assert ClipOrder(clips, sampling, seed=0, batch_size=length).step(1) == second
    halves = ClipOrder(clips, "window", seed=0, batch_size=6)
    assert halves.step(0) + halves.step(1) == ClipOrder(clips, "window", seed=0, batch_size=12).step(0)
