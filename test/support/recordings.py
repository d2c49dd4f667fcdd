"""Recordings that need no disk: a square that moves over a grey picture as the arm does."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

RATE = 10.0  # pictures a second


class FakeRecording:
    """An episode of ``vjepa_mpc.data`` with smooth random motion; ``fault`` is raised when its pictures are read."""

    def __init__(self, number: int, frames: int, size: int = 32, fault: Exception | None = None) -> None:
        self.name, self._size, self._fault = f"episode {number}", size, fault
        self.stamps = 1000.0 * number + np.arange(frames) / RATE
        phases = np.random.default_rng(number).uniform(0.0, 6.0, 3)
        self._phases = phases

    def states(self, stamps: np.ndarray) -> np.ndarray:
        states = np.zeros((len(stamps), 7))
        states[:, :3] = 0.5 + 0.3 * np.sin(stamps[:, None] % 1000.0 + self._phases)
        states[:, 3] = np.pi
        return states

    def images(self, stamps: np.ndarray) -> np.ndarray:
        if self._fault is not None:
            raise self._fault
        images = np.full((len(stamps), self._size, self._size, 3), 90, np.uint8)
        corners = (self.states(stamps)[:, 1:3] * (self._size - 8)).astype(int)
        for image, (row, column) in zip(images, corners, strict=True):
            image[row : row + 8, column : column + 8] = [230, 40, 40]
        return images

    def sample(self, seconds: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        stamps = np.arange(self.stamps[0], self.stamps[-1], seconds)
        return stamps, self.images(stamps), self.states(stamps)


class FakeRecordings:
    """What ``open_dataset`` gives."""

    def __init__(self, lengths: tuple[int, ...] = (40, 30, 30, 35), faults: dict[int, Exception] | None = None) -> None:
        self.episodes = [FakeRecording(i, frames, fault=(faults or {}).get(i)) for i, frames in enumerate(lengths)]

    def __len__(self) -> int:
        return len(self.episodes)

    def __iter__(self) -> Iterator[FakeRecording]:
        return iter(self.episodes)
