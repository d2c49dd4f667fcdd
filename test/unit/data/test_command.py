"""``vjepa-mpc data`` and the page that describes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.robot_recordings import Truth, make_truth, write_robomimic
from vjepa_mpc.data import DataMapping, read_mapping
from vjepa_mpc.data.findings import FINDINGS
from vjepa_mpc.data.mapping import keys_table
from vjepa_mpc.data.readers import READERS
from vjepa_mpc.images import read_image_file
from vjepa_mpc.tools.cli import main

PAGE = Path(__file__).resolve().parents[3] / "docs" / "datasets.md"


@pytest.fixture
def hdf5(tmp_path: Path, truths: list[Truth]) -> Path:
    return write_robomimic(tmp_path / "in.hdf5", [*truths, make_truth(2, length=1)])


def test_inspect_prints_table_and_findings(hdf5: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    mapping = tmp_path / "robot.yaml"
    mapping.write_text("gripper_open: 0\ngripper_closed: 0.08\n")
    sheet = tmp_path / "sheet.png"
    assert main(["data", "inspect", str(hdf5), "--mapping", str(mapping), "--sheet", str(sheet)]) == 0
    out, err = capsys.readouterr()
    assert "robomimic, 2 episode(s)" in out and "demo_1" in out and "15.00" in out
    assert "GRIPPER_INVERTED: 2 of 2 episodes begin with a closed gripper" in out
    assert "skipped demo_2: it has 1 picture(s)" in out
    assert "data: demo_2 is skipped" in err and "Warning" not in err
    picture = read_image_file(sheet)
    assert picture.shape[1] > 8 * 128 and picture.std() > 20


def test_inspect_prints_json(hdf5: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "inspect", str(hdf5), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in told["rows"]] == ["demo_0", "demo_1"]
    assert told["skipped"][0]["name"] == "demo_2"
    assert told["mapping"]["images"] == "agentview_image"
    assert [found["name"] for found in told["findings"] if not found["note"]] == []


def test_convert_says_what_it_wrote(hdf5: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["data", "convert", str(hdf5), str(tmp_path / "out"), "--format", "rosbag2"]) == 0
    assert "2 episode(s) as rosbag2, 1 skipped" in capsys.readouterr().out
    assert len(list((tmp_path / "out").rglob("*.mcap"))) == 2


def test_what_cannot_be_used_ends_with_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "inspect", str(tmp_path / "nothing")]) == 2
    assert capsys.readouterr().err.startswith("data inspect: ")


def test_the_page_has_every_key_finding_and_format() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert keys_table() in page, "docs/datasets.md: replace its table of keys by what keys_table() returns"
    for name in FINDINGS.names:
        assert f"`{FINDINGS.part(name).name}`" in page
    for name in READERS.names:
        assert f"| `{name}` |" in page


def test_a_mapping_keeps_what_is_set() -> None:
    mapping = read_mapping({"images": 24400334, "gripper_columns": "left, right"})
    assert mapping.images == "24400334" and mapping.gripper_columns == ("left", "right")
    filled = mapping.filled(images="other", rotation="euler")
    assert filled.images == "24400334" and filled.rotation == "euler"
    assert read_mapping(mapping) is mapping and read_mapping(None) == DataMapping()
