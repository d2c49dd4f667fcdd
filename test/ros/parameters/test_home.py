"""`~` means the home folder wherever a node is given a path without a shell: in parameters, files and requests."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

from vjepa_mpc.srv import SetGoal

from vjepa_mpc.controller.assembly import ModelSettings, load_model
from vjepa_mpc.goals.picture import PictureChecks
from vjepa_mpc.images import encode_png
from vjepa_mpc.ros.calibrate.parameters import CalibrationSettings
from vjepa_mpc.ros.parameters.yaml_text import FileError, read_parameter_file
from vjepa_mpc.ros.planner.goal_intake import sub_goals
from vjepa_mpc.ros.recorder.parameters import RecorderSettings
from vjepa_mpc.worldmodel import bundled_model_path

pytestmark = pytest.mark.ros


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_of_the_checkpoint(home: Path) -> None:
    shutil.copy(bundled_model_path(), home / "model.safetensors")
    assert load_model(ModelSettings(checkpoint="~/model.safetensors", device="cpu")).device.type == "cpu"


def test_of_what_is_written(home: Path) -> None:
    assert CalibrationSettings(output_file="~/calibration.yaml").path == home / "calibration.yaml"
    assert RecorderSettings(folder="~/bags").path == home / "bags"


def test_of_parameter_files(home: Path) -> None:
    (home / "my.yaml").write_text("/**:\n  ros__parameters:\n    samples: 4\n")
    (entry,) = read_parameter_file("~/my.yaml").entries
    assert (entry.name, entry.value) == ("samples", 4)
    with pytest.raises(FileError, match="stands for no home folder"):
        read_parameter_file("~nobody-of-this-name/my.yaml")


def test_of_goal_pictures_on_the_planners_machine(home: Path) -> None:
    picture = np.full((8, 8, 3), 7, np.uint8)
    (home / "goal.png").write_bytes(encode_png(picture))
    (goal,) = sub_goals(SetGoal.Request(image_files=["~/goal.png"]), None, (), PictureChecks())
    np.testing.assert_array_equal(goal.image, picture)
