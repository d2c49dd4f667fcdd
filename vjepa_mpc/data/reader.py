"""The interface of a reader: one class a format, one file a class, in :mod:`vjepa_mpc.data.readers`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vjepa_mpc.data.episode import Recording
from vjepa_mpc.data.errors import DataError, listed
from vjepa_mpc.data.mapping import DataMapping


@dataclass(frozen=True)
class Source:
    """An episode that is there but has not been looked at.

    Attributes:
        name: of the episode.
        open: looks at it; raises DataError when it cannot be used.
    """

    name: str
    open: Callable[[], Recording]


class Reader(ABC):
    """Recordings of one format.

    Args:
        path: of the file or folder.
        mapping: of the robot; a reader fills in what it finds out.
    """

    # What the messages call the format.
    title: str

    def __init__(self, path: Path, mapping: DataMapping) -> None:
        self.path, self.mapping = path, mapping

    @staticmethod
    @abstractmethod
    def recognises(path: Path) -> bool:
        """Whether the file or folder is of this format; cheap, without opening what is large."""

    @abstractmethod
    def sources(self) -> Sequence[Source]:
        """The episodes in their order.

        Raises:
            DataError: what describes them all cannot be read.
        """


def choose(wanted: str, there: Sequence[str], what: str, key: str) -> str:
    """The name ``wanted``, which has to be among those that are there.

    Raises:
        DataError: it is not; the message lists what is there.
    """
    if wanted in there:
        return wanted
    raise DataError(f"{key}: {wanted!r} is not in the recording: its {what} are {listed(there)}")


def choose_camera(wanted: str, there: Sequence[str], what: str) -> tuple[str, tuple[str, ...]]:
    """The camera to use, and a note when that was a choice: the first one that is not on the wrist.

    Raises:
        DataError: there is none, or not the wanted one.
    """
    if wanted:
        return choose(wanted, there, what, "images"), ()
    if not there:
        raise DataError(f"it has no pictures (no {what}): record a camera, or name it with `images` in the mapping")
    fixed = [name for name in there if not any(word in name.lower() for word in ("wrist", "hand"))]
    chosen = (fixed or list(there))[0]
    note = f"of the {what} {listed(there)}, {chosen} was taken: `images` in the mapping chooses another"
    return chosen, (note,) if len(there) > 1 else ()


def columns_of(names: Sequence[str], wanted: Iterable[str], key: str) -> list[int]:
    """Indices of columns that a mapping names or numbers.

    Raises:
        DataError: there is no such column; the message lists what is there.
    """
    found = []
    for each in wanted:
        if each in names:
            found.append(list(names).index(each))
        elif each.isdecimal() and int(each) < len(names):
            found.append(int(each))
        else:
            raise DataError(f"{key}: there is no column {each!r}: the columns are {listed(names)}")
    return found
