"""Message types by name, and messages as bytes that strict readers take."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("rosbags", reason="the packages of the extra `data` are not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

from rcl_interfaces.msg import Parameter, ParameterEvent, ParameterValue
from rclpy.serialization import deserialize_message
from vjepa_mpc.msg import PlanStatus

from vjepa_mpc.ros.recorder.message_types import UnknownTypeError, encoded, message_class, types_for

pytestmark = pytest.mark.ros
EVENT, STATUS = "rcl_interfaces/msg/ParameterEvent", "vjepa_mpc/msg/PlanStatus"


def test_every_kind_of_parameter_survives() -> None:
    values = [
        ParameterValue(type=1, bool_value=True),
        ParameterValue(type=4, string_value="käse"),
        ParameterValue(type=5, byte_array_value=[b"\x01", b"\xff"]),
        ParameterValue(type=6, bool_array_value=[True, False]),
        ParameterValue(type=7, integer_array_value=[-1, 2**40]),
        ParameterValue(type=8, double_array_value=[0.5]),
        ParameterValue(type=9, string_array_value=["a", ""]),
    ]
    event = ParameterEvent(node="/n", new_parameters=[Parameter(name="p", value=value) for value in values])
    data = encoded(event, EVENT)
    assert deserialize_message(data, ParameterEvent) == event
    types_for(EVENT).deserialize_cdr(data, EVENT)  # raises when bytes are left over


def test_a_type_that_ros_does_not_bring_is_read_from_its_package() -> None:
    status = PlanStatus(reason="NO_GOAL", action=[float(number) for number in range(7)])
    status.header.frame_id = "base"
    found = types_for(STATUS).deserialize_cdr(encoded(status, STATUS), STATUS)
    assert found.reason == "NO_GOAL" and found.header.frame_id == "base"
    assert list(found.action) == list(status.action)
    assert message_class(STATUS) is PlanStatus


@pytest.mark.parametrize("kind", ["no_such_package/msg/Thing", "std_msgs/msg/NoSuchThing"])
def test_an_unknown_type_is_named(kind: str) -> None:
    with pytest.raises(UnknownTypeError, match=kind):
        message_class(kind)
    with pytest.raises(UnknownTypeError, match=kind):
        types_for(kind)
