"""The MuJoCo scene: the FR3 with hand that franky-sim ships, a table, blocks and a fixed camera."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from vjepa_mpc.extras import install_hint
from vjepa_mpc.sim.backend import choose_gl_backend
from vjepa_mpc.sim.config import Block, Color, SimConfig

choose_gl_backend()  # before MuJoCo's first import

import mujoco  # noqa: E402

ARM_JOINTS = tuple(f"fr3_joint{i}" for i in range(1, 8))
FINGER_JOINTS = ("finger_joint1", "finger_joint2")
HAND_ACTUATOR = "hand"
HAND_ACTUATOR_OPEN = 255.0  # the actuator's control for fully open fingers
FINGER_TRAVEL = 0.04  # metres, each finger
CAMERA = "droid"
TCP_SITE = "tcp"
TCP_OFFSET = 0.1034  # metres along the hand's z, as in Franka's end-effector frame
BLOCK = "block"
TABLE, TABLE_MATERIAL, TABLE_TEXTURE, WALL_TEXTURE = "table", "table", "table", "wall"
DISTRACTORS = ("distractor1", "distractor2")
PARKED = (0.0, 0.0, -2.0)  # under the table, where no camera sees it
_TEXTURE_SIZE, _SHADOW_SIZE = 256, 1024  # pixels

# Geom groups: what the model ships as detailed visual meshes stays undrawn, the low-poly collision meshes are drawn.
DRAWN_GROUPS = (0, 1, 3)
_SLEEVE_GROUP = 1
# Contact bits: the hand meets table and blocks, blocks meet each other; the arm's links meet nothing.
_HAND_BIT, _BLOCK_BIT = 1, 2

_ARM_COLOR: Color = (0.93, 0.93, 0.92)
_HAND_COLOR: Color = (0.30, 0.31, 0.34)
_TABLE_COLOR: Color = (0.62, 0.60, 0.56)
# Tape on the fingers, as a lab would use it: which finger is where tells the opening even at a low resolution.
_SLEEVE_COLORS: dict[str, Color] = {"left_finger": (0.10, 0.35, 0.95), "right_finger": (0.98, 0.80, 0.05)}
_POSITION_DAMPING_RATIO = 0.045  # seconds: kv/kp, the lag of the arm behind a moving set-point


def _assets() -> Path:
    spec = importlib.util.find_spec("franky_sim")
    if spec is None or spec.origin is None:
        raise ImportError(f"the FR3 model comes with franky-sim, which is not installed: {install_hint('sim')}")
    return Path(spec.origin).parent / "assets"


def build_model(config: SimConfig) -> mujoco.MjModel:
    """Compile the scene. Raises ImportError with the remedy when franky-sim is missing."""
    assets = _assets()
    spec = mujoco.MjSpec.from_file(str(assets / "fr3.xml"))
    spec.meshdir = str(assets / "meshes")
    spec.option.timestep = config.timestep
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10.0  # stiff friction, so that a held block does not creep out of the fingers
    _prepare_robot(spec, config)
    _add_table(spec)
    for index, block in enumerate((config.block, *config.other_blocks)):
        _add_block(spec, config, block, name=BLOCK if index == 0 else f"{BLOCK}{index + 1}")
    _add_distractors(spec)
    _add_camera(spec, config)
    return spec.compile()


def _prepare_robot(spec: mujoco.MjSpec, config: SimConfig) -> None:
    for body in spec.bodies:
        if body.name == "world":
            continue
        body.gravcomp = 1.0
        in_hand = body.name in ("hand", *_SLEEVE_COLORS)
        for geom in body.geoms:
            if geom.classname.name == "visual":
                continue
            geom.rgba = [*(_HAND_COLOR if in_hand else _ARM_COLOR), 1.0]
            geom.contype, geom.conaffinity = (_HAND_BIT if in_hand else 0), 0
            geom.friction = [1.0, 0.02, 0.001]
    for name, color in _SLEEVE_COLORS.items():
        _add_sleeve(spec.body(name), color)
    spec.body("hand").add_site(name=TCP_SITE, pos=[0.0, 0.0, TCP_OFFSET], group=4)
    for actuator in spec.actuators:
        if actuator.name in ARM_JOINTS:
            actuator.biasprm[2] = -actuator.gainprm[0] * _POSITION_DAMPING_RATIO
    hand = spec.actuator(HAND_ACTUATOR)
    hand.gainprm[0] = config.grip_stiffness * FINGER_TRAVEL / HAND_ACTUATOR_OPEN
    hand.biasprm[1:3] = [-config.grip_stiffness, -0.05 * config.grip_stiffness]


def _add_sleeve(finger: mujoco.MjsBody, color: Color) -> None:
    """A coloured, weightless, contactless cover around a fingertip, a hair larger than the finger itself."""
    finger.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=[0.0, 0.014, 0.032],
        size=[0.0115, 0.0128, 0.0222],
        rgba=[*color, 1.0],
        group=_SLEEVE_GROUP,
        contype=0,
        conaffinity=0,
        mass=0.0,
    )


def _add_table(spec: mujoco.MjSpec) -> None:
    spec.worldbody.add_geom(
        name=TABLE,
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=[0.45, 0.0, -0.05],
        size=[0.65, 0.9, 0.05],
        rgba=[*_TABLE_COLOR, 1.0],
        contype=0,
        conaffinity=_HAND_BIT | _BLOCK_BIT,
    )
    spec.add_texture(
        name=WALL_TEXTURE,
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
        rgb1=[0.24, 0.28, 0.33],
        rgb2=[0.24, 0.28, 0.33],
        width=16,
        height=96,
    )
    spec.add_texture(
        name=TABLE_TEXTURE,
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
        width=_TEXTURE_SIZE,
        height=_TEXTURE_SIZE,
    )
    material = spec.add_material(name=TABLE_MATERIAL, specular=0.0, shininess=0.0)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = TABLE_TEXTURE
    spec.worldbody.add_light(
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, pos=[0.8, 0.4, 1.5], dir=[-0.35, -0.3, -1.0], castshadow=False
    )
    spec.visual.headlight.ambient = [0.45, 0.45, 0.45]
    spec.visual.headlight.diffuse = [0.35, 0.35, 0.35]
    spec.visual.headlight.specular = [0.0, 0.0, 0.0]


def _add_block(spec: mujoco.MjSpec, config: SimConfig, block: Block, *, name: str) -> None:
    half = config.block_size / 2
    body = spec.worldbody.add_body(name=name, pos=[*block.position, half], quat=yaw_quaternion(block.yaw))
    body.add_freejoint(name=name)
    body.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[half, half, half],
        mass=config.block_mass,
        rgba=[*block.color, 1.0],
        condim=4,
        friction=[1.0, 0.02, 0.001],
        contype=_BLOCK_BIT,
        conaffinity=_HAND_BIT | _BLOCK_BIT,
    )


def _add_distractors(spec: mujoco.MjSpec) -> None:
    """Objects that looks may show; nothing touches them."""
    for name in DISTRACTORS:
        spec.worldbody.add_geom(
            name=name, type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.02] * 3, pos=PARKED, contype=0, conaffinity=0
        )


def arm_geoms(model: mujoco.MjModel) -> list[int]:
    """The drawn geoms of the arm's links."""
    links = [model.body(f"fr3_link{number}").id for number in range(8)]
    return [geom for geom in range(model.ngeom) if model.geom_bodyid[geom] in links and model.geom_group[geom] == 3]


def yaw_quaternion(yaw: float) -> np.ndarray:
    """A turn about the vertical as MuJoCo's quaternion [4] in the order w, x, y, z."""
    return np.array([np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)])


def _add_camera(spec: mujoco.MjSpec, config: SimConfig) -> None:
    position, axes = config.camera.placement()
    quaternion = np.empty(4)
    mujoco.mju_mat2Quat(quaternion, axes.flatten())
    spec.worldbody.add_camera(name=CAMERA, pos=position, quat=quaternion, fovy=config.camera.fovy)
    # Several samples a pixel would cost half the frame rate; the planner's resize averages pixels anyway.
    spec.visual.quality.offsamples = 0
    spec.visual.quality.shadowsize = _SHADOW_SIZE
    spec.visual.global_.offwidth = spec.visual.global_.offheight = max(640, config.image_size)
    spec.visual.map.znear, spec.visual.map.zfar = 0.02, 10.0
