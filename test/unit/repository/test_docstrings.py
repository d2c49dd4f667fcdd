"""Whoever calls the library learns from the docstring what a pose, an action and an energy are made of."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest

FRONT_ROOMS = ("controller", "goals", "planning", "worldmodel", "sim", "sim.tasks", "data", "geometry.pose")
POSES = re.compile(r"(\w+_)?(pose|action|state)s?|proposals")
ENERGIES = re.compile(r"energ(y|ies)")
ARRAY = re.compile(r"Tensor|ndarray")
# What has to be said: shape, layout, units, frame and dtype of a pose or an action.
OF_POSES = {
    "shape": r"\[[^\]]*7\]",
    "layout": r"x, y, z",
    "metres": r"metres",
    "radians": r"radians",
    "closedness": r"closedness",
    "frame": r"base frame",
    "dtype": r"float(32|64|ing)",
}
OF_ENERGIES = {"shape": r"\[[SK]\]", "which is better": r"lower is better|lowest|lower", "dtype": r"float32"}
REFERENCE = re.compile(r":(?:class|meth|func|mod):`~?([\w.]+)`")


def public_things() -> Iterator[tuple[str, Any]]:
    """Functions and classes of the front rooms that are the package's own."""
    for room in FRONT_ROOMS:
        module = importlib.import_module(f"vjepa_mpc.{room}")
        names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
        for name in names:
            thing = getattr(module, name)
            if callable(thing) and getattr(thing, "__module__", "").startswith("vjepa_mpc."):
                yield f"{thing.__module__}.{name}", thing


def described(name: str, thing: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What has a docstring of its own: its name, the docstring, and its parameters or fields with their annotations."""
    if not inspect.isclass(thing):
        yield name, inspect.getdoc(thing) or "", annotations(thing)
        return
    fields = dict(vars(thing).get("__annotations__", {}))
    if "__init__" in vars(thing):
        fields |= annotations(thing.__init__)
    yield name, inspect.getdoc(thing) or "", fields
    for method, function in vars(thing).items():
        if inspect.isfunction(function) and (not method.startswith("_") or method == "__call__"):
            yield f"{name}.{method}", inspect.getdoc(function) or "", annotations(function)


def annotations(function: Any) -> dict[str, Any]:
    """Of a function's parameters."""
    return {name: kind for name, kind in getattr(function, "__annotations__", {}).items() if name != "return"}


def with_references(name: str, text: str, depth: int = 2) -> str:
    """A docstring together with those that it names, and those that they name, which the reader follows."""
    found = [text]
    for reference in REFERENCE.findall(text) if depth else ():
        place, thing = resolved(reference, name)
        found.append(with_references(place, inspect.getdoc(thing) or "", depth - 1))
    return "\n".join(found)


def resolved(reference: str, name: str) -> tuple[str, Any]:
    """What a reference in the docstring of ``name`` names from where it stands: its full name, and the thing itself."""
    places = [reference] if reference.startswith("vjepa_mpc.") else []
    parts = name.split(".")
    places += [".".join([*parts[:length], reference]) for length in range(len(parts), 1, -1)]
    for place in places:
        words = place.split(".")
        for length in range(len(words), 1, -1):
            try:
                found: Any = importlib.import_module(".".join(words[:length]))
                for word in words[length:]:
                    found = getattr(found, word)
            except (ImportError, AttributeError):
                continue
            return place, found
    return reference, None


DESCRIBED = {
    name: (text, fields)
    for of, thing in public_things()
    for name, text, fields in described(of, thing)
    if any(
        ARRAY.search(str(kind)) and (POSES.fullmatch(field) or ENERGIES.fullmatch(field))
        for field, kind in fields.items()
    )
}


@pytest.mark.parametrize("name", DESCRIBED)
def test_the_docstring_says_what_poses_actions_and_energies_are(name: str) -> None:
    text, fields = DESCRIBED[name]
    arrays = [field for field, kind in fields.items() if ARRAY.search(str(kind))]
    wanted: dict[str, str] = {}
    if any(POSES.fullmatch(field) for field in arrays):
        wanted |= OF_POSES
    if any(ENERGIES.fullmatch(field) for field in arrays):
        wanted |= {f"energies' {what}": pattern for what, pattern in OF_ENERGIES.items()}
    whole = with_references(name, text)
    assert [what for what, pattern in wanted.items() if not re.search(pattern, whole)] == []


def test_there_is_something_to_look_at() -> None:
    for name in ("controller.step.Observation", "planning.planner.CEMPlanner.plan", "sim.franka_sim.FrankaSim.command"):
        assert f"vjepa_mpc.{name}" in DESCRIBED
