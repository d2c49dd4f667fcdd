"""From recordings to encoded episodes: what is missing in the cache is read and encoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from vjepa_mpc.data.steps import clip_starts, sample_stamps
from vjepa_mpc.geometry.pose import check_poses
from vjepa_mpc.training.post_training.config import PostTrainingError
from vjepa_mpc.training.post_training.latents.cache import LatentCache
from vjepa_mpc.training.post_training.latents.clips import EncodedEpisode
from vjepa_mpc.training.post_training.parallel import Parallel
from vjepa_mpc.training.post_training.progress import Reporter

# Frames that are decoded and encoded together.
_CHUNK = 16


class Recording(Protocol):
    """An episode of ``vjepa_mpc.data.open_dataset``."""

    @property
    def name(self) -> str:
        """Unique in its dataset."""

    @property
    def stamps(self) -> np.ndarray:
        """Times of the images in seconds, [T]."""

    def states(self, stamps: np.ndarray) -> np.ndarray:
        """Poses with closedness at any times, [K, 7]."""

    def images(self, stamps: np.ndarray) -> np.ndarray:
        """The images nearest to times, uint8 [K, H, W, 3]."""


class Interrupted(Exception):  # noqa: N818  # an end that was asked for, no error
    """The run was asked to end while it encoded."""


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How episodes become latents.

    Attributes:
        encode: images uint8 [K, H, W, 3] -> latents [K, N, D].
        seconds: between sampled frames.
        clip_frames: an episode without one whole clip of them is of no use.
        max_bad: unreadable episodes that are skipped; one more ends the run.
        stopped: whether the run was asked to end.
    """

    encode: Callable[[np.ndarray], Tensor]
    seconds: float
    clip_frames: int
    max_bad: int
    stopped: Callable[[], bool] = lambda: False


def encode_missing(
    recordings: Iterable[Recording], cache: LatentCache, how: Encoding, parallel: Parallel, report: Reporter
) -> list[EncodedEpisode]:
    """All usable episodes, encoded; each rank encodes its part of what is missing and then reads all.

    Raises:
        PostTrainingError: nothing is usable, too much is unreadable, or the disk is full.
        Interrupted: ``how.stopped``.
    """
    wanted = [(each, sample_stamps(np.asarray(each.stamps), how.seconds)) for each in recordings]
    usable = [(each, stamps) for each, stamps in wanted if len(clip_starts(stamps, how.clip_frames, how.seconds))]
    _require_usable(wanted, usable, how, report)
    missing = [(each, stamps) for each, stamps in usable if cache.find(each.name, stamps) is None]
    frames = sum(len(stamps) for _, stamps in missing)
    size = cache.bytes(frames)
    report.say(
        f"{len(usable)} episodes, {sum(len(stamps) for _, stamps in usable)} frames at {how.seconds:g} s a step; "
        f"{frames} frames to encode, {size / 1e9:.3f} GB in {cache.folder}"
    )
    cache.require_room(size)
    if parallel.first:
        cache.sign()
    parallel.wait()  # every rank has looked at the cache before one of them adds to it
    bad = _encode(missing[parallel.rank :: parallel.world], cache, how, report, -(-frames // parallel.world))
    if parallel.any(how.stopped()):
        raise Interrupted
    if len(bad) > how.max_bad:
        raise _unreadable(f"more than --max-bad {how.max_bad} episodes cannot be read", bad)
    parallel.wait()
    found = [episode for each, stamps in usable if (episode := cache.find(each.name, stamps)) is not None]
    if not found:
        raise _unreadable("no episode can be read", bad)
    return found


def _encode(
    missing: Sequence[tuple[Recording, np.ndarray]], cache: LatentCache, how: Encoding, report: Reporter, frames: int
) -> list[str]:
    """Encode episodes; those that cannot be read, with the reason."""
    bad: list[str] = []
    progress = report.counter("encoding", frames, "frames")
    for recording, stamps in missing:
        try:
            states = _states(recording, stamps)
            cache.write(recording.name, stamps, states, _latents(recording, stamps, how, progress))
        except Interrupted:
            break
        except _UnreadableError as error:
            bad.append(str(error))
            report.say(f"skipped: {error}")
            if len(bad) > how.max_bad:
                break  # the run will end; no need to look at the others
    return bad


class _UnreadableError(Exception):
    """An episode whose file cannot be used."""


def _states(recording: Recording, stamps: np.ndarray) -> np.ndarray:
    states = _read(recording, recording.states, stamps).astype(np.float32)
    if states.shape != (len(stamps), 7) or not np.isfinite(states).all():
        raise _UnreadableError(f"{recording.name}: its states are {list(states.shape)} or not finite")
    try:
        check_poses(states, f"states of {recording.name}")
    except ValueError as error:
        raise _UnreadableError(str(error)) from error
    return states


def _latents(
    recording: Recording, stamps: np.ndarray, how: Encoding, progress: Callable[[int], None]
) -> Iterator[np.ndarray]:
    for first in range(0, len(stamps), _CHUNK):
        if how.stopped():
            raise Interrupted
        images = _read(recording, recording.images, stamps[first : first + _CHUNK])
        yield how.encode(images).float().cpu().numpy()
        progress(len(images))


def _read(recording: Recording, source: Callable[[np.ndarray], np.ndarray], stamps: np.ndarray) -> np.ndarray:
    try:
        found = np.asarray(source(stamps))
    except Exception as error:  # every format's reader fails in its own ways
        raise _UnreadableError(f"{recording.name}: {error}") from error
    if len(found) != len(stamps):
        raise _UnreadableError(f"{recording.name}: {len(found)} of {len(stamps)} frames could be read")
    return found


def _require_usable(wanted: Sequence, usable: Sequence, how: Encoding, report: Reporter) -> None:
    if not wanted:
        raise PostTrainingError("the dataset has no episodes: look at it with `vjepa-mpc data inspect`")
    names = {each.name for each, _ in usable}
    short = [f"{each.name} ({len(stamps)} frames)" for each, stamps in wanted if each.name not in names]
    why = (
        f"no {how.clip_frames} successive frames {how.seconds:g} s apart: lower --seconds-a-step or clip_frames, or "
        "record longer episodes without holes"
    )
    if not usable:
        raise PostTrainingError(f"no episode can be used; {', '.join(short[:5])}: {why}")
    if short:
        report.say(f"skipped {len(short)} of {len(wanted)} episodes, {', '.join(short[:5])}: {why}")


def _unreadable(what: str, bad: Sequence[str]) -> PostTrainingError:
    return PostTrainingError(f"{what}:\n  " + "\n  ".join(bad))
