"""The page's pictures, as PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure  # without pyplot: no window system, no global state

from vjepa_mpc.judging.landscapes import Landscape
from vjepa_mpc.judging.recovery import Recovered

_MADE, _PLANNED = {"marker": "*", "s": 150, "color": "white"}, {"marker": "o", "s": 45, "color": "red"}


def _figure(**options: Any) -> Any:
    return Figure(layout="constrained", **options)


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=90)
    return buffer.getvalue()


def draw_landscapes(landscapes: Sequence[Landscape]) -> bytes:
    """One row each: first and last frame, energy over dx and dy, over dx and dz, over the gripper."""
    figure = _figure(figsize=(15, 3.1 * len(landscapes)))
    rows = figure.subplots(len(landscapes), 5, squeeze=False)
    for (seen, wanted, xy, xz, gripper), shown in zip(rows, landscapes, strict=True):
        move = shown.move
        for axes, image, title in ((seen, shown.seen, move.name), (wanted, shown.wanted, f"{move.steps} step(s) on")):
            axes.imshow(image)
            axes.set_axis_off()
            axes.set_title(title, fontsize=9)
        _plane(xy, shown, shown.surface.xy, 1, "dy")
        _plane(xz, shown, shown.surface.xz, 2, "dz")
        _line(gripper, shown)
    return _png(figure)


def _plane(axes: Any, shown: Landscape, energies: np.ndarray, other: int, name: str) -> None:
    reach, move = 100 * shown.surface.reach, shown.move
    axes.imshow(energies, origin="lower", extent=(-reach, reach, -reach, reach), cmap="viridis", aspect="equal")
    for action, style, label in ((move.made, _MADE, "made"), (move.planned, _PLANNED, "planned")):
        axes.scatter(100 * action[0], 100 * action[other], edgecolors="black", label=label, **style)
    axes.axhline(0.0, color="white", lw=0.5)
    axes.axvline(0.0, color="white", lw=0.5)
    axes.set_xlabel("dx [cm]", fontsize=8)
    axes.set_ylabel(f"{name} [cm]", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=7, loc="lower left")


def _line(axes: Any, shown: Landscape) -> None:
    axes.plot(shown.surface.closing, shown.surface.gripper, marker=".")
    axes.axvline(shown.move.made[3], color="black", label="made")
    axes.axvline(shown.move.planned[3], color="red", ls="--", label="planned")
    axes.set_xlabel("change of closedness (1: closes)", fontsize=8)
    axes.set_ylabel("energy", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=7)


def draw_errors(rows: Sequence[dict[str, Any]]) -> bytes:
    """Mean errors by horizon."""
    figure = _figure(figsize=(6, 3.4))
    axes = figure.subplots()
    steps = [row["steps"] for row in rows]
    for name, label in (
        ("copied", "copying the frame"),
        ("shuffled", "another clip's actions"),
        ("predicted", "model"),
    ):
        axes.plot(steps, [row[name] for row in rows], marker="o", label=label)
    axes.set(xlabel="steps ahead", ylabel="mean error of a latent's feature", xticks=steps, ylim=(0, None))
    axes.legend(frameon=False)
    return _png(figure)


def draw_moves(moves: Sequence[Recovered]) -> bytes:
    """What was planned over what was made, along each axis."""
    figure = _figure(figsize=(12, 3.8))
    for index, (axes, name) in enumerate(zip(figure.subplots(1, 3), "xyz", strict=True)):
        made, planned = (100 * np.array([getattr(each, what)[index] for each in moves]) for what in ("made", "planned"))
        most = 1.05 * float(np.abs([made, planned]).max())
        axes.plot([-most, most], [-most, most], color="0.7", lw=1)
        axes.scatter(made, planned, s=14)
        axes.set(xlabel=f"d{name} made [cm]", ylabel=f"d{name} planned [cm]", xlim=(-most, most), ylim=(-most, most))
        axes.set_aspect("equal")
    return _png(figure)
