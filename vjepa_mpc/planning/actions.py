"""What is searched: x, y, z and gripper of each step, within bounds, some of them given."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from vjepa_mpc.planning.config import CEMConfig
from vjepa_mpc.planning.pins import GRIPPER

ACTION_DIM = 7
SEARCH_DIM = 4  # x, y, z and gripper
# Where x, y, z and gripper stand in an action [dx, dy, dz, drx, dry, drz, dgripper].
_SEARCHED = (0, 1, 2, 6)


class ActionSpace:
    """Sequences of searched coordinates [H, ..., 4] and what they mean as actions [..., H, 7]."""

    def __init__(self, config: CEMConfig, device: torch.device) -> None:
        self._horizon, self._device = config.rollout, device
        self._dead_band, self._close_gripper = config.gripper_dead_band, config.close_gripper
        self._always_pinned = config.axis
        # Written in place by `pin`, so that a recorded iteration reads what is pinned now.
        self._pinned = torch.zeros(SEARCH_DIM, dtype=torch.bool, device=device)
        self._pin_values = torch.zeros(SEARCH_DIM, device=device)
        self.pin({})
        self._bound = self.per_axis(config.maxnorm, config.gripper_clip)
        self.first_std = self.per_axis(config.maxnorm, 1.0).expand(self._horizon, SEARCH_DIM)

    def per_axis(self, xyz: float, gripper: float) -> Tensor:
        """[4] with one value for x, y, z and one for the gripper."""
        return torch.tensor([xyz, xyz, xyz, gripper], device=self._device)

    def pin(self, pins: Mapping[int, float]) -> None:
        """From now on give these coordinates, beside those that the settings give, at every step."""
        given = {**self._always_pinned, **pins}
        self._pinned.copy_(torch.tensor([axis in given for axis in range(SEARCH_DIM)]))
        self._pin_values.copy_(torch.tensor([given.get(axis, 0.0) for axis in range(SEARCH_DIM)]))

    def first_mean(self) -> Tensor:
        """[H, 4]: no motion, but for the coordinates that are given."""
        return self._pin_values.repeat(self._horizon, 1)

    def admit(self, candidates: Tensor) -> Tensor:
        """Candidates [H, S, 4] clipped to the bounds, with the coordinates that are given."""
        candidates = torch.where(self._pinned, self._pin_values, candidates.clamp(-self._bound, self._bound))
        if self._close_gripper is not None:
            candidates[self._close_gripper :, :, GRIPPER] = 1.0
        return candidates

    def to_actions(self, searched: Tensor) -> Tensor:
        """[..., 4] -> [..., 7] with zero rotation."""
        position, gripper = searched.split((GRIPPER, 1), dim=-1)
        return torch.cat([position, torch.zeros_like(position), gripper], dim=-1)

    def to_searched(self, actions: Tensor) -> Tensor:
        """[..., 7] -> [..., 4] without rotation."""
        return actions[..., _SEARCHED]

    def from_actions(self, actions: Tensor) -> Tensor:
        """[P, H', 7] -> [H, P, 4]; the last step of a shorter sequence is repeated, rotations are left out."""
        missing = self._horizon - actions.shape[1]
        if missing > 0:
            actions = torch.cat([actions, actions[:, -1:].expand(-1, missing, -1)], dim=1)
        return actions[:, : self._horizon, _SEARCHED].transpose(0, 1).to(self._device)

    def without_small_gripper_moves(self, searched: Tensor) -> Tensor:
        """[H, 4] with the gripper's dead band applied."""
        result = searched.clone()
        small = result[:, GRIPPER].abs() < self._dead_band
        result[:, GRIPPER] = result[:, GRIPPER].masked_fill(small, 0.0)
        return result
