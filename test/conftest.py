"""What holds for every test."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

import pytest

# As the planner node does: threads that wait for each other sleep. Beside other work on the same cores, spinning makes
# tests many times slower. It counts before PyTorch is loaded only.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

with contextlib.suppress(ImportError):
    import launch.logging  # noqa: F401  # comes with ROS 2

    # From its import on, new loggers would keep their lines from the root logger, which pytest's caplog listens to.
    logging.setLoggerClass(logging.Logger)

LAUNCH = Path(__file__).parent / "launch"


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Leave only the launch tests to launch_testing's plugin, which is always loaded where ROS is installed.

    It imports each file by its bare name to see whether it is a launch test, and fails where two have the same name.
    """
    if module_path.is_relative_to(LAUNCH):
        return None
    return pytest.Module.from_parent(parent, path=module_path)
