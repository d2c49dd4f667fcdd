"""`calibrate` with a turned camera: supervised moves, the angle, and a file that the planner takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from scipy.spatial.transform import Rotation

from support.rig import PROFILE, ROOT, Recorder, Rig
from vjepa_mpc.calibration.fit import load_rotation
from vjepa_mpc.tools.processes import DomainLease, NodeProcess

TURN = -20.0  # degrees, of the camera about the vertical
WITHIN = 12.0  # degrees: the bundled model has seen one camera only
START = "[0.52, 0.0, 0.16, 3.14159, 0.0, 0.0, 0.0]"
ENDS_WITHIN = 500.0  # seconds
PATIENCE = 3.0  # seconds; the moves would take a minute


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    """A simulated arm with a turned camera, in a domain of its own, and the recorder of what it is told."""
    lease = DomainLease()
    log = tmp_path_factory.mktemp("turned") / "sim_node.log"
    with (
        NodeProcess(
            "sim_node",
            log,
            lease.domain_id,
            params_files=[ROOT / "config/sim.yaml"],
            parameters={"camera_turn": str(TURN), "start_pose": START, "block_position": "[0.6, -0.1]"},
        ),
        Recorder(lease.domain_id) as link,
    ):
        link.domain_id = lease.domain_id
        link.wait_for_view(60.0)
        yield link


def calibrate(link: Recorder, folder: Path, **parameters: str) -> tuple[int, str, Path]:
    """Run it in the planner's place, by its name; exit status, output, and the file that it was to write."""
    written = folder / "calibration.yaml"
    link.forget_planner()
    with NodeProcess(
        "calibrate",
        folder / "calibrate.log",
        link.domain_id,
        params_files=[ROOT / "config/planner.yaml", PROFILE],
        parameters={**Rig.checkpoint(), "output_file": str(written), **parameters},
        remappings={"__node": "planner_node"},
    ) as process:
        status = process.wait(ENDS_WITHIN)
    output = process.output()
    link.check_setpoints()
    return status, output, written


def test_the_angle_is_found_and_the_planner_takes_the_file(turned: Recorder, tmp_path: Path) -> None:
    status, output, written = calibrate(turned, tmp_path, places="2")
    assert status == 0, output
    assert turned.setpoints
    rotation = load_rotation(written)
    expected = Rotation.from_euler("z", TURN, degrees=True)
    assert np.degrees((Rotation.from_matrix(rotation) * expected.inv()).magnitude()) < WITHIN, output

    turned.forget_planner()
    with NodeProcess(
        "planner_node",
        tmp_path / "planner_node.log",
        turned.domain_id,
        params_files=[ROOT / "config/planner.yaml", PROFILE, written],
        parameters=Rig.checkpoint(),
    ):
        assert np.allclose(turned.parameter("planner_node", "action_rotation"), rotation.ravel())


def test_too_few_moves_are_refused(turned: Recorder, tmp_path: Path) -> None:
    status, output, written = calibrate(turned, tmp_path, places="1", move_length="0.015")
    assert status == 1, output
    assert "Not reliable" in output and not written.exists()


def test_another_publisher_ends_it_by_name(turned: Recorder, tmp_path: Path) -> None:
    other = turned._node.create_publisher(PoseStamped, "target_pose", 1)
    try:
        status, output, written = calibrate(turned, tmp_path, patience=str(PATIENCE))
    finally:
        turned._node.destroy_publisher(other)
    assert status == 1 and "OTHER_PUBLISHER" in output, output
    assert not written.exists()
    # The other one has to be discovered first; the arm may have begun to move by then.
    stamps = [setpoint.stamp for setpoint in turned.setpoints]
    assert not stamps or stamps[-1] - stamps[0] < PATIENCE
