"""A sequence of sub-goals as a folder: one picture each, and ``goals.yaml`` with their order, budgets and gripper.

::

    goals:
      - {picture: 01_above.png, steps: 4, gripper: open}
      - {picture: 02_grasped.png, steps: 10, gripper: "close_after:2"}

``steps`` is optional (the planner's ``goal.steps`` counts then), ``gripper`` too (``free``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vjepa_mpc.files import WriteError, replacing, write_text
from vjepa_mpc.goals.gripper_intent import GripperIntent
from vjepa_mpc.images import decode_image, read_image_bytes

LIST = "goals.yaml"
_FIELDS = {"picture", "steps", "gripper"}
_PNG = b"\x89PNG"
_MOST_STEPS = 1_000_000


@dataclass(frozen=True, eq=False)
class PictureGoal:
    """One sub-goal as people make it.

    Attributes:
        name: what people call it; in a folder the picture's file is named after it.
        picture: PNG or JPEG bytes.
        steps: most steps to it; None for the planner's own budget.
        gripper: as :meth:`GripperIntent.parse` takes it.
    """

    name: str
    picture: bytes
    steps: int | None = None
    gripper: str = GripperIntent.word

    @property
    def format(self) -> str:
        """ "png" or "jpeg"."""
        return "png" if self.picture[:4] == _PNG else "jpeg"


def read_goals(folder: Path) -> tuple[PictureGoal, ...]:
    """The sub-goals of a folder, in their order.

    Raises:
        ValueError: it is none, or something in it cannot be used; the message names the file and what to do.
    """
    file = folder / LIST
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{folder} is no folder of goals: {LIST} cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is no YAML: {error}") from error
    entries = content.get("goals") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{file} lists no goals: give `goals:` with an entry for each picture")
    return tuple(_read(folder, entry, f"{file}, entry {number}") for number, entry in enumerate(entries, 1))


def write_goals(folder: Path, goals: Sequence[PictureGoal]) -> None:
    """Write sub-goals as a folder; of an older sequence there, what this one does not replace is left.

    Raises:
        ValueError: there are none.
        WriteError: it could not be written.
    """
    if not goals:
        raise ValueError(f"{folder}: there is no goal to write")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{folder} could not be made ({error.strerror})") from error
    entries = []
    for number, goal in enumerate(goals, 1):
        name = f"{number:02}_{_plain(goal.name)}.{'png' if goal.format == 'png' else 'jpg'}"
        with replacing(folder / name) as partial:
            partial.write_bytes(goal.picture)
        steps = {} if goal.steps is None else {"steps": goal.steps}
        entries.append({"picture": name, **steps, "gripper": goal.gripper})
    # Last, so that a folder that is half written is not taken for another sequence.
    write_text(folder / LIST, yaml.safe_dump({"goals": entries}, sort_keys=False))


def is_goal_folder(folder: Path) -> bool:
    """Whether a folder has a list of goals."""
    return (folder / LIST).is_file()


def _read(folder: Path, entry: Any, where: str) -> PictureGoal:
    if not isinstance(entry, dict) or not isinstance(entry.get("picture"), str):
        raise ValueError(f"{where}: give picture: FILE, and if wanted steps and gripper")
    unknown = sorted(map(str, entry.keys() - _FIELDS))
    if unknown:
        raise ValueError(f"{where}: {', '.join(unknown)} unknown; known are {', '.join(sorted(_FIELDS))}")
    steps, gripper = entry.get("steps"), entry.get("gripper", GripperIntent.word)
    if steps is not None and (type(steps) is not int or not 1 <= steps <= _MOST_STEPS):
        raise ValueError(f"{where}: steps={steps!r}: give a whole number from 1 to {_MOST_STEPS}")
    try:
        intent = GripperIntent.parse(str(gripper))
        data = read_image_bytes(folder / entry["picture"])
        decode_image(data, f"image file {folder / entry['picture']}")
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return PictureGoal(_name(entry["picture"]), data, steps, str(intent))


def _name(file: str) -> str:
    """What was numbered and plain in a file's name: 01_above.png -> above."""
    return re.sub(r"^\d+_", "", Path(file).stem)


def _plain(name: str) -> str:
    """A name that is good in a file's name everywhere."""
    return re.sub(r"[^A-Za-z0-9-]+", "_", name).strip("_")[:40] or "goal"
