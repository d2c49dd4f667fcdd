"""Visual model-predictive control of a Franka arm with V-JEPA 2 world models."""

from __future__ import annotations

import pkgutil

# The ROS interfaces (vjepa_mpc.srv, .action, .msg) are generated into another folder of the same package name.
__path__ = pkgutil.extend_path(__path__, __name__)

__version__ = "0.2.0"
