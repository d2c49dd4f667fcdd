"""The documents: short where they should be, and whatever they point at is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("resource/**/*.md")])
README_LINES = 200
# Paths of the repository in back quotes, but for the names of ROS interfaces.
_FOLDERS = "vjepa_mpc|test|docs|config|examples|launch|benchmarks|scripts|resource"
_PATH = re.compile(rf"`((?!vjepa_mpc/(?:srv|msg|action)/)(?:{_FOLDERS})/[\w./-]+)`")
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)?(#[^)\s]+)?\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.M)
_PYTHON = re.compile(r"```python\n(.*?)```", re.S)


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    headings = _HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_is_read_in_one_sitting() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_points_at_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = [path for path in _PATH.findall(text) if not (ROOT / path).exists()]
    for path, anchor in _LINK.findall(text):
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor[1:] not in anchors(target)):
            missing.append(path + anchor)
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_in_a_page_is_python(page: Path) -> None:
    for block in _PYTHON.findall(page.read_text(encoding="utf-8")):
        ast.parse(block)
