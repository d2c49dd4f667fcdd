"""How many of a topic's messages arrive."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from vjepa_mpc.ros.common.hearing import MessageInfo

WINDOW = 5.0  # seconds that are looked back upon


class Arrivals:
    """Counts messages against the numbers that their publisher gives them.

    What does not arrive includes what was replaced by something newer before this process looked. Middleware that
    numbers nothing (Cyclone DDS, Zenoh) leaves unknown what was published.

    Threads: one calls `came`, any may read `summary`.
    """

    def __init__(self) -> None:
        self._publisher: object = None
        self._came: deque[tuple[float, int | None, int]] = deque()

    def came(self, received: float, size: int, info: MessageInfo) -> None:
        """A message of so many bytes came, in steady seconds."""
        gid, number = info.get("publisher_gid"), info.get("publication_sequence_number")
        publisher = None if gid is None else bytes(gid["data"])
        came = deque(entry for entry in self._came if entry[0] > received - WINDOW)
        if came and (publisher != self._publisher or _goes_back(came[-1][1], number)):
            came.clear()  # another publisher, or the same begun anew: its numbers do not go on from those before
        self._publisher = publisher
        came.append((received, number, size))
        self._came = came

    @property
    def share(self) -> float | None:
        """The share of the published messages that came, between the first and the last of the window."""
        numbers = _numbers(tuple(self._came))
        return None if numbers is None else len(numbers) / (numbers[-1] - numbers[0] + 1)

    @property
    def summary(self) -> str:
        """In words, between the first and the last message of the last seconds; "" when there are fewer than two."""
        came = tuple(self._came)
        if len(came) < 2:
            return ""
        count, duration, size = len(came), came[-1][0] - came[0][0], came[-1][2]
        numbers = _numbers(came)
        of = "" if numbers is None else f" of {numbers[-1] - numbers[0] + 1} published"
        return f"{count}{of} came in {duration:.1f} s, {size / 1e6:.2g} MB each"


def _numbers(came: Sequence[tuple[float, int | None, int]]) -> list[int] | None:
    """The publisher's numbers; None where there are none, or fewer than two."""
    numbers = [number for _, number, _ in came if number is not None]
    return numbers if len(numbers) == len(came) >= 2 else None


def _goes_back(before: int | None, number: int | None) -> bool:
    return before is not None and number is not None and number <= before
