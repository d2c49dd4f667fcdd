"""A landscape as a picture."""

from __future__ import annotations

import io
import textwrap
from typing import Any

import numpy as np
from matplotlib.figure import Figure  # without pyplot: no window system, no global state

from vjepa_mpc.landscape.scene import Scene
from vjepa_mpc.landscape.surface import Y, Z

_MOST_DOTS = 120  # samples drawn of an iteration
_WIDTH = 175  # letters of a line of the title


def draw(scene: Scene) -> bytes:
    """PNG: what is seen, what is wanted, energy over dx and dy, over dx and dz, over the gripper."""
    figure: Any = Figure(figsize=(17, 4.4), layout="constrained")
    seen, wanted, xy, xz, gripper = figure.subplots(1, 5)
    for axes, image, title in ((seen, scene.seen, "seen"), (wanted, scene.wanted, "wanted")):
        axes.imshow(image)
        axes.set_axis_off()
        axes.set_title(title, fontsize=10)
    low = min(scene.surface.xy.min(), scene.surface.xz.min())
    # Colours span a hundredth at least, so that what is flat looks flat.
    high = max(scene.surface.xy.max(), scene.surface.xz.max(), 1.01 * low)
    for axes, energies, other, name in ((xy, scene.surface.xy, Y, "dy"), (xz, scene.surface.xz, Z, "dz")):
        shown = _plane(axes, scene, energies, other, name, (low, high))
    figure.colorbar(shown, ax=[xy, xz], shrink=0.75, label="energy (dark is low)")
    _line(gripper, scene)
    figure.suptitle("\n".join(textwrap.wrap(f"{scene.name}. {scene.words}", _WIDTH)), fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=90)
    return buffer.getvalue()


def _plane(axes: Any, scene: Scene, energies: np.ndarray, other: int, name: str, bounds: tuple[float, float]) -> Any:
    reach = 100 * scene.surface.reach
    half = reach / (len(energies) - 1)  # a pixel's middle is where its energy was computed
    extent = (-reach - half, reach + half, -reach - half, reach + half)
    shown = axes.imshow(energies, origin="lower", extent=extent, cmap="viridis", vmin=bounds[0], vmax=bounds[1])
    history = scene.plan.history or ()
    for number, each in enumerate(history):
        dots = 100 * each.actions[:_MOST_DOTS].double().sum(dim=1).numpy()
        late = number / max(1, len(history) - 1)
        label = f"samples, iteration {number + 1}" if number in (0, len(history) - 1) else None
        axes.scatter(dots[:, 0], dots[:, other], s=5, color=(1.0, 1.0 - 0.75 * late, 1.0 - late), lw=0, label=label)
    if scene.made is not None:
        made = 100 * scene.made
        axes.scatter(made[0], made[other], marker="*", s=170, color="white", edgecolors="black", label="true", zorder=3)
    planned = 100 * scene.planned
    axes.scatter(planned[0], planned[other], s=55, color="red", edgecolors="black", label="chosen", zorder=4)
    axes.axhline(0.0, color="white", lw=0.5)
    axes.axvline(0.0, color="white", lw=0.5)
    axes.set(xlabel="dx [cm]", ylabel=f"{name} [cm]", xlim=extent[:2], ylim=extent[2:])
    axes.legend(fontsize=7, loc="lower left", facecolor="0.6")
    return shown


def _line(axes: Any, scene: Scene) -> None:
    axes.plot(scene.surface.closing, scene.surface.gripper, marker=".")
    if scene.made is not None:
        axes.axvline(scene.made[6], color="black", label="true")
    axes.axvline(scene.planned[6], color="red", ls="--", label="chosen")
    axes.set(xlabel="change of closedness (1: closes)", ylabel="energy")
    axes.set_box_aspect(1.0)
    axes.legend(fontsize=7)
