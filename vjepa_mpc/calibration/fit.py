"""The rotation between the axes that the model sees and those of the robot, fitted to known moves.

The model infers the action axes from the picture, so a camera that stands elsewhere than in training turns its actions
about. The remedy of V-JEPA 2 (arXiv 2506.09985, appendix on camera sensitivity): make known moves, ask the model which
actions explain the pictures before and after, and fit a rotation to the pairs by least squares.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from scipy.spatial.transform import Rotation

from vjepa_mpc.files import write_text
from vjepa_mpc.geometry.rotation import check_rotation

PARAMETER = "action_rotation"
_LEAST_PAIRS = 3
_SMALLEST_MOVE = 1e-4  # metres
_RELIABLE_STD = math.radians(5.0)
_RELIABLE_CONFIDENCE = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class RotationFit:
    """A rotation from the model's action axes to the robot's, and how well it explains the moves.

    Attributes:
        matrix: [3, 3]; made ≈ matrix @ planned.
        angle: of the rotation, radians.
        axis: of the rotation, unit [3] in the robot base frame; zeros for no rotation.
        scale: how many times longer the moves were than the model thought; only reported, not corrected.
        residual: root mean square of made - matrix @ planned, metres.
        residual_before: the same without the rotation.
        direction_error: mean angle between made and matrix @ planned, radians.
        direction_error_before: the same without the rotation.
        angle_std: one-sigma uncertainty of the rotation about its worst-determined axis, radians.
        confidence: share of the moves' squared length that scaled and turned actions explain, 0 … 1.
        count: how many moves.
    """

    matrix: np.ndarray
    angle: float
    axis: np.ndarray
    scale: float
    residual: float
    residual_before: float
    direction_error: float
    direction_error_before: float
    angle_std: float
    confidence: float
    count: int

    @property
    def reliable(self) -> bool:
        """Whether to use it: well determined (5°), and most of the motion explained."""
        return self.angle_std <= _RELIABLE_STD and self.confidence >= _RELIABLE_CONFIDENCE

    def __str__(self) -> str:
        return (
            f"{math.degrees(self.angle):.1f}° ± {math.degrees(self.angle_std):.1f}° about "
            f"{np.round(self.axis, 2).tolist()}, residual {self.residual * 100:.2f} cm "
            f"(before {self.residual_before * 100:.2f} cm), mean direction error "
            f"{math.degrees(self.direction_error):.1f}° (before {math.degrees(self.direction_error_before):.1f}°), "
            f"confidence {self.confidence:.2f}, {self.count} moves"
        )


def fit_rotation(planned: np.ndarray, made: np.ndarray) -> RotationFit:
    """The rotation that turns the model's actions into the moves that were made, least squares (R = U Vᵀ).

    Args:
        planned: [n, 3] translations by which the model explains the moves, metres.
        made: [n, 3] translations that the robot measured, metres, robot base frame.

    Raises:
        ValueError: fewer than three pairs, values that are not finite, moves too small or all along one line.
    """
    source, moved = np.array(planned, dtype=np.float64), np.array(made, dtype=np.float64)
    _check_pairs(source, moved)
    u, singular, vt = np.linalg.svd(moved.T @ source)
    signs = np.array([1.0, 1.0, float(np.sign(np.linalg.det(u @ vt)))])  # a rotation, never a reflection
    matrix = u @ np.diag(signs) @ vt
    turned = source @ matrix.T
    scale = float(singular @ signs / np.sum(source**2))
    vector = _rotation_vector(matrix)
    angle = float(np.linalg.norm(vector))
    return RotationFit(
        matrix=matrix,
        angle=angle,
        axis=vector / angle if angle > 0.0 else vector,
        scale=scale,
        residual=_rms(moved - turned),
        residual_before=_rms(moved - source),
        direction_error=mean_direction_error(turned, moved),
        direction_error_before=mean_direction_error(source, moved),
        angle_std=_angle_std(scale * turned, moved),
        confidence=float(np.clip(1.0 - np.sum((moved - scale * turned) ** 2) / np.sum(moved**2), 0.0, 1.0)),
        count=len(moved),
    )


def mean_direction_error(planned: np.ndarray, made: np.ndarray) -> float:
    """Mean angle in radians between pairs of translations [n, 3]."""
    lengths = np.linalg.norm(planned, axis=1) * np.linalg.norm(made, axis=1)
    cosines = np.sum(planned * made, axis=1) / np.maximum(lengths, _SMALLEST_MOVE**2)
    return float(np.arccos(np.clip(cosines, -1.0, 1.0)).mean())


def save_rotation(path: str | os.PathLike[str], fit: RotationFit) -> None:
    """Write a ROS parameter file that sets the planner node's `action_rotation`, replacing the file as a whole."""
    target = Path(path)
    numbers = ", ".join(f"{value:.9f}" for value in fit.matrix.ravel())
    text = f"# Camera calibration: {fit}\n/**:\n  ros__parameters:\n    {PARAMETER}: [{numbers}]\n"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, text)


def load_rotation(path: str | os.PathLike[str]) -> np.ndarray:
    """The rotation matrix [3, 3] of a file that :func:`save_rotation` wrote.

    Raises:
        ValueError: the file says something else; the message says what.
        OSError: the file cannot be read.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        numbers = np.array(content["/**"]["ros__parameters"][PARAMETER], dtype=np.float64)
        return check_rotation(numbers.reshape(3, 3))
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a calibration file ({error!r}): write one with save_rotation") from error


def _check_pairs(planned: np.ndarray, made: np.ndarray) -> None:
    if planned.shape != made.shape or planned.ndim != 2 or planned.shape[1] != 3:
        raise ValueError(
            f"moves {list(planned.shape)} and {list(made.shape)}: give two arrays [n, 3] of the same length"
        )
    if len(planned) < _LEAST_PAIRS:
        raise ValueError(f"{len(planned)} moves: a rotation needs at least {_LEAST_PAIRS}, better 10")
    if not (np.isfinite(planned).all() and np.isfinite(made).all()):
        raise ValueError("a move is not finite: check the poses and the world model")
    for name, moves in (("planned", planned), ("made", made)):
        spread = np.linalg.svd(moves, compute_uv=False)
        if spread[1] < _SMALLEST_MOVE:
            raise ValueError(f"the {name} moves are too small or lie along one line: move along two axes or more")


def _rms(differences: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.sum(differences**2, axis=1))))


def _rotation_vector(matrix: np.ndarray) -> np.ndarray:
    return np.asarray(Rotation.from_matrix(matrix).as_rotvec())


def _angle_std(explained: np.ndarray, made: np.ndarray) -> float:
    """From the linearised fit: a small turn δ changes a move p by δ × p, so information is Σ |p|² I - p pᵀ."""
    information = np.sum(explained**2) * np.eye(3) - explained.T @ explained
    variance = np.sum((made - explained) ** 2) / (3 * len(made) - 3)
    return float(np.sqrt(variance / np.linalg.eigvalsh(information)[0]))
