"""The package's own promises: a core without ROS, one set of facts in all of its manifests, and commands that exist."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from support.source import GENERATED, PACKAGE, ROOT, imports, module_name, python_files
from vjepa_mpc.training.recipe_file import recipes_folder
from vjepa_mpc.training.train import RECIPE

WITH_ROS = ("ros", "tools")
ROS = ("rclpy", "tf2_ros", "launch", "launch_ros", "ament_index_python", "cv_bridge", "rosidl_runtime_py")
EXECUTABLES = (
    "calibrate",
    "dashboard",
    "franka_driver",
    "monitor",
    "planner_node",
    "play",
    "recorder",
    "set_goal",
    "sim_node",
    "teach_workspace",
)
LAZY = ("ament_index_python",)  # may be imported inside a function, where ImportError is caught


def is_ros(module: str) -> bool:
    top = module.split(".")[0]
    return (
        top in ROS
        or top.endswith(("_msgs", "_srvs", "_interfaces"))
        or module.startswith(("vjepa_mpc.ros", *GENERATED))
    )


def imported_modules(path: Path) -> set[str]:
    return {each.module for each in imports(path)}


def core_files() -> list[Path]:
    files = python_files("vjepa_mpc")
    return [path for path in files if path.relative_to(PACKAGE).parts[0] not in WITH_ROS]


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_core_imports_no_ros_by_name() -> None:
    assert core_files()
    found = {
        str(path.relative_to(ROOT)): sorted(module for module in imported_modules(path) if is_ros(module))
        for path in core_files()
    }
    assert {path: modules for path, modules in found.items() if set(modules) - set(LAZY)} == {}


def test_core_imports_where_ros_is_absent() -> None:
    names = [module_name(path) for path in core_files() if path.name != "__main__.py"]
    code = f"""
import importlib, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {ROS!r} or name.split(".")[0].endswith(("_msgs", "_srvs", "_interfaces")):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
for name in {names!r}:
    importlib.import_module(name)
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr


def test_command_line_help_imports_neither_torch_nor_ros() -> None:
    code = """
import sys
from vjepa_mpc.tools.cli import main
try:
    main(["--help"])
except SystemExit as end:
    assert end.code == 0
heavy = {"torch", "rclpy", "mujoco", "cv2", "numpy"} & set(sys.modules)
assert not heavy, heavy
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    for command in ("train", "evaluate", "compare-endings", "calibrate-sim", "convert"):
        assert command in done.stdout


def test_unknown_command_is_refused_with_the_choices() -> None:
    done = run_python("from vjepa_mpc.tools.cli import main; main(['fly'])")
    assert done.returncode == 2
    assert "'fly'" in done.stderr and "evaluate" in done.stderr


def test_manifests_agree() -> None:
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    fields = ("name", "version", "description", "license")
    command = [sys.executable, "setup.py", "--quiet", *(f"--{field}" for field in fields)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-len(fields) :] == [package.findtext(field) for field in fields]
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")


def test_every_interface_file_is_generated() -> None:
    cmake = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    listed = set(re.findall(r'"((?:action|msg|srv)/\w+\.\w+)"', cmake))
    files = {f"{folder}/{path.name}" for folder in ("action", "msg", "srv") for path in (ROOT / folder).iterdir()}
    assert listed == files


def test_interface_packages_are_declared() -> None:
    """What an interface file or a module uses, package.xml depends on."""
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    declared = {element.text for element in package.iter() if element.tag in ("depend", "exec_depend")}
    used = {
        module.split(".")[0]
        for path in (ROOT / "vjepa_mpc").rglob("*.py")
        for module in imported_modules(path)
        if is_ros(module)
    }
    optional = {"control_msgs", "cv_bridge", "vjepa_mpc"}  # used where they are installed
    assert used - declared - optional == set()


@pytest.mark.parametrize("name", EXECUTABLES)
def test_executable_launches_a_main(name: str) -> None:
    script = ROOT / "scripts" / name
    assert os.access(script, os.X_OK)
    assert f"scripts/{name}\n" in (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    module = re.search(r'load\("(vjepa_mpc[.\w]+)"', script.read_text(encoding="utf-8"))
    assert module
    source = ROOT / (module[1].replace(".", "/") + ".py")
    tree = ast.parse(source.read_text(encoding="utf-8"))
    assert "main" in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_third_party_import_is_declared() -> None:
    """A module that only happens to be installed here is missing on a fresh machine."""
    distributions = {"cv2": "opencv-python-headless", "franky_sim": "franky-sim", "imageio_ffmpeg": "imageio-ffmpeg"}
    distributions |= {"pinocchio": "pin", "yaml": "pyyaml", "PIL": "pillow", "franky": "franky-control"}
    folders = ("vjepa_mpc", "launch", "test")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    local = {name for path in files for name in (path.stem, path.parent.name)} | {"vjepa_mpc", "test", "benchmarks"}
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    undeclared = {}
    for path in files:
        for module in imported_modules(path):
            top = module.split(".")[0]
            if is_ros(module) or top.startswith("launch") or top in local | set(sys.stdlib_module_names):
                continue
            if not re.search(rf'"{distributions.get(top, top)}[\[>]', setup):
                undeclared[top] = str(path.relative_to(ROOT))
    assert undeclared == {}


def test_the_command_line_is_the_package_as_a_program() -> None:
    command = [sys.executable, "-m", "vjepa_mpc", "--version"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and done.stdout.startswith("vjepa-mpc "), done.stderr


@pytest.mark.slow
def test_the_source_distribution_holds_what_a_build_needs(tmp_path: Path) -> None:
    made = tmp_path / "tree"
    ignored = shutil.ignore_patterns(".*", "build", "install", "log", "results", "shared", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT, made, ignore=ignored)
    command = [sys.executable, "setup.py", "--quiet", "sdist", "--formats=gztar"]
    done = subprocess.run(command, cwd=made, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    [archive] = (made / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        held = {name.partition("/")[2] for name in opened.getnames()}
    folders = ("action", "config", "examples", "launch", "msg", "resource", "scripts", "srv", "test", "vjepa_mpc")
    wanted = {
        str(path.relative_to(made))
        for folder in folders
        for path in (made / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    wanted |= {"CMakeLists.txt", "LICENSE", "Makefile", "package.xml", "pyproject.toml", "requirements-ros.txt"}
    assert wanted - held == set()


def test_colcon_installs_the_command_line() -> None:
    assert os.access(ROOT / "scripts" / "vjepa-mpc", os.X_OK)
    cmake = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert "install(PROGRAMS scripts/vjepa-mpc DESTINATION bin)" in cmake
    command = [sys.executable, ROOT / "scripts" / "vjepa-mpc", "--version"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and done.stdout.startswith("vjepa-mpc "), done.stderr


def test_what_a_command_lacks_is_installed_from_the_source_folder() -> None:
    code = """
import sys
sys.modules["mujoco"] = None
from vjepa_mpc.tools.cli import main
main(["evaluate", "--task", "reach"])
"""
    done = run_python(code)
    assert done.returncode == 2 and "run `pip install '.[sim]'` in the source folder" in done.stderr


def test_training_has_a_recipe_by_default() -> None:
    assert (recipes_folder() / RECIPE).is_file()


@pytest.mark.slow
def test_the_unit_tests_are_found_where_ros_is_absent() -> None:
    command = [sys.executable, "-m", "pytest", "-p", "support.without_ros", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "test")])}
    done = subprocess.run(
        [*command, "--collect-only", "--quiet", "test/unit"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_colcon_test_runs_pytest_on_folders_that_exist() -> None:
    cmake = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    command = re.search(r"ament_add_test\(pytest\s+COMMAND \S+ -m pytest ((?:test/\S+ )+)", cmake)
    assert command is not None, "colcon test runs nothing"
    folders = command[1].split()
    assert folders and all(list((ROOT / folder).rglob("test_*.py")) for folder in folders)
    assert "<test_depend>ament_cmake_test</test_depend>" in (ROOT / "package.xml").read_text(encoding="utf-8")


def test_parity_with_the_published_code_is_tested_in_every_clone() -> None:
    """Without the reference data beside the repository, this small model is what parity is tested on."""
    assert 50_000 < (ROOT / "test/data/golden_small.npz").stat().st_size <= 200_000
