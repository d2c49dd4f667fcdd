"""How the simulated scene looks: camera, light, colours, textures, other objects, and the camera's sensor.

A :class:`Look` is a frozen description; :class:`LookRanges` says what looks are drawn from. `FrankaSim.set_look` shows
the scene in a look. The default look is the one picture that the first bundled model was trained on.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from vjepa_mpc.sim.config import Color

Texture = Literal["flat", "checker", "stripes", "noise", "wood"]
Shape = Literal["box", "sphere", "cylinder", "capsule"]

TEXTURES: tuple[Texture, ...] = ("flat", "checker", "stripes", "noise", "wood")
SHAPES: tuple[Shape, ...] = ("box", "sphere", "cylinder", "capsule")
RED: Color = (0.85, 0.12, 0.10)
_OPENING = 0.074  # metres between the open fingers, less a little room: what a turned block has to fit into
_LEAST_CONTRAST = 0.30  # RGB distance between the block and what it lies on
_MAX_DRAWS = 1000


@dataclass(frozen=True, kw_only=True)
class CameraLook:
    """Where the camera stands, relative to where it should. Degrees, metres and ratios.

    Attributes:
        turn: around the vertical line through its aim.
        height: metres higher.
        distance: times as far from its aim.
        zoom: times the field of view.
        roll: about its line of sight.
    """

    turn: float = 0.0
    height: float = 0.0
    distance: float = 1.0
    zoom: float = 1.0
    roll: float = 0.0


@dataclass(frozen=True, kw_only=True)
class LightLook:
    """The lamp, the light from all sides, and how the camera exposes.

    Attributes:
        azimuth: degrees from the usual direction, around the vertical.
        elevation: degrees above the table that the lamp stands at.
        strength: of the lamp, 1 as usual.
        ambient: of the light from all sides, 1 as usual.
        colour: RGB factors of the lamp.
        shadows: whether the lamp casts shadows.
        exposure: factor of the whole picture.
        white_balance: RGB factors of the whole picture.
    """

    azimuth: float = 0.0
    elevation: float = 65.0
    strength: float = 1.0
    ambient: float = 1.0
    colour: Color = (1.0, 1.0, 1.0)
    shadows: bool = False
    exposure: float = 1.0
    white_balance: Color = (1.0, 1.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class SurfaceLook:
    """Colours and textures (RGB in 0..1).

    Attributes:
        table: colour of the table, and the first one of its texture.
        table_second: second colour of the texture.
        texture: its kind; ``flat`` for none.
        texture_scale: repetitions over the table.
        texture_seed: of its random parts.
        wall: colour behind the table.
        arm: grey level of the arm.
        block: colour of the block.
    """

    table: Color = (0.62, 0.60, 0.56)
    table_second: Color = (0.62, 0.60, 0.56)
    texture: Texture = "flat"
    texture_scale: float = 4.0
    texture_seed: int = 0
    wall: Color = (0.24, 0.28, 0.33)
    arm: float = 0.93
    block: Color = RED


@dataclass(frozen=True, kw_only=True)
class Distractor:
    """An object that has nothing to do with the task. It lies at a place [2] on the table; nothing touches it.

    Attributes:
        shape: of :data:`SHAPES`.
        color: RGB.
        size: half its width in metres.
        position: metres in the robot base frame; moved aside where it would lie on the block or its target.
        yaw: radians.
    """

    shape: Shape
    color: Color
    size: float
    position: tuple[float, float]
    yaw: float = 0.0


@dataclass(frozen=True, kw_only=True)
class SensorLook:
    """What the camera does to a picture.

    Attributes:
        noise: standard deviation of each pixel, in grey levels of 255.
        blur: standard deviation of a Gaussian, in pixels of a picture of 256.
        jpeg: quality, 1 to 100; None for no compression.
    """

    noise: float = 0.0
    blur: float = 0.0
    jpeg: int | None = None


@dataclass(frozen=True, kw_only=True)
class Look:
    """A whole look; the defaults are the base look.

    Attributes:
        camera, light, surface, sensor: see there.
        distractors: at most two.
        block_size: edge of the block in metres.
        block_yaw: most radians that the block is turned by at a start; see :meth:`yaw_limit`.
        seed: of what is random in each picture.
    """

    camera: CameraLook = field(default_factory=CameraLook)
    light: LightLook = field(default_factory=LightLook)
    surface: SurfaceLook = field(default_factory=SurfaceLook)
    sensor: SensorLook = field(default_factory=SensorLook)
    distractors: tuple[Distractor, ...] = ()
    block_size: float = 0.05
    block_yaw: float = math.pi / 12
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.distractors) > 2:
            raise ValueError(f"{len(self.distractors)} distractors: the scene has room for two")
        if not 0.01 <= self.block_size <= 0.075:
            raise ValueError(f"block_size={self.block_size}: the hand takes 0.01 to 0.075 m")

    @property
    def yaw_limit(self) -> float:
        """Most radians that a block of this size may be turned by and still fit between the fingers, at most 45°."""
        ratio = _OPENING / self.block_size / math.sqrt(2.0)
        fitting = math.pi / 4 if ratio >= 1.0 else math.asin(max(ratio, 1 / math.sqrt(2.0))) - math.pi / 4
        return min(self.block_yaw, max(0.0, fitting))


BASE = Look()


@dataclass(frozen=True, kw_only=True)
class LookRanges:
    """What looks are drawn from: plus or minus, or low and high; in the units of a :class:`Look`'s parts."""

    turn: float = 10.0
    height: float = 0.05
    distance: float = 0.10
    zoom: tuple[float, float] = (1.0, 1.1)  # never narrower: the workspace has to stay in the picture
    roll: float = 2.0
    azimuth: float = 60.0
    elevation: tuple[float, float] = (40.0, 85.0)
    strength: tuple[float, float] = (0.4, 1.5)
    ambient: tuple[float, float] = (0.6, 1.3)
    tint: float = 0.15
    exposure: tuple[float, float] = (0.6, 1.4)
    shadow_share: float = 0.25
    arm: tuple[float, float] = (0.55, 1.0)
    block_size: tuple[float, float] = (0.04, 0.06)
    block_yaw: float = math.pi / 4
    noise: float = 6.0
    blur: float = 1.0
    jpeg: tuple[int, int] = (40, 95)


GROUPS = ("camera", "light", "colour", "texture", "distractor", "size")
"""What of a look can be drawn by itself; ``all`` draws everything, ``base`` nothing."""


def look_groups(name: str) -> tuple[str, ...]:
    """The groups that a name on the command line stands for.

    Raises:
        ValueError: there is no such look.
    """
    if name == "all":
        return GROUPS
    if name == "base":
        return ()
    if name in GROUPS:
        return (name,)
    raise ValueError(f"look {name!r}: use base, {', '.join(GROUPS)} or all")


def draw_look(rng: np.random.Generator, groups: Iterable[str], ranges: LookRanges | None = None) -> Look:
    """A look in which these groups are drawn and the others are as in the base look."""
    ranges, groups = ranges or LookRanges(), frozenset(groups)
    look = replace(BASE, seed=int(rng.integers(2**31)))
    if "camera" in groups:
        look = replace(look, camera=_draw_camera(rng, ranges), sensor=_draw_sensor(rng, ranges))
    if "light" in groups:
        look = replace(look, light=draw_light(rng, ranges))
    if "size" in groups:
        size = float(rng.uniform(*ranges.block_size))
        look = replace(look, block_size=size, block_yaw=ranges.block_yaw)
    if groups & {"colour", "texture"}:
        look = replace(look, surface=_draw_surface(rng, ranges, groups))
    if "distractor" in groups:
        count = int(rng.integers(1 if groups == {"distractor"} else 0, 3))
        look = replace(look, distractors=tuple(_draw_distractor(rng, look.surface) for _ in range(count)))
    return look


def draw_light(rng: np.random.Generator, ranges: LookRanges) -> LightLook:
    """Lamp, exposure and white balance."""
    return LightLook(
        azimuth=_around(rng, ranges.azimuth),
        elevation=float(rng.uniform(*ranges.elevation)),
        strength=float(rng.uniform(*ranges.strength)),
        ambient=float(rng.uniform(*ranges.ambient)),
        colour=_tint(rng, ranges.tint),
        shadows=bool(rng.random() < ranges.shadow_share),
        exposure=float(np.exp(rng.uniform(*np.log(ranges.exposure)))),
        white_balance=_tint(rng, ranges.tint / 2),
    )


def _draw_camera(rng: np.random.Generator, ranges: LookRanges) -> CameraLook:
    return CameraLook(
        turn=_around(rng, ranges.turn),
        height=_around(rng, ranges.height),
        distance=1.0 + _around(rng, ranges.distance),
        zoom=float(rng.uniform(*ranges.zoom)),
        roll=_around(rng, ranges.roll),
    )


def _draw_sensor(rng: np.random.Generator, ranges: LookRanges) -> SensorLook:
    """Each effect in about half of the looks, as real cameras have some of them."""
    return SensorLook(
        noise=float(rng.uniform(0.0, ranges.noise)) if rng.random() < 0.5 else 0.0,
        blur=float(rng.uniform(0.0, ranges.blur)) if rng.random() < 0.5 else 0.0,
        jpeg=int(rng.integers(ranges.jpeg[0], ranges.jpeg[1] + 1)) if rng.random() < 0.5 else None,
    )


def _draw_surface(rng: np.random.Generator, ranges: LookRanges, groups: frozenset[str]) -> SurfaceLook:
    """Drawn again until the block can be told from the table."""
    for _ in range(_MAX_DRAWS):
        surface = SurfaceLook()
        if "colour" in groups:
            surface = replace(
                surface,
                table=_muted(rng),
                wall=_muted(rng),
                arm=float(rng.uniform(*ranges.arm)),
                block=_vivid(rng),
            )
        if "texture" in groups:
            texture = TEXTURES[int(rng.integers(1, len(TEXTURES)))]
            second = _muted(rng) if rng.random() < 0.5 else _shaded(surface.table, float(rng.uniform(0.5, 0.9)))
            scale, seed = float(rng.uniform(2.0, 10.0)), int(rng.integers(2**31))
            surface = replace(surface, table_second=second, texture=texture, texture_scale=scale, texture_seed=seed)
        else:
            surface = replace(surface, table_second=surface.table)
        if min(contrast(surface.block, surface.table), contrast(surface.block, surface.table_second)) > _LEAST_CONTRAST:
            return surface
    raise ValueError(f"no block that can be seen in {_MAX_DRAWS} draws: widen the ranges of colours")


def _draw_distractor(rng: np.random.Generator, surface: SurfaceLook) -> Distractor:
    """Out of the way or near, and of another colour than the block."""
    near = rng.random() < 0.5
    if near:
        position = (float(rng.uniform(0.40, 0.64)), float(rng.uniform(-0.14, 0.14)))
    else:
        side = float(rng.choice([-1.0, 1.0]))
        position = (float(rng.uniform(0.36, 0.62)), side * float(rng.uniform(0.19, 0.30)))
    for _ in range(_MAX_DRAWS):
        color = _vivid(rng)
        if contrast(color, surface.block) > 0.5 and contrast(color, surface.table) > _LEAST_CONTRAST:
            break
    return Distractor(
        shape=SHAPES[int(rng.integers(len(SHAPES)))],
        color=color,
        size=float(rng.uniform(0.012, 0.028)),
        position=position,
        yaw=float(rng.uniform(-math.pi, math.pi)),
    )


def contrast(first: Color, second: Color) -> float:
    """Distance of two colours in RGB, 0 to 1.73."""
    return float(np.linalg.norm(np.subtract(first, second)))


def _around(rng: np.random.Generator, most: float) -> float:
    return float(rng.uniform(-most, most))


def _tint(rng: np.random.Generator, most: float) -> Color:
    red, green, blue = 1.0 + rng.uniform(-most, most, 3)
    return float(red), float(green), float(blue)


def _vivid(rng: np.random.Generator) -> Color:
    return colorsys.hsv_to_rgb(rng.uniform(), rng.uniform(0.6, 1.0), rng.uniform(0.45, 0.95))


def _muted(rng: np.random.Generator) -> Color:
    return colorsys.hsv_to_rgb(rng.uniform(), rng.uniform(0.0, 0.45), rng.uniform(0.25, 0.9))


def _shaded(color: Color, factor: float) -> Color:
    red, green, blue = (factor * part for part in color)
    return red, green, blue
