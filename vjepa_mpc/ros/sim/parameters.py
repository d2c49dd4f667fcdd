"""Parameters of the simulator's node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vjepa_mpc.options import build, group, option, parameters
from vjepa_mpc.ros.parameters.arguments import NodeParameters
from vjepa_mpc.ros.parameters.live import Values
from vjepa_mpc.ros.sim.loop import Rates
from vjepa_mpc.sim import SimConfig

if TYPE_CHECKING:
    from vjepa_mpc.ros.sim.loop import Simulator


@dataclass(frozen=True, kw_only=True)
class SimSettings:
    """A snapshot of the parameters.

    Raises:
        ValueError: values that do not fit together.
    """

    rates: Rates = group(Rates, title="Simulation")
    config: SimConfig = group(SimConfig)
    frame_id: str = option("base", "Name of the robot base frame.")
    libfranka_address: str = option(
        "",
        "Loopback address at which the simulator serves as a Franka's controller; empty: the topic target_pose moves "
        "the arm.",
    )
    publish_clock: bool = option(False, "Publish simulated time on /clock.")
    seed: int = option(
        0,
        "Seed of the block's random place at ~/reset when none is given.",
        low=0,
        high=2**31 - 1,
        live=True,
        title="Scene",
    )
    start_pose: tuple[float, ...] | None = option(
        None,
        "Arm pose [x, y, z, rx, ry, rz, closedness] at ~/reset; without it the middle of the workspace.",
        unit="m, rad",
        live=True,
    )
    block_position: tuple[float, ...] | None = option(
        None, "Place [x, y] of the block at ~/reset; without it a random one by seed.", unit="m", live=True
    )
    block_yaw: float = option(
        0.0,
        "Rotation of the block about the vertical at ~/reset, when its place is given.",
        unit="rad",
        low=-3.1416,
        high=3.1416,
        live=True,
    )

    def __post_init__(self) -> None:
        for name, length in (("start_pose", 7), ("block_position", 2)):
            value = getattr(self, name)
            if value is not None and len(value) != length:
                raise ValueError(f"{name}={value}: give {length} numbers")
        if not self.frame_id:
            raise ValueError("frame_id='': give the robot base frame's name, e.g. base")

    def reset(self, sim: Simulator) -> None:
        """Put arm and block where the parameters want them."""
        given = self.block_position is not None
        sim.reset(
            rng=np.random.default_rng(self.seed),
            block_position=np.array(self.block_position) if given else None,
            block_yaw=self.block_yaw if given else None,
            pose=None if self.start_pose is None else np.array(self.start_pose),
        )


PARAMETERS = parameters(SimSettings)
NODE = NodeParameters(
    "sim_node", lambda values: PARAMETERS, "A simulated Franka arm with its camera, in the place of a real one."
)


def build_settings(values: Values) -> SimSettings:
    """The snapshot of all values.

    Raises:
        ValueError: values that do not fit together.
    """
    return build(SimSettings, values)
