"""Parts by name: files of a folder, and classes from outside."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from vjepa_mpc.options import option
from vjepa_mpc.registry import PartError, PartNotInstalledError, PartOptions, Registry


class Colour(ABC):
    @abstractmethod
    def value(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class _Depth:
    depth: float = option(0.5, "How deep.", low=0.0, high=1.0)


class KeepLevel:
    """From outside: has what is abstract, and inherits nothing."""

    Options = _Depth

    def value(self) -> str:
        return "level"


class Lacking:
    pass


NUMBER = 3
HERE = __name__

PART = """
from dataclasses import dataclass
from vjepa_mpc.options import option
from {module} import Colour

class {name}(Colour):
    {options}

    def value(self):
        return "{name}"
"""
OPTIONS = """
    @dataclass(frozen=True, kw_only=True)
    class Options:
        shade: float = option(0.1, "How dark.", low=0.0, high=1.0)
"""


@pytest.fixture
def colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A folder with two parts, an interface and a helper; imported as a package of its own for each test."""
    monkeypatch.setitem(sys.modules, "colour_interface", sys.modules[HERE])
    monkeypatch.syspath_prepend(str(tmp_path))
    package = f"colours_of_{tmp_path.name}"
    folder = tmp_path / package
    folder.mkdir()
    for name, text in {
        "__init__": "",
        "interface": "",
        "_helper": "",
        "red": PART.format(module="colour_interface", name="Red", options=OPTIONS),
        "blue": PART.format(module="colour_interface", name="Blue", options="pass"),
        "two": "from colour_interface import Colour\nclass A(Colour): ...\nclass B(Colour): ...\n",
    }.items():
        (folder / f"{name}.py").write_text(text)
    return Registry(package, Colour, "colour")


def test_each_file_is_a_choice(colours: Any) -> None:
    assert colours.names == ("blue", "red", "two")
    assert colours.part("red")().value() == "Red"


def test_a_class_from_outside_needs_no_base(colours: Any) -> None:
    assert colours.part(f"{HERE}:KeepLevel") is KeepLevel


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("rad", "there is no colour 'rad': did you mean red"),
        ("mauve", "use one of blue, red, two, or MODULE:NAME"),
        ("two", r"two.py defines 2 colours: define exactly one Colour"),
        ("no_such_module_anywhere:X", "cannot be imported .*PYTHONPATH"),
        (f"{HERE}:Missing", "has no Missing"),
        (f"{HERE}:Lacking", "is no colour: it lacks value; see .*Colour"),
        (f"{HERE}:NUMBER", "is no colour: it "),
    ],
)
def test_what_is_no_part_is_refused_with_the_remedy(colours: Any, name: str, says: str) -> None:
    with pytest.raises(PartError, match=says):
        colours.part(name)


def test_options_of_all_parts_and_of_the_chosen_one_from_outside_are_parameters(colours: Any, tmp_path: Path) -> None:
    (tmp_path / f"colours_of_{tmp_path.name}" / "two.py").unlink()
    chosen = PartOptions(colours, "colour")
    assert [each.name for each in chosen.parameters({})] == ["red.shade"]
    own = f"{HERE}:KeepLevel"
    assert [each.name for each in chosen.parameters({"colour": own})] == ["red.shade", "keep_level.depth"]
    assert chosen.build({"colour": own, "keep_level.depth": 0.25}) == _Depth(depth=0.25)
    assert chosen.build({"colour": "red"}).shade == 0.1
    assert chosen.build({"colour": "blue"}) is None


@pytest.mark.parametrize("line", ["import absent_msgs.msg", "from json import absent_name"])
def test_a_part_whose_package_is_not_installed_costs_nothing_until_it_is_chosen(
    colours: Any, tmp_path: Path, line: str
) -> None:
    path = tmp_path / f"colours_of_{tmp_path.name}" / "two.py"
    path.write_text(f"{line}\n{PART.format(module='colour_interface', name='Two', options=OPTIONS)}")
    chosen, package = PartOptions(colours, "colour"), line.split()[1].partition(".")[0]
    for values in ({}, {"colour": "red"}):
        assert [each.name for each in chosen.parameters(values)] == ["red.shade"]
    with pytest.raises(PartNotInstalledError, match=f"colour 'two' needs {package}, which cannot be imported .*choose"):
        list(chosen.parameters({"colour": "two"}))
    with pytest.raises(PartNotInstalledError, match=package):
        chosen.build({"colour": "two"})


def test_a_file_that_imports_what_its_own_package_lacks_is_never_passed_over(colours: Any, tmp_path: Path) -> None:
    package = f"colours_of_{tmp_path.name}"
    (tmp_path / package / "two.py").write_text(f"import {package}.absent")
    with pytest.raises(ModuleNotFoundError, match=f"{package}.absent"):
        list(PartOptions(colours, "colour").parameters({}))


def test_a_prefix_replaces_the_parts_name(colours: Any, tmp_path: Path) -> None:
    (tmp_path / f"colours_of_{tmp_path.name}" / "two.py").unlink()
    chosen = PartOptions(colours, "colour", "paint_")
    assert [each.name for each in chosen.parameters({})] == ["paint_shade"]
    assert chosen.build({"colour": "red", "paint_shade": 0.7}).shade == 0.7
