"""Files and boxes that launch arguments name; every profile and every documented launch command can be used."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from vjepa_mpc.geometry.limits import WorkspaceBox
from vjepa_mpc.ros.launching.arguments import PLAN_ARGUMENTS
from vjepa_mpc.ros.launching.files import absolute, existing_file, robot_profile, workspace
from vjepa_mpc.ros.parameters.yaml_text import read_parameter_file
from vjepa_mpc.ros.teach_workspace.box import write_box

ROOT = Path(__file__).resolve().parents[3]
ROBOTS = ROOT / "config/robots"
BOX = {"workspace.lower": [0.3, -0.25, 0.05], "workspace.upper": [0.65, 0.25, 0.45]}
DOCUMENTS = "\n".join(
    path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")))
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_the_home_folder_is_expanded(home: Path) -> None:
    (home / "a.yaml").touch()
    assert existing_file("params_file", "~/a.yaml") == home / "a.yaml"
    assert absolute(" ~/not there.png") == home / "not there.png"
    assert robot_profile("~/a.yaml", ROBOTS) == home / "a.yaml"


def test_a_missing_file_is_named_with_argument_and_remedy(home: Path) -> None:
    with pytest.raises(FileNotFoundError, match=rf"calibration:=~/c.yaml: {home}/c.yaml does not exist; make it"):
        existing_file("calibration", "~/c.yaml", "make it")
    with pytest.raises(FileNotFoundError, match=r"workspace:=box: .*six numbers"):
        workspace("box")


def test_a_misspelt_profile_is_told_the_nearest() -> None:
    with pytest.raises(FileNotFoundError, match=r"robot:=fr3_crips.* did you mean fr3_crisp"):
        robot_profile("fr3_crips", ROBOTS)
    with pytest.raises(FileNotFoundError, match="fr3_crisp, fr3_libfranka"):
        robot_profile("ur10", ROBOTS)


@pytest.mark.parametrize(
    "text",
    ["0.3,-0.25,0.05,0.65,0.25,0.45", "0.3 -0.25 0.05 0.65 0.25 0.45", "[0.3, -0.25, 0.05], [0.65, 0.25, 0.45]"],
)
def test_a_workspace_is_six_numbers(text: str) -> None:
    assert workspace(text) == BOX


def test_a_workspace_may_be_the_file_of_teach_workspace(home: Path) -> None:
    box = WorkspaceBox(lower=tuple(BOX["workspace.lower"]), upper=tuple(BOX["workspace.upper"]))
    write_box(home / "workspace.yaml", box, "base")
    assert workspace("~/workspace.yaml") == BOX


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.3,0.2,0.1", "these are 3 numbers; give six"),
        ("300,-250,50,650,250,450", "give metres"),
        ("0.65,-0.25,0.05,0.3,0.25,0.45", "workspace x: lower 0.65 is not below upper 0.3"),
        ("nan,-0.25,0.05,0.3,0.25,0.45", "three finite numbers"),
    ],
)
def test_what_is_no_box_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        workspace(text)


def test_a_file_without_a_box_is_no_workspace(home: Path) -> None:
    (home / "other.yaml").write_text("/**:\n  ros__parameters:\n    workspace.lower: [0.1, 0.1, 0.1]\n")
    with pytest.raises(ValueError, match=r"does not state workspace.lower and workspace.upper"):
        workspace("~/other.yaml")


def launch_commands() -> list[dict[str, str]]:
    """The arguments of every plan.launch.py command in README and documents."""
    text = DOCUMENTS.replace("\\\n", " ")
    commands = re.findall(r"^ros2 launch vjepa_mpc plan\.launch\.py(.*)$", text, re.M)
    return [dict(word.split(":=", 1) for word in shlex.split(command, comments=True)) for command in commands]


def test_documented_commands_have_arguments_that_there_are() -> None:
    commands = launch_commands()
    assert len(commands) >= 4
    names = {argument.name for argument in PLAN_ARGUMENTS}
    assert {name for command in commands for name in command} <= names


def test_documented_commands_for_a_real_arm_give_a_workspace() -> None:
    """No profile of a real arm has one, and without one the planner is not activated."""
    real = [command for command in launch_commands() if command.get("sim") != "true"]
    assert real
    for command in real:
        assert "workspace" in command, command
        if not command["workspace"].endswith(".yaml"):
            workspace(command["workspace"])


@pytest.mark.parametrize("path", sorted(ROBOTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_real_profile_is_started_by_a_command_in_itself_or_a_document(path: Path) -> None:
    """With a workspace: it stands in the profile, or the command gives it."""
    if "workspace.lower" in {entry.name for entry in read_parameter_file(str(path)).entries}:
        return
    assert re.search(rf"robot:={path.stem} workspace:=", path.read_text(encoding="utf-8") + DOCUMENTS)
