"""Launch tests need launch, which comes with ROS 2 and not from PyPI."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vjepa_mpc.tools.processes import DomainLease, local_environment


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(str(item.fspath)).is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.ros)


@pytest.fixture(scope="session")
def domain() -> int:
    """ROS domain id of this test run."""
    domain_id = DomainLease().domain_id
    os.environ.update(local_environment(domain_id))
    return domain_id
