"""How well the arm's position can be read from a frozen encoder's latents: whether the encoder is the limit."""

from __future__ import annotations

import numpy as np

from vjepa_mpc.sim import FrankaSim
from vjepa_mpc.sim.moves import down_pose
from vjepa_mpc.worldmodel import WorldModel

_HELD_OUT = 0.25  # of the pictures
_RIDGE = 1e-2  # of the latents' mean variance; between 1e-4 and 1e-1 the bundled model's figure changes by a third


def position_error(world_model: WorldModel, sim: FrankaSim, pictures: int, seed: int) -> float:
    """Median error in metres of a linear probe of the gripper's position, on pictures that it was not fitted to.

    Args:
        world_model: its encoder is probed.
        sim: with the camera to look through; the arm is drawn anywhere in its workspace.
        pictures: how many, of which a quarter is held out.
        seed: of the positions.
    """
    box = sim.config.workspace
    positions = np.random.default_rng(seed).uniform(box.low, box.high, (pictures, 3))
    sim.reset()
    latents = np.stack([_latent(world_model, sim.goal_image(down_pose(position))) for position in positions])
    split = pictures - round(_HELD_OUT * pictures)
    read = _ridge(latents[:split], positions[:split], latents[split:])
    return float(np.median(np.linalg.norm(read - positions[split:], axis=1)))


def _latent(world_model: WorldModel, image: np.ndarray) -> np.ndarray:
    return np.asarray(world_model.encode(image[None])[0].float().cpu().numpy(), dtype=np.float64).ravel()


def _ridge(known: np.ndarray, values: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Values [m, k] at ``asked`` [m, d] by ridge regression from [n, d] to [n, k], in its dual form as d is large."""
    mean, offset = known.mean(axis=0), values.mean(axis=0)
    centred = known - mean
    gram = centred @ centred.T
    weights = np.linalg.solve(gram + _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram)), values - offset)
    return np.asarray((asked - mean) @ centred.T @ weights + offset)
