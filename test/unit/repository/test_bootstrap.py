"""scripts/bootstrap.py: how it chooses, what it notices, and what it says when it cannot go on."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, whose log and checkout are temporary."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "scripts/bootstrap.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "LOG", tmp_path / "log")
    return module


def make_checkout(root: Path) -> None:
    for name in ("CMakeLists.txt", "package.xml", "srv/A.srv", "action/B.action", "msg/C.msg", "vjepa_mpc/d.py"):
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("content", encoding="utf-8")
    for name in ("launch", "config", "resource", "scripts"):
        (root / name).mkdir()


def test_ros_counts_as_sourced_only_with_a_prefix_that_has_rclpy(bootstrap, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    monkeypatch.delenv("ROS_DISTRO", raising=False)
    assert bootstrap.sourced_ros() is None
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    assert bootstrap.sourced_ros() is None
    (tmp_path / "share/rclpy").mkdir(parents=True)
    assert bootstrap.sourced_ros() == "jazzy"


def test_own_environment_does_not_count_as_sourced(bootstrap, tmp_path, monkeypatch) -> None:
    """After `source scripts/env.sh` the wheels in .venv are on AMENT_PREFIX_PATH."""
    (tmp_path / ".venv/share/rclpy").mkdir(parents=True)
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setenv("ROS_DISTRO", "kilted")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path / ".venv"))
    assert bootstrap.sourced_ros() is None


def test_running_interpreter_is_preferred(bootstrap) -> None:
    assert bootstrap.find_python("", None) == sys.executable


def test_unsupported_interpreter_is_named_with_the_remedy(bootstrap, tmp_path) -> None:
    old = tmp_path / "python3.9"
    old.write_text("#!/bin/sh\necho 3 9\n", encoding="utf-8")
    old.chmod(0o755)
    with pytest.raises(bootstrap.SetupError, match=r"python3\.9 \(3\.9\).*\n?.*apt-get install python3 "):
        bootstrap.find_python(str(old), None)


def test_white_space_in_the_path_is_refused(bootstrap, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path / "my robot")
    with pytest.raises(bootstrap.SetupError, match="white space"):
        bootstrap.check_toolchain(sys.executable)


def test_build_is_repeated_for_interfaces_and_new_files_but_not_for_edits(bootstrap, tmp_path, monkeypatch) -> None:
    make_checkout(tmp_path)
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    first = bootstrap.build_digest("environment")
    (tmp_path / "vjepa_mpc/d.py").write_text("edited: the install links to it", encoding="utf-8")
    assert bootstrap.build_digest("environment") == first
    (tmp_path / "vjepa_mpc/new.py").write_text("", encoding="utf-8")
    second = bootstrap.build_digest("environment")
    assert second != first
    (tmp_path / "srv/A.srv").write_text("int32 x", encoding="utf-8")
    assert bootstrap.build_digest("environment") != second


def test_venv_of_an_unsourced_ros_is_kept(bootstrap, tmp_path, monkeypatch) -> None:
    marker = tmp_path / "ros"
    marker.write_text("jazzy\n", encoding="utf-8")
    monkeypatch.setattr(bootstrap, "ROS_MARKER", marker)
    monkeypatch.setattr(bootstrap, "sourced_ros", lambda: None)
    with pytest.raises(bootstrap.SetupError, match=r"source /opt/ros/jazzy/setup\.bash"):
        bootstrap.bring_up_to_date(force=True)


def test_failed_stage_shows_the_end_of_its_output_and_the_remedy(bootstrap, tmp_path) -> None:
    command = [sys.executable, "-c", "print('no route to host'); raise SystemExit(3)"]
    with pytest.raises(bootstrap.SetupError, match=r"(?s)no route to host.*exit status 3.*Check the network"):
        bootstrap.run("Installing", command, "Check the network.")
    assert "no route to host" in (tmp_path / "log").read_text(encoding="utf-8")


def test_cmake_exports_are_pointed_to_this_python(bootstrap, tmp_path, monkeypatch) -> None:
    exported = tmp_path / "share/std_msgs/cmake/export.cmake"
    exported.parent.mkdir(parents=True)
    python, numpy = "include/python3.11", "lib/python3.11/site-packages/numpy/_core/include"
    wheel = "/opt/python/cp311-cp311"
    exported.write_text(f'INCLUDES "{wheel}/{python};{wheel}/{numpy};/usr/include"\n', encoding="utf-8")
    monkeypatch.setattr(bootstrap, "VENV", tmp_path)
    monkeypatch.setattr(bootstrap, "probe", lambda _: "/python/include\n/numpy/include")
    bootstrap.patch_cmake_exports()
    assert exported.read_text(encoding="utf-8") == 'INCLUDES "/python/include;/numpy/include;/usr/include"\n'
