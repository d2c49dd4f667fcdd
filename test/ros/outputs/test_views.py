"""The configurations for RViz and Foxglove name topics that the nodes have."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

from vjepa_mpc.ros.outputs.thoughts import TYPES

ROOT = Path(__file__).resolve().parents[3]
VIEW = ROOT / "config/view"
OTHERS = {"/target_pose", "/camera/image_raw", "/planner_node/status"}
THOUGHTS = {topic.replace("~", "/planner_node") for topic in TYPES}

pytestmark = pytest.mark.ros


def texts(value: Any) -> list[str]:
    """All strings in nested lists and dictionaries, their keys included."""
    if isinstance(value, dict):
        return [text for key, each in value.items() for text in (str(key), *texts(each))]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []


def topics(value: Any) -> set[str]:
    found = {text for text in texts(value) if re.match(r"/\w+(/\w+)*(\.\w+)?$", text)}
    return {text.partition(".")[0] for text in found}


@pytest.mark.parametrize("name", ["planner.rviz", "planner.foxglove.json"])
def test_a_view_shows_topics_that_there_are(name: str) -> None:
    text = (VIEW / name).read_text(encoding="utf-8")
    shown = topics(json.loads(text) if name.endswith("json") else yaml.safe_load(text))
    assert shown <= THOUGHTS | OTHERS
    assert {"/planner_node/markers", "/planner_node/plan", "/planner_node/surprise"} <= shown
