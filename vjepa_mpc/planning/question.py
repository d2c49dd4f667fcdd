"""What a planner was asked, so that it can be asked again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from vjepa_mpc.planning.result import PlanResult


@dataclass(frozen=True, eq=False)
class Goal:
    """A goal picture as the world model sees it.

    Attributes:
        latent: [N, D].
        sha256: of the latent's float32 bytes. Made at once, because that waits for the device.
    """

    latent: Tensor
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        content = self.latent.float().cpu().numpy().tobytes()
        object.__setattr__(self, "sha256", hashlib.sha256(content).hexdigest())


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """All that a plan depends on beside the settings, the model and the latent of the present picture.

    Attributes:
        goal: what is to be reached.
        origin: [7] float32 pose at which the actions begin: x, y, z in metres, rx, ry, rz in radians (extrinsic xyz
            Euler), closedness 0 (open) to 1; robot base frame.
        random_state: of the planner's generator before the plan, ``torch.Generator.get_state()``.
        previous: the plan that a warm start begins at.
        proposals: [P, H, 7] action sequences from elsewhere that compete.
        pins: coordinates that are given.
    """

    goal: Goal
    origin: Tensor
    random_state: Tensor
    previous: PlanResult | None = None
    proposals: Tensor | None = None
    pins: Mapping[int, float] = field(default_factory=dict)
