"""From what SetGoal and ReachGoal carry to sub-goals, or a refusal that says what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from vjepa_mpc.goals import endings
from vjepa_mpc.goals.endings.budget import Budget
from vjepa_mpc.goals.endings.interface import Ending
from vjepa_mpc.goals.gripper_intent import GripperIntent
from vjepa_mpc.goals.picture import PictureChecks
from vjepa_mpc.goals.sub_goal import SubGoal, broadcast_options
from vjepa_mpc.images import ImageError, decode_image, image_to_rgb, read_image_file

# More sub-goals than this are a mistake; their pictures and latents would fill the memory.
MAX_SUB_GOALS = 256


def sub_goals(
    request: Any, camera_image: Any | None, defaults: Sequence[Ending], checks: PictureChecks
) -> tuple[SubGoal, ...]:
    """The sub-goals that a SetGoal request or a ReachGoal goal asks for.

    Args:
        request: has ``images``, ``image_files``, ``use_current_image``, ``steps`` and ``gripper``.
        camera_image: the camera's newest message, which other pictures are compared with; None while there is none.
        defaults: what ends sub-goals; ``steps`` of the request take the place of the step budget.

        checks: what is asked of pictures.

    Raises:
        ValueError: the request cannot be used; the message names the value and the remedy.
    """
    count = _count(request)
    budgets = [endings.replaced(defaults, Budget(steps=int(steps))) for steps in request.steps]
    ends = broadcast_options(count, budgets, tuple(defaults), "steps")
    intents = [GripperIntent.parse(text) for text in request.gripper]
    grippers = broadcast_options(count, intents, GripperIntent(), "gripper")
    pictures = _pictures(request, camera_image, checks)
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


def _pictures(request: Any, camera_image: Any | None, checks: PictureChecks) -> Iterator[np.ndarray]:
    if request.use_current_image:
        yield image_to_rgb(camera_image)
        return
    camera = _readable(camera_image)
    for index, message in enumerate(request.images):
        name = f"goal image {index}"
        yield _checked(decode_image(message.data, name), camera, name, checks)
    for path in request.image_files:
        yield _checked(read_image_file(path), camera, f"image file {path}", checks)


def _checked(goal: np.ndarray, camera: np.ndarray | None, name: str, checks: PictureChecks) -> np.ndarray:
    if camera is not None:
        checks.require(goal, camera, name)
    return goal


def _readable(camera_image: Any | None) -> np.ndarray | None:
    """The camera's picture; None while there is none, or one of which the supervisor says that it cannot be used."""
    with suppress(ImageError):
        return None if camera_image is None else image_to_rgb(camera_image)
    return None
