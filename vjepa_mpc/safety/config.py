"""Which inputs are watched, in which order, and the settings of all guards: the place to add an input guard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vjepa_mpc.options import option
from vjepa_mpc.safety.guards.following import FollowingGuard
from vjepa_mpc.safety.guards.gripper import GripperGuard
from vjepa_mpc.safety.guards.image import ImageGuard
from vjepa_mpc.safety.guards.interface import InputGuard, StepGuard
from vjepa_mpc.safety.guards.permission import PermissionGuard
from vjepa_mpc.safety.guards.plan import PlanGuard
from vjepa_mpc.safety.guards.pose import PoseGuard
from vjepa_mpc.safety.guards.progress import ProgressGuard
from vjepa_mpc.safety.guards.surprise import SurpriseGuard

INPUT_GUARDS: tuple[type[InputGuard[Any]], ...] = (PermissionGuard, GripperGuard, PoseGuard, ImageGuard)
"""In the order in which they are asked; the first one that finds something wrong gives the reason.

Objections come first, as somebody wants them. The gripper comes before the pose, whose plausibility depends on the
closedness, and the pose before the image, whose changes are compared with the arm's motion. What has not come yet is
named in the opposite order: image first.
"""

STEP_GUARDS: tuple[type[StepGuard], ...] = (ProgressGuard, SurpriseGuard)
"""In the order in which they are asked."""


@dataclass(frozen=True, kw_only=True)
class SupervisorConfig(
    PlanGuard.Options,
    ProgressGuard.Options,
    SurpriseGuard.Options,
    FollowingGuard.Options,
    GripperGuard.Options,
    PoseGuard.Options,
    ImageGuard.Options,
    PermissionGuard.Options,
):
    """What the supervisor lets pass: the options of all guards under one roof. Seconds, metres, radians.

    Raises:
        ValueError: a value is unusable; the message says what to use.
    """

    recovery_time: float = option(
        0.5, "Everything must be well for this long before a hold ends.", unit="s", low=0.0, high=60.0
    )
