"""Alias of :mod:`vjepa_mpc.geometry.pose` and :mod:`vjepa_mpc.geometry.rotation` for this release; deprecated."""

from __future__ import annotations

import warnings

from vjepa_mpc.geometry.pose import *  # noqa: F403
from vjepa_mpc.geometry.rotation import *  # noqa: F403

warnings.warn(
    "vjepa_mpc.control.pose has moved: import from vjepa_mpc.geometry.pose or vjepa_mpc.geometry.rotation. "
    "The old name goes with release 0.3.0.",
    DeprecationWarning,
    stacklevel=2,
)
