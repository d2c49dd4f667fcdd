"""As if neither ROS nor the built package were installed: ``python -m pytest -p support.without_ros test/unit``."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec

ROS = ("rclpy", "launch", "launch_ros", "ament_index_python", "cv_bridge", "rosidl_runtime_py")
GENERATED = ("vjepa_mpc.action", "vjepa_mpc.msg", "vjepa_mpc.srv")


class Absent:
    """Finds no module of ROS."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        top = name.split(".")[0]
        if top in ROS or top.endswith(("_msgs", "_srvs", "_interfaces")) or name.startswith(GENERATED):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


sys.meta_path.insert(0, Absent())
