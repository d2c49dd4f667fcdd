"""The house's rooms: imports run downwards only, each name has one home, and no file or folder grows too large."""

from __future__ import annotations

from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from support.source import GENERATED, PACKAGE, ROOT, definitions, imports, module_name, python_files

NUMBERS = ("geometry", "arguments", "images", "options", "registry", "exit_status", "extras", "files")
MODELS = (
    *("worldmodel", "worldmodel.checkpoints", "worldmodel.speed", "worldmodel.vjepa"),
    *("worldmodel.interface", "worldmodel.preprocess"),
)
SAFETY = ("safety", "safety.guards", "safety.sanity", "safety.samples", "safety.reasons")
PLANNING = (
    *("planning", "planning.presets", "planning.objectives", "planning.samplers", "planning.actions"),
    *("planning.config", "planning.updates", "planning.parts", "planning.pins"),
)
SIM = ("sim.episodes", "sim.tasks", "sim")

# Each room, from the top floor down, with the rooms below that it may import. A room is a folder of the package, or a
# file in it; what has no entry of its own belongs to the folder that has. docs/architecture.md draws this table.
ROOMS: dict[str, tuple[str, ...]] = {
    "tools": (
        *(
            "ros",
            "evaluation",
            "judging",
            "landscape",
            "imagination",
            "monitor",
            "replay",
            "training",
            "data",
            "loop",
            "controller",
            *PLANNING,
            "goals",
        ),
        *(*SIM, *MODELS, *NUMBERS),
    ),
    "ros": (
        *(
            "monitor",
            "dashboard",
            "calibration",
            "loop",
            "imagination",
            "controller",
            *PLANNING,
            "goals",
            "motion",
            *SAFETY,
            "data",
        ),
        *("drivers", *SIM, *MODELS, *NUMBERS),
    ),
    "evaluation": (
        "evaluation.statistics",
        "demonstrations",
        "data",
        "monitor",
        "calibration",
        "controller",
        *PLANNING,
        "goals",
        *SIM,
        *SAFETY[1:],  # the guards of steps, which evaluations count the holds of
        *MODELS,
        *NUMBERS,
    ),
    "judging": (
        "evaluation.statistics",
        "landscape",
        "calibration",
        "controller",
        *PLANNING,
        "data",
        *MODELS,
        *NUMBERS,
    ),
    "demonstrations": ("controller", *PLANNING, "goals", "data", *MODELS, *NUMBERS),
    "evaluation.statistics": (),
    "monitor": ("data", *MODELS, *NUMBERS),
    "landscape": ("replay", "controller", *PLANNING, "data", *MODELS, *NUMBERS),
    "replay": ("imagination", "controller", *PLANNING, "goals", "data", *MODELS, *NUMBERS),
    "training": ("imagination", "data", *SIM, *MODELS, *NUMBERS),
    "calibration": ("controller", *PLANNING, *MODELS, *NUMBERS),
    "imagination": (*MODELS, *NUMBERS),
    "dashboard": ("goals", *NUMBERS),
    "loop": ("controller", *PLANNING, "goals", "motion", *SAFETY, *NUMBERS),
    "controller": (*PLANNING, "goals", *MODELS, *NUMBERS),
    "planning": (*PLANNING[1:], *MODELS, *NUMBERS),
    "planning.presets": ("planning.config", "registry"),
    "planning.objectives": ("planning.parts", *MODELS[4:], *NUMBERS),
    "planning.samplers": ("planning.actions", "planning.parts", *NUMBERS),
    "planning.actions": ("planning.config", "planning.pins", *NUMBERS),
    "planning.config": ("planning.updates", "planning.pins", *NUMBERS),
    "planning.updates": ("planning.parts", *NUMBERS),
    "planning.parts": ("worldmodel.preprocess", *NUMBERS),
    "planning.pins": (),
    "goals": NUMBERS,
    "motion": (*SAFETY, *NUMBERS),
    "safety": (*SAFETY[1:], *NUMBERS),
    "safety.guards": (*SAFETY[2:], *NUMBERS),
    "safety.sanity": NUMBERS,
    "safety.samples": NUMBERS,
    "safety.reasons": (),
    "data": NUMBERS,
    "drivers": NUMBERS,
    "sim.episodes": ("sim.tasks", "sim", *NUMBERS),
    "sim.tasks": ("sim", *NUMBERS),
    "sim": NUMBERS,
    "worldmodel": (*MODELS[1:], *NUMBERS),
    "worldmodel.checkpoints": (*MODELS[3:], *NUMBERS),
    "worldmodel.speed": (*MODELS[3:], *NUMBERS),
    "worldmodel.vjepa": (*MODELS[4:], *NUMBERS),
    "worldmodel.interface": (MODELS[5], *NUMBERS),
    "worldmodel.preprocess": NUMBERS,
    "control": ("geometry",),  # the former home of poses, for one release
    "geometry": ("options", "registry"),
    "arguments": ("files",),
    "images": ("files",),
    "registry": ("options",),
    "options": (),
    "exit_status": ("files",),
    "extras": (),
    "files": (),
}
# Nobody imports MuJoCo but the module that first chooses what it draws with.
MUJOCO = ("vjepa_mpc.sim.scene", "mujoco")
MOST_LINES, MOST_FILES = 400, 15
SOURCES = ("vjepa_mpc", "test", "scripts", "benchmarks", "launch", "examples")


def room(module: str) -> str | None:
    """The innermost entry of the table that a module belongs to; None for the package itself."""
    parts = module.split(".")[1:]
    prefixes = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in ROOMS), None)


def own_imports(path: Path, *, deferred: bool = True) -> list[tuple[str, int]]:
    """Modules of this package that a file imports, with the line; without deferred ones, those at its loading."""
    found = []
    for each in imports(path):
        own = each.module.split(".")[0] == "vjepa_mpc" and not each.module.startswith(GENERATED)
        if not own or (each.deferred and not deferred):
            continue
        inner = f"{each.module}.{each.name}"
        is_module = (ROOT / inner.replace(".", "/")).is_dir() or (ROOT / f"{inner.replace('.', '/')}.py").is_file()
        found.append((inner if each.name and is_module else each.module, each.line))
    return found


def test_the_table_names_rooms_that_exist_and_runs_downwards() -> None:
    floors = list(ROOMS)
    for name, below in ROOMS.items():
        path = PACKAGE / name.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").is_file(), f"there is no room {name}"
        for other in below:
            assert floors.index(other) > floors.index(name), f"{name} stands above {other}: {other} comes after it"


def test_every_file_is_in_a_room() -> None:
    outside = [module_name(path) for path in python_files("vjepa_mpc") if room(module_name(path)) is None]
    assert set(outside) <= {"vjepa_mpc", "vjepa_mpc.__main__"}


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_imports_only_from_itself_and_from_the_rooms_below(name: str) -> None:
    upwards = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in python_files("vjepa_mpc")
        if room(module_name(path)) == name
        for module, line in own_imports(path)
        if (found := room(module)) is not None and found != name and found not in ROOMS[name]
    ]
    assert upwards == [], f"{name} may import {', '.join(ROOMS[name]) or 'nothing of this package'}"


def test_no_modules_import_one_another_in_a_circle() -> None:
    graph = {
        module_name(path): {module for module, _ in own_imports(path, deferred=False)} - {module_name(path)}
        for path in python_files("vjepa_mpc")
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


def test_each_name_is_imported_from_where_it_is_defined() -> None:
    """Or from a folder, whose ``__init__`` lists what is public in it."""
    elsewhere = []
    for path in python_files("vjepa_mpc", "test", "benchmarks", "scripts", "examples"):
        for each in imports(path):
            home = ROOT / f"{each.module.replace('.', '/')}.py"
            own = each.module.startswith("vjepa_mpc.") and not each.module.startswith(GENERATED) and home.is_file()
            if not own or each.name in ("", "*") or (each.module, each.name) == MUJOCO:
                continue
            if each.name not in definitions(home):
                elsewhere.append(f"{path.relative_to(ROOT)}:{each.line} imports {each.name} from {each.module}")
    assert elsewhere == []


def test_private_names_stay_in_their_file() -> None:
    shared = [
        f"{path.relative_to(ROOT)}:{each.line} imports {each.name} from {each.module}"
        for path in python_files("vjepa_mpc")
        for each in imports(path)
        if each.module.startswith("vjepa_mpc") and each.name.startswith("_") and not each.name.startswith("__")
    ]
    assert shared == []


def test_no_file_is_longer_than_400_lines() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in python_files(*SOURCES)
    }
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_no_folder_has_more_than_15_python_files() -> None:
    """Beside what a folder of packages or tests has anyway."""
    files = [path for path in python_files(*SOURCES) if path.name not in ("__init__.py", "conftest.py")]
    folders = Counter(str(path.parent.relative_to(ROOT)) for path in files)
    assert {name: count for name, count in folders.items() if count > MOST_FILES} == {}
