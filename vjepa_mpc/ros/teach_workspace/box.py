"""The box around the positions that an arm was shown. Knows nothing of ROS but its parameter files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vjepa_mpc.files import write_text
from vjepa_mpc.geometry.limits import WorkspaceBox

LEAST_EXTENT = 0.02  # metres along each axis; in a flatter box no step of the planner fits
FARTHEST = 3.0  # metres from the base; beyond that, the numbers are in another unit
JUMP = 0.1  # metres between two poses that no hand makes: a faulty measurement


class MeasuredBox:
    """Grows around positions in metres; a single faulty one does not count."""

    def __init__(self) -> None:
        self.count = 0
        self.lower = np.full(3, np.inf)
        self.upper = np.full(3, -np.inf)
        self._last: np.ndarray | None = None

    def add(self, position: np.ndarray) -> None:
        """Take in a position [3], if it is near the one before it.

        Raises:
            ValueError: it is not finite, or not in metres.
        """
        if not np.isfinite(position).all():
            raise ValueError(f"the position {position.tolist()} is not finite")
        if np.abs(position).max() > FARTHEST:
            raise ValueError(f"the position {position.tolist()} is farther away than any arm reaches: is it in metres?")
        near = self._last is not None and np.linalg.norm(position - self._last) <= JUMP
        self._last = position
        if near:
            self.count += 1
            self.lower, self.upper = np.minimum(self.lower, position), np.maximum(self.upper, position)

    def box(self) -> WorkspaceBox:
        """The result, to the millimetre.

        Raises:
            ValueError: an axis is too short; the message says how to go on.
        """
        if self.count == 0:
            raise ValueError("no position was measured")
        for axis, extent in zip("xyz", self.upper - self.lower, strict=True):
            if extent < LEAST_EXTENT:
                raise ValueError(
                    f"along {axis} the arm was moved by {100 * extent:.1f} cm only, and {100 * LEAST_EXTENT:.0f} are "
                    "needed: lead it to all corners of where it may work, low and high"
                )
        lower, upper = (tuple(round(float(number), 3) for number in corner) for corner in (self.lower, self.upper))
        return WorkspaceBox(lower=lower, upper=upper)  # type: ignore[arg-type]

    def __str__(self) -> str:
        if self.count == 0:
            return "nothing measured yet"
        axes = zip("xyz", self.lower, self.upper, strict=True)
        return "  ".join(f"{axis} {low:+.3f} to {high:+.3f}" for axis, low, high in axes) + "  m"


def write_box(path: Path, box: WorkspaceBox, frame: str) -> None:
    """A parameter file for the planner, and for ``workspace:=`` of the launch file."""
    write_text(
        path,
        f"# Workspace box in {frame}, measured by teach_workspace.\n"
        "/**:\n"
        "  ros__parameters:\n"
        f"    workspace.lower: {list(box.lower)}\n"
        f"    workspace.upper: {list(box.upper)}\n",
    )
