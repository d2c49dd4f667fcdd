"""Few numbers a picture to align runs by, and few a patch to compare them by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vjepa_mpc.monitor.sight import Sights

_PICTURE, _PATCH = 32, 32  # principal components
_SAMPLES = 300  # pictures that they are found in
_SHARPNESS = 6.0  # nats that a picture one standard deviation off costs, in all
_STATE_SHARE = 0.5  # of it, where the arm tells its state


@dataclass(frozen=True, kw_only=True, eq=False)
class Projection:
    """Principal components of the latents of pictures, and of patches.

    Attributes:
        picture_mean: [N * D].
        picture: [F, N * D].
        patch_mean: [D].
        patch: [K, D].
    """

    picture_mean: np.ndarray
    picture: np.ndarray
    patch_mean: np.ndarray
    patch: np.ndarray

    def pictures(self, sights: Sights, *, states: bool) -> np.ndarray:
        """Features [T, F] to align by, with the arm's position and closedness behind where states are used."""
        flat = sights.latents.reshape(len(sights), -1) - self.picture_mean
        seen = flat @ self.picture.T
        if not states or sights.states is None:
            return seen
        return np.concatenate([seen, sights.states[:, [0, 1, 2, 6]]], axis=1)

    def patches(self, sights: Sights) -> np.ndarray:
        """Features [T, N, K + 1] of patches; the last one is what the components do not show."""
        centred = sights.latents - self.patch_mean
        shown = centred @ self.patch.T
        rest = np.maximum((centred**2).sum(-1) - (shown**2).sum(-1), 0.0)
        return np.concatenate([shown, np.sqrt(rest)[..., None]], axis=-1).astype(np.float32)


def fit_projection(runs: Sequence[Sights], rng: np.random.Generator) -> Projection:
    """Find the components in normal runs."""
    latents = np.concatenate([run.latents[:: max(1, sum(map(len, runs)) // _SAMPLES)] for run in runs])
    flat = latents.reshape(len(latents), -1)
    tokens = latents.reshape(-1, latents.shape[-1])
    tokens = tokens[rng.permutation(len(tokens))[: 60 * _SAMPLES]]
    return Projection(
        picture_mean=flat.mean(axis=0),
        picture=_components(flat - flat.mean(axis=0), _PICTURE),
        patch_mean=tokens.mean(axis=0),
        patch=_components(tokens - tokens.mean(axis=0), _PATCH),
    )


def _components(centred: np.ndarray, count: int) -> np.ndarray:
    """Orthonormal rows [count, D]; fewer where there are not so many."""
    rows, width = centred.shape
    if rows < width:
        _, vectors = np.linalg.eigh(centred @ centred.T)
        kept = vectors[:, ::-1][:, : min(count, rows - 1)]
        directions = kept.T @ centred
        return (directions / (np.linalg.norm(directions, axis=1, keepdims=True) + 1e-12)).astype(np.float32)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    return np.ascontiguousarray(vectors[:, ::-1][:, :count].T).astype(np.float32)


def shares(components: int, *, states: bool) -> np.ndarray:
    """How much each feature of :meth:`Projection.pictures` counts in the alignment; latents and states in halves."""
    if not states:
        return np.full(components, _SHARPNESS / components)
    seen = np.full(components, _SHARPNESS * (1 - _STATE_SHARE) / components)
    return np.concatenate([seen, np.full(4, _SHARPNESS * _STATE_SHARE / 4)])


def colours(sights: Sights) -> np.ndarray:
    """Mean colours float32 [T, N, 12] of the four quarters of each patch, 0 to 255."""
    count, side = len(sights), sights.side
    half = sights.small.shape[1] // side // 2
    quarters = sights.small.reshape(count, side, 2, half, side, 2, half, 3).mean(axis=(3, 6))
    return quarters.transpose(0, 1, 3, 2, 4, 5).reshape(count, side * side, 12).astype(np.float32)
