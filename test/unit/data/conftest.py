from __future__ import annotations

import pytest

for package in ("av", "h5py", "pyarrow", "rosbags"):
    pytest.importorskip(package, reason="recordings need the extra 'data'")

from support.robot_recordings import Truth, make_truth  # noqa: E402 - needs the packages


@pytest.fixture(scope="session")
def truths() -> list[Truth]:
    """Two episodes."""
    return [make_truth(0), make_truth(1, length=30)]
