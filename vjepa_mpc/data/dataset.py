"""Opening recordings: finding out their format, and setting aside the episodes that cannot be read."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, overload

from vjepa_mpc.data.episode import Episode
from vjepa_mpc.data.errors import DataError, DataWarning, listed
from vjepa_mpc.data.mapping import DataMapping, read_mapping
from vjepa_mpc.data.reader import Source
from vjepa_mpc.data.readers import READERS
from vjepa_mpc.files import expanded

MAX_BAD = 10


@dataclass(frozen=True)
class Skipped:
    """An episode that could not be used, and why."""

    name: str
    reason: str


class Dataset(Sequence[Episode]):
    """Episodes in the order of recording.

    Attributes:
        path: where they are.
        format: name of their reader.
        skipped: what could not be read.
    """

    def __init__(self, path: Path, format: str, episodes: Sequence[Episode], skipped: Sequence[Skipped]) -> None:
        self.path, self.format = path, format
        self.skipped = tuple(skipped)
        self._episodes = tuple(episodes)

    def __len__(self) -> int:
        return len(self._episodes)

    @overload
    def __getitem__(self, index: int) -> Episode: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Episode]: ...
    def __getitem__(self, index: int | slice) -> Episode | Sequence[Episode]:
        return self._episodes[index]

    def __iter__(self) -> Iterator[Episode]:
        return iter(self._episodes)


def open_dataset(
    path: str | PathLike[str],
    mapping: DataMapping | Mapping[str, Any] | str | PathLike[str] | None = None,
    *,
    max_bad: int = MAX_BAD,
) -> Dataset:
    """The episodes of a file or folder of recordings.

    Stamps, poses and gripper of each are read now, pictures only when they are asked for. An episode that cannot be
    used is skipped with a :class:`DataWarning` and listed in ``skipped``.

    Args:
        path: file or folder of one of the formats in :mod:`vjepa_mpc.data.readers`.
        mapping: what is where and in which units, as a dict or a YAML file; see ``docs/datasets.md``.
        max_bad: so many episodes may be unusable.

    Raises:
        DataError: nothing usable is there, more than ``max_bad`` episodes are unusable, or the mapping is wrong.
    """
    place = expanded(path)
    robot = read_mapping(mapping)
    name = robot.format or recognise(place)
    if not place.exists():
        raise DataError(f"{place} does not exist: give the path of a recording or of a folder of them")
    sources = READERS.part(name)(place, robot).sources()
    if not sources:
        raise DataError(f"{place} ({name}) has no episodes: record some, or check the path")
    episodes, skipped = _open_all(sources, max_bad)
    if not episodes:
        raise DataError(f"none of the {len(skipped)} episode(s) in {place} can be used:\n{_table(skipped)}")
    return Dataset(place, name, episodes, skipped)


def recognise(path: Path) -> str:
    """The name of the reader for a file or folder.

    Raises:
        DataError: there is nothing, or no reader knows it; the message says what is there.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist: give the path of a recording or of a folder of them")
    for name in READERS.names:
        if READERS.part(name).recognises(path):
            return name
    hint = _known_elsewhere(path)
    if path.is_dir() and not any(path.iterdir()):
        raise DataError(f"{path} is empty: there is nothing to read")
    there = listed(sorted(entry.name for entry in path.iterdir())) if path.is_dir() else "a file of another kind"
    titles = ", ".join(READERS.part(name).title for name in READERS.names)
    raise DataError(f"{path} is of no known format (there is: {there}). {hint}Known are: {titles}")


def _open_all(sources: Sequence[Source], max_bad: int) -> tuple[list[Episode], list[Skipped]]:
    episodes, skipped = [], []
    for source in sources:
        try:
            episode = Episode(source.open())
        except (DataError, OSError) as error:
            skipped.append(Skipped(source.name, str(error)))
            if len(skipped) > max_bad:
                raise DataError(f"more than {max_bad} episodes cannot be used:\n{_table(skipped)}") from error
            warnings.warn(f"{source.name} is skipped: {error}", DataWarning, stacklevel=3)
            continue
        for note in episode.notes:
            warnings.warn(f"{episode.name}: {note}", DataWarning, stacklevel=3)
        episodes.append(episode)
    return episodes, skipped


def _table(skipped: Sequence[Skipped]) -> str:
    return "\n".join(f"  {each.name}: {each.reason}" for each in skipped)


def _known_elsewhere(path: Path) -> str:
    """What to do with formats that others convert."""
    names = {path.name, *(entry.name for entry in path.iterdir())} if path.is_dir() else {path.name}
    if any(".tfrecord" in name for name in names) or {"dataset_info.json", "features.json"} & names:
        return "This is RLDS: convert it with LeRobot's openx or droid_rlds porting script. "
    if any(name.endswith(".bag") for name in names):
        return "This is a ROS 1 bag: convert it with `rosbags-convert --src IN.bag --dst OUT`. "
    if any(name.endswith((".zarr", ".zgroup")) for name in names):
        return "This is Zarr: convert it to LeRobot first. "
    return ""
