"""Three-axis rotary position embedding exactly as the published V-JEPA 2 weights were trained with it.

Source: upstream ``src/models/utils/modules.py`` (``rotate_queries_or_keys``, ``RoPEAttention``, ``ACRoPEAttention``).
Two properties look like mistakes and must stay: inside an axis' part of the head the frequencies are *tiled*
(f0..fk, f0..fk) while the rotation pairs *adjacent* features, and features left over after three equal even parts are
not rotated. V-JEPA 2.1 (``app/vjepa_2_1/models/utils/modules.py``) has corrected the first and kept the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

_BASE = 10000.0


class RopeTable(NamedTuple):
    """Factors of :func:`rotate` for a run of tokens, each [tokens, head_dim], float32."""

    cos: Tensor
    signed_sin: Tensor  # the sine, negated where the paired feature enters with a minus

    @classmethod
    def joined(cls, tables: Sequence[RopeTable]) -> RopeTable:
        """The factors of several runs, one after the other."""
        return cls(torch.cat([table.cos for table in tables]), torch.cat([table.signed_sin for table in tables]))

    def select(self, tokens: slice) -> RopeTable:
        """The factors of some of the tokens."""
        return RopeTable(self.cos[tokens], self.signed_sin[tokens])


def axis_dim(head_dim: int) -> int:
    """Features of a head that one of the three axes rotates."""
    return 2 * ((head_dim // 3) // 2)


def rope_table(positions: Tensor, head_dim: int, interleaved: bool = False) -> RopeTable:
    """Factors for tokens at the given positions.

    Args:
        positions: [tokens, axes] with up to three axes (time, height, width). An axis that is missing leaves its
            features unrotated, which is how action and state tokens (time only) are treated.
        head_dim: features of one attention head.
        interleaved: give both features of a rotated pair the same frequency (f0, f0, f1, f1 ..), as V-JEPA 2.1 does.
    """
    part = axis_dim(head_dim)
    frequencies = _BASE ** (-torch.arange(part // 2, dtype=torch.float32, device=positions.device) / (part / 2))
    angles = torch.zeros(len(positions), head_dim, device=positions.device)
    for axis in range(positions.shape[1]):
        angle = positions[:, axis : axis + 1].float() * frequencies
        both = angle.repeat_interleave(2, dim=-1) if interleaved else torch.cat([angle, angle], dim=-1)
        angles[:, axis * part : (axis + 1) * part] = both
    sign = torch.ones(head_dim, device=positions.device)
    sign[0::2] = -1.0
    return RopeTable(angles.cos(), angles.sin() * sign)


def grid_positions(steps: int, height: int, width: int, first_step: int = 0) -> Tensor:
    """(time, height, width) of every patch of ``steps`` frames, [steps * height * width, 3]."""
    return torch.cartesian_prod(
        torch.arange(first_step, first_step + steps), torch.arange(height), torch.arange(width)
    ).reshape(-1, 3)


def rotate(x: Tensor, table: RopeTable) -> Tensor:
    """Rotate queries or keys [..., tokens, head_dim] by a table of [tokens, head_dim]; the result is float32."""
    swapped = torch.empty_like(x)  # filled in two strided copies, which is faster than stacking the two halves
    swapped[..., 0::2], swapped[..., 1::2] = x[..., 1::2], x[..., 0::2]
    return (x * table.cos).addcmul_(swapped, table.signed_sin)
