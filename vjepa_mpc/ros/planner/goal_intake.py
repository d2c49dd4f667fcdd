"""From what SetGoal and ReachGoal carry to sub-goals, or a refusal that says what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from vjepa_mpc.goals import endings
from vjepa_mpc.goals.endings.budget import Budget
from vjepa_mpc.goals.endings.interface import Ending
from vjepa_mpc.goals.gripper_intent import GripperIntent
from vjepa_mpc.goals.sub_goal import SubGoal, broadcast_options
from vjepa_mpc.images import decode_image, image_to_rgb, read_image_file

# More sub-goals than this are a mistake; their pictures and latents would fill the memory.
MAX_SUB_GOALS = 256


def sub_goals(request: Any, camera_image: Any | None, defaults: Sequence[Ending]) -> tuple[SubGoal, ...]:
    """The sub-goals that a SetGoal request or a ReachGoal goal asks for.

    Args:
        request: has ``images``, ``image_files``, ``use_current_image``, ``steps`` and ``gripper``.
        camera_image: the camera's newest message, where the request asks for it.
        defaults: what ends sub-goals; ``steps`` of the request take the place of the step budget.

    Raises:
        ValueError: the request cannot be used; the message names the value and the remedy.
    """
    count = _count(request)
    budgets = [endings.replaced(defaults, Budget(steps=int(steps))) for steps in request.steps]
    ends = broadcast_options(count, budgets, tuple(defaults), "steps")
    intents = [GripperIntent.parse(text) for text in request.gripper]
    grippers = broadcast_options(count, intents, GripperIntent(), "gripper")
    pictures = _pictures(request, camera_image)
    return tuple(
        SubGoal(image=image, endings=end, gripper=gripper)
        for image, end, gripper in zip(pictures, ends, grippers, strict=True)
    )


def _count(request: Any) -> int:
    given = {
        "images": len(request.images),
        "image_files": len(request.image_files),
        "use_current_image": int(request.use_current_image),
    }
    used = [name for name, number in given.items() if number]
    if len(used) != 1:
        what = " and ".join(used) or "no picture"
        raise ValueError(f"{what} given: use exactly one of images, image_files and use_current_image")
    count = given[used[0]]
    if count > MAX_SUB_GOALS:
        raise ValueError(f"{count} {used[0]} given: a goal has at most {MAX_SUB_GOALS} sub-goals")
    return count


def _pictures(request: Any, camera_image: Any | None) -> Iterator[np.ndarray]:
    if request.use_current_image:
        yield image_to_rgb(camera_image)
    for index, message in enumerate(request.images):
        yield decode_image(message.data, f"goal image {index}")
    for path in request.image_files:
        yield read_image_file(path)
