"""Recorded runs as the monitor sees them."""

from __future__ import annotations

import numpy as np

from vjepa_mpc.data import DataError, Episode
from vjepa_mpc.monitor.sight import Eye, Sights

_AT_ONCE = 64  # pictures that are in memory
_FEWEST = 10
_GAP = 3.0  # periods


def sights_of(episode: Episode, eye: Eye, rate: float) -> Sights:
    """Look at one recorded run, so many pictures a second.

    Raises:
        DataError: it has fewer pictures a second, a gap, or too few pictures.
    """
    stamps = episode.grid(1.0 / rate)
    if len(stamps) < _FEWEST:
        raise DataError(f"{episode.name}: {len(stamps)} pictures at {rate:g} a second: a run has at least {_FEWEST}")
    between = np.diff(episode.stamps)
    if np.median(between) > 1.5 / rate:
        raise DataError(
            f"{episode.name} has {1 / np.median(between):.3g} pictures a second, fewer than the {rate:g} that are "
            f"looked at: give a --rate of at most {1 / np.median(between):.3g}"
        )
    if between.max() > _GAP / rate:
        raise DataError(
            f"{episode.name}: no picture for {between.max():.2f} s after {between.argmax() + 1} pictures: leave the "
            "run out, or record it again"
        )
    eye.forget()
    states = episode.states(stamps)
    parts = [slice(start, start + _AT_ONCE) for start in range(0, len(stamps), _AT_ONCE)]
    return joined([eye.look(episode.images(stamps[part]), stamps[part] - stamps[0], states[part]) for part in parts])


def joined(parts: list[Sights]) -> Sights:
    """Parts of one run as one."""
    told = [part.states for part in parts if part.states is not None]
    return Sights(
        stamps=np.concatenate([part.stamps for part in parts]),
        latents=np.concatenate([part.latents for part in parts]),
        small=np.concatenate([part.small for part in parts]),
        sharpness=np.concatenate([part.sharpness for part in parts]),
        change=np.concatenate([part.change for part in parts]),
        states=np.concatenate(told) if len(told) == len(parts) else None,
    )
