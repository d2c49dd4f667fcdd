"""Files that launch arguments name: found, with ``~`` expanded, or refused."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from vjepa_mpc.files import expanded
from vjepa_mpc.geometry.limits import WorkspaceBox
from vjepa_mpc.ros.parameters.yaml_text import read_parameter_file

FARTHEST = 3.0  # metres; no arm of this kind reaches half as far, so larger numbers are in another unit
CORNERS = ("workspace.lower", "workspace.upper")


def absolute(text: str) -> Path:
    """The absolute path that a text means, with ``~`` expanded: the shell does not do that after ``:=``."""
    return expanded(text.strip()).absolute()


def existing_file(argument: str, text: str, remedy: str = "check its spelling") -> Path:
    """The absolute path of a file that an argument names.

    Raises:
        FileNotFoundError: there is none.
    """
    path = absolute(text)
    if not path.exists():
        raise FileNotFoundError(f"{argument}:={text}: {path} does not exist; {remedy}")
    return path


def robot_profile(robot: str, folder: Path) -> Path:
    """The YAML file of a robot profile, which is named or given as a file.

    Raises:
        FileNotFoundError: there is none; the message lists the profiles.
    """
    if robot.endswith((".yaml", ".yml")):
        return existing_file("robot", robot)
    path = folder / f"{robot}.yaml"
    if not path.is_file():
        known = sorted(file.stem for file in folder.glob("*.yaml"))
        near = difflib.get_close_matches(robot, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"give a YAML file or one of {', '.join(known)}"
        raise FileNotFoundError(f"robot:={robot}: there is no such profile; {hint}")
    return path


def workspace(text: str) -> dict[str, list[float]]:
    """The planner's workspace parameters from six numbers, or from the file that `teach_workspace` wrote.

    Raises:
        FileNotFoundError: no numbers, and there is no such file.
        ValueError: no box in metres.
    """
    numbers = _numbers(text)
    if numbers is None:
        path = existing_file(
            "workspace", text, "give six numbers, x,y,z of the lower corner and then of the upper one, or a YAML file"
        )
        numbers = _corners_in(path)
    if len(numbers) != 6:
        raise ValueError(
            f"workspace:={text}: these are {len(numbers)} numbers; give six, x,y,z of the lower corner and then of the "
            "upper one, e.g. workspace:=0.3,-0.25,0.05,0.65,0.25,0.45"
        )
    if any(abs(number) > FARTHEST for number in numbers):
        raise ValueError(f"workspace:={text}: no arm reaches that far; give metres")
    lower, upper = (numbers[0], numbers[1], numbers[2]), (numbers[3], numbers[4], numbers[5])
    box = WorkspaceBox(lower=lower, upper=upper)
    return dict(zip(CORNERS, (list(box.lower), list(box.upper)), strict=True))


def _numbers(text: str) -> list[float] | None:
    try:
        return [float(part) for part in re.split(r"[\s,;\[\]]+", text) if part]
    except ValueError:
        return None


def _corners_in(path: Path) -> list[float]:
    found = {entry.name: entry.value for entry in read_parameter_file(str(path)).entries if entry.name in CORNERS}
    if len(found) != len(CORNERS):
        raise ValueError(f"workspace:={path}: it does not state {' and '.join(CORNERS)}")
    return [float(number) for name in CORNERS for number in found[name]]
