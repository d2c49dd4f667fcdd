"""`vjepa-mpc landscape`: lowest where the arm really went; a model that does not see the scene is called flat."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("rosbags", reason="the packages of the extra `data` are not installed")

from support.rigs import exact_model
from support.rigs.plan_recordings import MODEL, START, WANTED, Recorded
from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.images import encode_png
from vjepa_mpc.tools.cli import main

POSE = ("--pose", *map(str, START))


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[str, str]:
    for name, state in (("seen", START), ("wanted", WANTED)):
        (tmp_path / f"{name}.png").write_bytes(encode_png(exact_model.draw(state)))
    return str(tmp_path / "seen.png"), str(tmp_path / "wanted.png")


def shown(capsys: pytest.CaptureFixture[str], tmp_path: Path, *arguments: str) -> dict[str, Any]:
    assert main(["landscape", *arguments, "--json", "--out", str(tmp_path / "found.png")]) == ExitStatus.DONE
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found == json.loads((tmp_path / "found.json").read_text())
    with Image.open(io.BytesIO((tmp_path / "found.png").read_bytes())) as picture:
        assert picture.width > 1000 and len(np.unique(np.asarray(picture.convert("L")))) > 100
    return found


def test_it_is_lowest_where_the_goal_is(
    pictures: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = shown(capsys, tmp_path, "pictures", *pictures, *POSE, "--model", MODEL)
    step = found["axis_metres"][1] - found["axis_metres"][0]
    np.testing.assert_allclose(found["lowest_metres"], (WANTED - START)[:3], atol=1.01 * step)
    np.testing.assert_allclose(found["chosen"][:3], (WANTED - START)[:3], atol=0.01)
    assert not found["flat"] and found["contrast"] > found["contrast_of_nothing"] and found["true"] is None
    assert found["doubtful"] == (found["contrast"] < 2.0 * found["contrast_of_nothing"])
    assert found["says"].startswith("It is doubtful") == found["doubtful"]
    first, last = (np.array(found["iterations"][which]["actions"])[:, :3].std() for which in (0, -1))
    assert last < 0.7 * first, "samples draw together"


def test_a_model_that_does_not_heed_actions_is_called_flat(
    pictures: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = shown(capsys, tmp_path, "pictures", *pictures, *POSE, "--model", f"{exact_model.__name__}:deaf")
    assert found["flat"] and found["contrast"] == pytest.approx(0.0, abs=1e-4)
    assert found["says"].startswith("The landscape is flat: where the hand goes changes the energy by 0.0%")


@pytest.mark.filterwarnings("ignore:.*it has no stamps")
def test_the_true_action_of_an_episode_is_in_the_valley(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = exact_model.write(tmp_path / "arm.npz", episodes=2, length=12)
    found = shown(capsys, tmp_path, "data", str(data), "--model", MODEL, "--at", "0.5", "--ahead", "0.25")
    states = exact_model.states(0, 12)
    np.testing.assert_allclose(found["true"], (states[3] - states[2]), atol=1e-6)
    np.testing.assert_allclose(found["chosen"][:3], found["true"][:3], atol=0.015)
    assert main(["landscape", "data", str(data), "--model", MODEL, "--at", "99"]) == ExitStatus.MISUSED
    assert "ends after 2.75 s" in capsys.readouterr().err


def test_a_recorded_cycle_has_the_plan_that_was_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps = Recorded(steps=2).write(tmp_path / "run")
    found = shown(capsys, tmp_path, "run", str(tmp_path / "run"), "--step", "2")
    assert steps[1].plan is not None
    np.testing.assert_allclose(found["chosen"], steps[1].plan.actions.double().sum(dim=0).numpy(), atol=1e-12)
