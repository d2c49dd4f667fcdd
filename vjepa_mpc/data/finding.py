"""The interface of a finding: something that looks wrong with recordings, by name; one file each, in ``findings``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vjepa_mpc.data.evidence import Evidence


@dataclass(frozen=True, kw_only=True)
class Found:
    """Something that was found.

    Attributes:
        name: such as "DEGREES".
        text: what is there, with values, and what to do.
        episodes: which ones it concerns; empty: all.
        note: the readers deal with it, nothing is to be done; otherwise something is.
        value: the measured value; None for findings without one.
        unit: of the value.
    """

    name: str
    text: str
    episodes: tuple[str, ...] = ()
    note: bool = False
    value: float | None = None
    unit: str = ""


class Finding(ABC):
    """Looks for one thing."""

    # As the table shows it and users search for it.
    name: str

    @abstractmethod
    def look(self, evidence: Sequence[Evidence]) -> Iterator[Found]:
        """What was found in the episodes, which are in the order of recording; nothing when all is well."""
