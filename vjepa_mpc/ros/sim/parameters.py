"""Parameters of the simulator's node."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from vjepa_mpc.ros.parameters.live import Entry, Values
from vjepa_mpc.ros.sim.loop import Rates
from vjepa_mpc.sim import Camera, SimConfig

if TYPE_CHECKING:
    from vjepa_mpc.ros.sim.loop import Simulator

_RATES = {field.name: field.default for field in fields(Rates)}

ENTRIES = (
    Entry(
        "real_time_factor",
        _RATES["real_time_factor"],
        "Simulated seconds a second, if the machine keeps up.",
        0.01,
        100.0,
    ),
    Entry("pose_rate", _RATES["pose"], "Steps, poses and joint states a simulated second.", 10.0, 1000.0),
    Entry("image_rate", _RATES["image"], "Camera images a simulated second.", 0.1, 1000.0),
    Entry("image_size", SimConfig().image_size, "Width and height of the images in pixels.", 16, 2048),
    Entry("camera_turn", 0.0, "Degrees that the camera is turned around the scene.", -180.0, 180.0),
    Entry("frame_id", "base", "Name of the robot base frame."),
    Entry("libfranka_address", "", "Loopback address to serve as a Franka's controller; empty: target_pose moves it."),
    Entry("publish_clock", False, "Publish simulated time on /clock."),
    Entry("seed", 0, "Of the block's place at ~/reset when none is given.", 0, 2**31 - 1, dynamic=True),
    Entry("start_pose", None, "Arm pose [x, y, z, rx, ry, rz, closedness] at ~/reset (m, rad).", dynamic=True),
    Entry("block_position", None, "Block's place [x, y] at ~/reset, in m; without it: random from seed.", dynamic=True),
    Entry("block_yaw", 0.0, "Block's yaw at ~/reset when its place is given, in rad.", -3.1416, 3.1416, dynamic=True),
)


@dataclass(frozen=True, kw_only=True)
class SimSettings:
    """A snapshot of the parameters."""

    frame_id: str
    libfranka_address: str
    publish_clock: bool
    rates: Rates
    config: SimConfig
    seed: int
    start_pose: tuple[float, ...] | None
    block_position: tuple[float, ...] | None
    block_yaw: float

    def reset(self, sim: Simulator) -> None:
        """Put arm and block where the parameters want them."""
        given = self.block_position is not None
        sim.reset(
            rng=np.random.default_rng(self.seed),
            block_position=np.array(self.block_position) if given else None,
            block_yaw=self.block_yaw if given else None,
            pose=None if self.start_pose is None else np.array(self.start_pose),
        )


def build_settings(values: Values) -> SimSettings:
    """The snapshot of all values.

    Raises:
        ValueError: values that do not fit together.
    """
    for name, length in (("start_pose", 7), ("block_position", 2)):
        if values[name] is not None and len(values[name]) != length:
            raise ValueError(f"{name}={values[name]}: give {length} numbers")
    if not values["frame_id"]:
        raise ValueError("frame_id='': give the robot base frame's name, e.g. base")
    return SimSettings(
        frame_id=values["frame_id"],
        libfranka_address=values["libfranka_address"],
        publish_clock=values["publish_clock"],
        rates=Rates(pose=values["pose_rate"], image=values["image_rate"], real_time_factor=values["real_time_factor"]),
        config=SimConfig(image_size=values["image_size"], camera=Camera(turn=values["camera_turn"])),
        seed=values["seed"],
        start_pose=values["start_pose"],
        block_position=values["block_position"],
        block_yaw=values["block_yaw"],
    )
