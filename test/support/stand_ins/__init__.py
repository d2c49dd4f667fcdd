"""control_msgs and franka_msgs for the tests: the installed ones, or generated ones with the fields that count here.

:mod:`~support.stand_ins.tf2_ros` stands in for a library.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

WRONG_FRAME = "POSE_NO_TRANSFORM" if importlib.util.find_spec("tf2_ros") else "POSE_WRONG_FRAME"
"""What a pose in an unknown frame is called here."""
SOURCES = Path(__file__).parent
BUILDS = Path(__file__).resolve().parents[3] / "build" / "stand_ins"


def provide(package: str) -> None:
    """Make an interface package importable in this process and those that it starts."""
    if importlib.util.find_spec(package) is None:
        _use(_built(package), package)


def _built(package: str) -> Path:
    """The install folder of a stand-in; generated and compiled (20 s) where this has not been done yet."""
    source = SOURCES / package
    text = b"".join(path.read_bytes() for path in sorted(source.rglob("*")) if path.is_file())
    folder = BUILDS / f"{package}-{hashlib.sha256(text + sys.version.encode()).hexdigest()[:12]}"
    if not (folder / "done").is_file():
        configure = ["cmake", "-S", source, "-B", folder / "build", f"-DCMAKE_INSTALL_PREFIX={folder}"]
        options = [f"-DPython3_EXECUTABLE={sys.executable}", "-DBUILD_TESTING=OFF"]
        env = {**os.environ, "CMAKE_PREFIX_PATH": os.environ["AMENT_PREFIX_PATH"]}
        for command in ([*configure, *options], ["cmake", "--build", folder / "build", "--target", "install"]):
            done = subprocess.run(list(map(str, command)), env=env, capture_output=True, text=True)
            assert done.returncode == 0, f"{package} was not generated:\n{done.stdout}\n{done.stderr}"
        (folder / "done").touch()
    return folder


def _use(folder: Path, package: str) -> None:
    (packages,) = (path.parent for path in folder.glob(f"**/*-packages/{package}"))
    sys.path.insert(0, str(packages))
    for name, path in (
        ("AMENT_PREFIX_PATH", folder),
        ("LD_LIBRARY_PATH", folder / "lib"),
        ("PYTHONPATH", packages),
    ):
        os.environ[name] = os.pathsep.join(filter(None, (str(path), os.environ.get(name))))
    # The loader of this process read LD_LIBRARY_PATH when it started; but it finds what is loaded already. A library
    # may need others of the folder, so that some load only after those.
    waiting = sorted((folder / "lib").glob("lib*.so"))
    while waiting:
        left = [library for library in waiting if not _loads(library)]
        assert len(left) < len(waiting), f"cannot load {left}"
        waiting = left


def _loads(library: Path) -> bool:
    try:
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return True
