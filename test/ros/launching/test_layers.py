"""Whose parameters count: package defaults, profile, the user's file, calibration, arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from vjepa_mpc.ros.launching.layers import Layer, from_file, full_name, told
from vjepa_mpc.ros.parameters.yaml_text import matches

NODE = "/left/planner_node"


def write(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def section(key: str, **values: object) -> str:
    return f"{key}:\n  ros__parameters: " + "{" + ", ".join(f"{k}: {v}" for k, v in values.items()) + "}\n"


@pytest.mark.parametrize(
    ("key", "matching"),
    [
        ("/**", True),
        ("/left/planner_node", True),
        ("left/planner_node", True),
        ("/*/planner_node", True),
        ("/**/planner_node", True),
        ("/left/*", True),
        ("/*", False),
        ("planner_node", False),
        ("/right/planner_node", False),
        ("/left/planner_node_2", False),
    ],
)
def test_keys_match_as_in_ros(key: str, matching: bool) -> None:
    assert matches(key, NODE) is matching


def test_full_names() -> None:
    assert full_name("", "planner_node") == full_name("/", "planner_node") == "/planner_node"
    assert full_name("left", "planner_node") == full_name("/left/", "planner_node") == NODE


def test_a_file_for_another_node_is_refused_with_its_keys(tmp_path: Path) -> None:
    path = write(tmp_path, "mine.yaml", section("planner_node", samples=3))
    with pytest.raises(
        ValueError, match=r"nothing for /left/planner_node: it is keyed /planner_node; use /\*\* or /left"
    ):
        from_file(path, NODE)


def test_the_last_layer_wins_and_is_told_once(tmp_path: Path) -> None:
    profile = from_file(write(tmp_path, "profile.yaml", section("/**", preset="paper", seed=1)), NODE, "profile")
    mine = from_file(write(tmp_path, "mine.yaml", section("/**", preset="realtime", seed=1)), NODE, "mine")
    defaults = from_file(write(tmp_path, "d.yaml", section("/**", preset="cpu", device="auto")), NODE, "defaults")
    arguments = Layer("arguments", {"device": "cuda"})
    lines = told([defaults, profile, mine, arguments], NODE)
    assert lines == [
        f"{NODE}: parameters of defaults, then profile, then mine, then arguments; the last one counts",
        f"{NODE}: preset is realtime (mine), not paper of profile",
    ]


def test_a_file_says_what_its_matching_sections_say(tmp_path: Path) -> None:
    content = section(NODE, a=1) + section("/**", b=2) + section("/right/planner_node", c=3)
    assert from_file(write(tmp_path, "both.yaml", content), NODE).values == {"a": 1, "b": 2}
