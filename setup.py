"""The ROS-free part for pip: world model, planner, simulator, training and their tools. ROS 2 uses CMakeLists.txt.

This file is the one home of the Python dependencies; `make build` installs them from here too.
"""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
VERSION = re.search(r'^__version__ = "(.+)"$', (ROOT / "vjepa_mpc/__init__.py").read_text(encoding="utf-8"), re.M)[1]

CORE = [
    "numpy>=1.26",
    # The same `cv2` module as opencv-python, without its Qt windows: those need X libraries that robots' computers,
    # containers and clusters lack, and nothing here opens a window.
    "opencv-python-headless>=4.8",
    "pillow>=10.0",  # reads a picture's size before anything is decoded
    "pyyaml>=6.0",
    "safetensors>=0.4",
    "scipy>=1.13",
    "torch>=2.5",
]
SIM = [
    "franky-sim>=1.0",  # ships the FR3 model with its meshes
    "mujoco>=3.3",
    "pin>=3.4",  # Pinocchio: kinematics
]
LIBFRANKA = [
    # The client of a real arm, for `franka_driver`; its version must suit the robot's system version. No other wheels.
    "franky-control>=2.0; sys_platform == 'linux' and platform_machine == 'x86_64'",
]
VIZ = [
    "imageio-ffmpeg>=0.5",  # H.264 videos without a system ffmpeg
    "matplotlib>=3.9",
]
DASHBOARD = [
    "viser>=1.1,<2",  # the operator's page; it brings its own, so that nothing is fetched from elsewhere
]
POST_TRAIN = [
    "matplotlib>=3.9",  # the plot of a run
    "tensorboard>=2.16",  # its events
]
DATA = [
    "av>=12.0",  # decodes AV1, which LeRobot writes and OpenCV cannot read
    "h5py>=3.10",
    "pyarrow>=14.0",
    "rosbags>=0.11",  # rosbag2 without ROS
]
DEV = [
    "mypy>=1.10",
    "playwright>=1.40",  # drives the system's Chromium, which it does not bring
    "psutil>=5.9",  # measures memory
    "pytest>=8,<9",  # the plugin of launch_testing breaks on 9
    "pytest-timeout>=2.3",
    "ruff>=0.9",
    "types-PyYAML",
]


def data_files(folder: str) -> tuple[str, list[str]]:
    """The files of a source folder, for <prefix>/share/vjepa_mpc: the place that a ROS 2 install has them at, too."""
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / folder).glob("*") if path.is_file())
    return f"share/vjepa_mpc/{folder}", files


setup(
    name="vjepa_mpc",
    version=VERSION,
    description="Visual model-predictive control of a Franka arm with V-JEPA 2 world models.",
    license="MIT",
    python_requires=">=3.10",
    packages=find_packages(include=["vjepa_mpc", "vjepa_mpc.*"]),
    data_files=[data_files("resource/models"), data_files("config/train")],
    install_requires=CORE,
    # `train` and `evaluate` make their data and their episodes in the simulator.
    extras_require={
        "sim": SIM,
        "train": SIM,
        "data": DATA,
        "dashboard": DASHBOARD,
        "libfranka": LIBFRANKA,
        "post-train": DATA + POST_TRAIN,
        "viz": VIZ,
        "dev": DEV,
        "all": SIM + DATA + DASHBOARD + LIBFRANKA + POST_TRAIN + VIZ + DEV,
    },
    entry_points={"console_scripts": ["vjepa-mpc = vjepa_mpc.tools.cli:main"]},
)
