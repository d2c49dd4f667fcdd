"""Which moves a calibration makes: around several places, each move there and back, all inside the workspace box."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from vjepa_mpc.geometry.limits import WorkspaceBox
from vjepa_mpc.options import check_options, option

_TETRAHEDRON = ((1, 1, 1), (-1, -1, 1), (-1, 1, -1), (1, -1, -1))


@dataclass(frozen=True, kw_only=True)
class RouteSettings:
    """Which moves a calibration makes.

    Raises:
        ValueError: one of them is out of range.
    """

    # Long moves tell the model more than its own errors hide.
    length: float = option(0.07, "Length of a calibration move.", unit="m", low=0.01, high=0.2, name="move_length")
    # The start, and up to four corners of a tetrahedron around it. A picture that misleads the model does so only
    # around its place.
    places: int = option(
        1 + len(_TETRAHEDRON), "Around how many places the moves are made.", low=1, high=1 + len(_TETRAHEDRON)
    )
    spread: float = option(
        0.07, "How far the other places are from the start along each axis.", unit="m", low=0.0, high=0.5
    )

    def __post_init__(self) -> None:
        check_options(self)


def calibration_moves(position: np.ndarray, workspace: WorkspaceBox, length: float = 0.05) -> list[np.ndarray]:
    """Moves [3] to make one after the other from a position, each inside the box, the last one ending at the start.

    There and back along each axis and two horizontal diagonals, to the side where there is room.

    Raises:
        ValueError: the box leaves no room.
    """
    start = np.asarray(position, dtype=np.float64)
    diagonal = length / math.sqrt(2.0)
    directions = np.array(
        [[length, 0, 0], [0, length, 0], [0, 0, length], [diagonal, diagonal, 0], [diagonal, -diagonal, 0]]
    )
    moves: list[np.ndarray] = []
    for direction in directions:
        fitting = [move for move in (direction, -direction) if workspace.contains(start + move)]
        if not fitting:
            raise ValueError(
                f"no room for a move of {length} m along {np.round(direction, 3).tolist()} from "
                f"{np.round(start, 3).tolist()}: start nearer to the middle of the workspace box, or move less"
            )
        moves += [fitting[0], -fitting[0]]
    return moves


def calibration_route(position: np.ndarray, workspace: WorkspaceBox, settings: RouteSettings) -> np.ndarray:
    """Places [n, 3] to go to one after the other from a position, all inside the box, the last one the position itself.

    Around the position, and around those of the other places that leave room for them, :func:`calibration_moves`.

    Raises:
        ValueError: the box leaves no room around the position.
    """
    start = np.asarray(position, dtype=np.float64)
    route = list(start + np.cumsum(calibration_moves(start, workspace, settings.length), axis=0))
    for offset in _TETRAHEDRON[: settings.places - 1]:
        place = start + settings.spread * np.array(offset)
        with suppress(ValueError):
            moves = calibration_moves(place, workspace, settings.length)
            if workspace.contains(place):
                route += [place, *(place + np.cumsum(moves, axis=0))]
    return np.array(route if np.allclose(route[-1], start) else [*route, start])
