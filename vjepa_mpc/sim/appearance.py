"""Shows a compiled scene in a look: camera, light, colours, textures and other objects, without compiling it again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from vjepa_mpc.sim.config import Camera, SimConfig
from vjepa_mpc.sim.look import CameraLook, Distractor, Look, SensorLook, SurfaceLook
from vjepa_mpc.sim.scene import (
    BLOCK,
    CAMERA,
    DISTRACTORS,
    PARKED,
    TABLE,
    TABLE_MATERIAL,
    TABLE_TEXTURE,
    WALL_TEXTURE,
    arm_geoms,
    mujoco,
    yaw_quaternion,
)

_CLEAR_OF_BLOCK = 0.085  # metres from a distractor's middle to the block's, so that the fingers pass between
_GEOMETRY = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
}


def look_camera(camera: Camera, look: CameraLook) -> Camera:
    """The camera as it stands in a look; its roll is left out."""
    target = np.asarray(camera.target)
    position = target + look.distance * (np.asarray(camera.position) - target)
    position[2] += look.height
    x, y, z = (float(value) for value in position)
    return replace(camera, position=(x, y, z), fovy=camera.fovy * look.zoom, turn=camera.turn + look.turn)


def camera_axes(camera: Camera, look: CameraLook) -> tuple[np.ndarray, np.ndarray]:
    """Position [3] and axes [3, 3] (columns: right, up, backwards) of the camera in a look, roll included."""
    position, axes = look_camera(camera, look).placement()
    angle = math.radians(look.roll)
    roll = np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    return position, axes @ roll


def apply_look(model: mujoco.MjModel, config: SimConfig, look: Look) -> bool:
    """Change a compiled scene to a look; returns whether textures changed, which a renderer has to upload again."""
    _place_camera(model, config, look.camera)
    _light(model, look)
    _colour(model, look)
    _resize_block(model, look.block_size)
    place_distractors(model, look.distractors, ())
    return _paint(model, look.surface)


def place_distractors(
    model: mujoco.MjModel, distractors: Sequence[Distractor], keep_clear: Sequence[np.ndarray]
) -> None:
    """Put distractors on the table, aside from the places [2] that have to stay clear; park the others."""
    for index, name in enumerate(DISTRACTORS):
        geom = model.geom(name)
        if index >= len(distractors):
            geom.pos[:] = PARKED
            continue
        each = distractors[index]
        half_height = each.size if each.shape != "capsule" else each.size * 1.5
        model.geom_type[geom.id] = _GEOMETRY[each.shape]
        geom.size[:] = (each.size, each.size if each.shape != "capsule" else each.size * 0.5, each.size)
        geom.pos[:] = (*aside(each, keep_clear), half_height)
        geom.quat[:] = yaw_quaternion(each.yaw)
        geom.rgba[:] = (*each.color, 1.0)
        model.geom_rbound[geom.id] = 3 * each.size


def aside(distractor: Distractor, keep_clear: Sequence[np.ndarray]) -> np.ndarray:
    """Where a distractor [2] lies: at its place, or straight away from the places that it is too near to."""
    position = np.asarray(distractor.position, dtype=float)
    for place in keep_clear:
        away = position - np.asarray(place)[:2]
        distance = float(np.linalg.norm(away))
        if distance < _CLEAR_OF_BLOCK:
            direction = away / distance if distance > 1e-6 else np.array([0.0, 1.0])
            position = np.asarray(place)[:2] + _CLEAR_OF_BLOCK * direction
    return position


def _place_camera(model: mujoco.MjModel, config: SimConfig, look: CameraLook) -> None:
    position, axes = camera_axes(config.camera, look)
    quaternion = np.empty(4)
    mujoco.mju_mat2Quat(quaternion, axes.flatten())
    camera = model.camera(CAMERA)
    camera.pos[:], camera.quat[:] = position, quaternion
    camera.fovy[:] = config.camera.fovy * look.zoom


def _light(model: mujoco.MjModel, look: Look) -> None:
    light = look.light
    if light.azimuth or light.elevation != LightDefaults.ELEVATION:
        azimuth = math.radians(LightDefaults.AZIMUTH + light.azimuth)
        elevation = math.radians(light.elevation)
        flat = math.cos(elevation)
        model.light_dir[0] = (flat * math.cos(azimuth), flat * math.sin(azimuth), -math.sin(elevation))
    else:
        model.light_dir[0] = LightDefaults.DIRECTION
    model.light_diffuse[0] = 0.7 * light.strength * np.asarray(light.colour)
    model.light_castshadow[0] = light.shadows
    model.vis.headlight.ambient[:] = 0.45 * light.ambient
    model.vis.headlight.diffuse[:] = 0.35 * light.ambient


class LightDefaults:
    """The lamp of the base look: it shines from the front left and above."""

    DIRECTION = np.array([-0.35, -0.3, -1.0]) / np.linalg.norm([-0.35, -0.3, -1.0])
    AZIMUTH = math.degrees(math.atan2(-0.3, -0.35))
    ELEVATION = 65.0  # stands for the exact direction


def _colour(model: mujoco.MjModel, look: Look) -> None:
    surface = look.surface
    for geom in arm_geoms(model):
        model.geom_rgba[geom, :3] = np.array([0.93, 0.93, 0.92]) * (surface.arm / 0.93)
    model.geom(BLOCK).rgba[:3] = surface.block
    textured = surface.texture != "flat"
    model.geom_matid[model.geom(TABLE).id] = model.material(TABLE_MATERIAL).id if textured else -1
    model.geom(TABLE).rgba[:] = (1.0, 1.0, 1.0, 1.0) if textured else (*surface.table, 1.0)


def _resize_block(model: mujoco.MjModel, size: float) -> None:
    half, geom = size / 2, model.geom(BLOCK)
    if geom.size[0] == half:
        return
    body = int(geom.bodyid[0])
    model.body_inertia[body] *= (half / geom.size[0]) ** 2
    geom.size[:] = half
    model.geom_rbound[geom.id] = half * math.sqrt(3.0)
    model.geom_aabb[geom.id, 3:] = half


def _paint(model: mujoco.MjModel, surface: SurfaceLook) -> bool:
    changed = False
    if surface.texture != "flat":
        changed |= _fill(model, TABLE_TEXTURE, table_texture(surface, model.texture(TABLE_TEXTURE).width[0]))
    wall = model.texture(WALL_TEXTURE)
    flat = np.broadcast_to(
        np.round(255 * np.asarray(surface.wall)).astype(np.uint8), (wall.height[0], wall.width[0], 3)
    )
    return _fill(model, WALL_TEXTURE, flat) or changed


def _fill(model: mujoco.MjModel, name: str, pixels: np.ndarray) -> bool:
    texture = model.texture(name)
    start = int(texture.adr[0])
    place = model.tex_data[start : start + pixels.size]
    if np.array_equal(place, pixels.reshape(-1)):
        return False
    place[:] = pixels.reshape(-1)
    return True


def table_texture(surface: SurfaceLook, size: int) -> np.ndarray:
    """The table's texture uint8 RGB [size, size, 3], between its two colours."""
    share = _PATTERNS[surface.texture](size, surface.texture_scale, np.random.default_rng(surface.texture_seed))
    first, second = np.asarray(surface.table), np.asarray(surface.table_second)
    return np.round(255 * (first + share[..., None] * (second - first))).clip(0, 255).astype(np.uint8)


def _checker(size: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    across = (np.arange(size) * scale / size).astype(int)
    return ((across[:, None] + across) % 2).astype(float)


def _stripes(size: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, math.pi)
    rows, columns = np.mgrid[:size, :size] / size
    return (np.sin(2 * math.pi * scale * (rows * math.cos(angle) + columns * math.sin(angle))) > 0).astype(float)


def _noise(size: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    coarse = rng.uniform(size=(max(2, int(4 * scale)),) * 2).astype(np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).clip(0.0, 1.0)


def _wood(size: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size] / size
    waves = 0.15 * _noise(size, scale / 4, rng)
    return 0.5 + 0.5 * np.sin(2 * math.pi * scale * (rows + waves + 0.02 * np.sin(9 * columns)))


def _flat(size: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    return np.zeros((size, size))


_PATTERNS = {"flat": _flat, "checker": _checker, "stripes": _stripes, "noise": _noise, "wood": _wood}


def sense(image: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """What the camera makes of a rendered picture uint8 RGB [S, S, 3]: exposure, white balance, blur, noise, JPEG."""
    light, sensor = look.light, look.sensor
    gains = light.exposure * np.asarray(light.white_balance)
    if np.allclose(gains, 1.0) and sensor == SensorLook():
        return image
    pixels = image.astype(np.float32) * gains.astype(np.float32)
    if sensor.blur > 0.0:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), sensor.blur * image.shape[0] / 256), dtype=np.float32)
    if sensor.noise > 0.0:
        pixels += rng.normal(0.0, sensor.noise, pixels.shape).astype(np.float32)
    result = np.round(pixels.clip(0.0, 255.0)).astype(np.uint8)
    if sensor.jpeg is not None:
        done, data = cv2.imencode(".jpg", result[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, sensor.jpeg])
        if not done:
            raise ValueError(f"a picture of shape {image.shape} cannot be compressed")
        result = np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[..., ::-1])
    return result
