"""Parameter files and -p arguments: what is wrong with them ends in one line, what is right reaches ROS as declared."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from vjepa_mpc.options import Option, Parameter
from vjepa_mpc.ros.parameters.arguments import NodeParameters, checked
from vjepa_mpc.ros.parameters.live import ParameterError

pytestmark = pytest.mark.ros

KNOWN = (
    Parameter("device", "auto", Option(text="Where.")),
    Parameter("samples", 100, Option(text="How many.", low=2, high=1000)),
    Parameter("warm_up", True, Option(text="Whether.")),
    Parameter("limits.linear_speed", 0.2, Option(text="How fast.", unit="m/s", low=0.001, high=3.0)),
    Parameter("replan_deadline", 5.0, Option(text="How long.", low=0.01, high=60.0, former=("plan_deadline",))),
    Parameter("corner", None, Option(text="Where to.")),
    Parameter("axis", "", Option(text="Which.")),
)
NODE = NodeParameters("planner_node", lambda values: KNOWN)


def result(*arguments: str) -> dict[str, Any]:
    """What ROS is given for these arguments."""
    with checked(["planner_node", "--ros-args", *arguments], NODE) as given:
        files = [given[index + 1] for index, argument in enumerate(given) if argument == "--params-file"]
        assert len(files) <= 1
        return yaml.safe_load(Path(files[0]).read_text())["/**"]["ros__parameters"] if files else {}


def refusal(*arguments: str) -> str:
    with pytest.raises(ParameterError) as caught:
        result(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def write(text: str, name: str = "my.yaml") -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def values(text: str) -> str:
    """A parameter file for every node with these values."""
    return "/**:\n  ros__parameters:\n" + "".join(f"    {line}\n" for line in text.splitlines())


# -- taken ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "wanted"),
    [
        ("limits.linear_speed: 1", "limits.linear_speed", 1.0),
        ("limits: {linear_speed: 0.1}", "limits.linear_speed", 0.1),
        ("limits.linear_speed: 1e-2", "limits.linear_speed", 0.01),
        ("corner: [0.3, -0.25, 0]", "corner", [0.3, -0.25, 0.0]),
        ("corner: [1, 2, 3]", "corner", [1.0, 2.0, 3.0]),
        ("corner: !!python/tuple [1, 2, 3]", "corner", [1.0, 2.0, 3.0]),  # as launch writes arrays
        ("device: cuda:1", "device", "cuda:1"),
        ('device: "0"', "device", "0"),
        ("device: 2026-01-31", "device", "2026-01-31"),
        ("warm_up: no", "warm_up", False),
        ("axis: z=0.0, gripper=-1", "axis", "z=0.0, gripper=-1"),
    ],
)
def test_values_reach_ros_as_the_declared_type(file: Any, text: str, name: str, wanted: Any) -> None:
    found = result("--params-file", file(values(text)))[name]
    assert found == wanted and type(found) is type(wanted)
    if isinstance(found, list):
        assert all(type(number) is float for number in found)


def test_arguments_are_converted_like_files() -> None:
    found = result("-p", "corner:=[0.3, -0.25, 0]", "--param", "limits.linear_speed:=1", "-p", "device:=")
    assert found == {"corner": [0.3, -0.25, 0.0], "limits.linear_speed": 1.0, "device": ""}


def test_later_ones_win(file: Any) -> None:
    first, second = file(values("samples: 4\nwarm_up: false"), "a.yaml"), file(values("samples: 5"), "b.yaml")
    assert result("--params-file", first, "--params-file", second) == {"samples": 5, "warm_up": False}
    assert result("--params-file", first, "-p", "samples:=6")["samples"] == 6
    specific = file("/planner_node:\n  ros__parameters:\n    samples: 7\n", "c.yaml")
    assert result("--params-file", specific, "-p", "samples:=6")["samples"] == 6


def test_only_what_is_for_this_node_counts(file: Any) -> None:
    shared = file(
        "planner_node:\n  ros__parameters:\n    samples: 4\nsim_node:\n  ros__parameters:\n    image_size: 64\n"
        "lab:\n  planner_node:\n    ros__parameters:\n      samples: 5\n/*/other:\n  ros__parameters: {samples: 6}\n"
    )
    assert result("--params-file", shared) == {"samples": 4}
    assert result("--params-file", shared, "-r", "__ns:=/lab") == {"samples": 5}
    assert result("--params-file", shared, "-r", "__ns:=/a", "-r", "planner_node:__node:=other") == {"samples": 6}
    assert result("-p", "sim_node:image_size:=64", "-p", "planner_node:samples:=8") == {"samples": 8}


def test_a_file_with_everything_commented_out_gives_nothing(file: Any) -> None:
    assert result("--params-file", file("/**:\n  ros__parameters:\n    # samples: 4\n")) == {}


def test_rclpys_own_parameters_and_other_arguments_pass(file: Any) -> None:
    own = values("use_sim_time: true\nqos_overrides./tf.publisher.depth: 3")
    assert result("--params-file", file(own)) == {"use_sim_time": True, "qos_overrides./tf.publisher.depth": 3}
    ours, others = (
        ["-p", "samples:=4"],
        ["x", "-p", "mine", "--ros-args", "-r", "__node:=a", "--log-level", "info", "--"],
    )
    with checked([*others[:-1], *ours, others[-1]], NODE) as given:
        assert given[:-1] == [*others, "--ros-args", "--params-file"]
        path = Path(given[-1])
        assert path.exists()
    assert not path.exists()


def test_options_of_a_part_that_is_chosen_are_known() -> None:
    def known(given: Any) -> tuple[Parameter, ...]:
        own = Parameter("mine.gain", 1.0, Option(text="Own."))
        return (*KNOWN, own) if given.get("device") == "my:Mine" else KNOWN

    with checked(["--ros-args", "-p", "device:=my:Mine", "-p", "mine.gain:=2"], NodeParameters("planner_node", known)):
        pass
    assert "mine.gain: there is no such parameter" in refusal("-p", "mine.gain:=2")


# -- former names -----------------------------------------------------------------------------------------------------


def test_a_former_name_is_read_with_one_line(file: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert result("--params-file", file(values("plan_deadline: 2")), "-p", "plan_deadline:=3") == {
            "replan_deadline": 3.0
        }
    assert [record.getMessage() for record in caplog.records] == [
        "`plan_deadline` is now called `replan_deadline`; the old name is read until release 0.3.0"
    ]


def test_both_names_are_refused(file: Any) -> None:
    said = refusal("-p", "replan_deadline:=3", "-p", "plan_deadline:=2")
    assert "plan_deadline is the former name of replan_deadline" in said
    assert "give only" in refusal("--params-file", file(values("plan_deadline: 2")), "-p", "replan_deadline:=5.0")


def test_a_file_of_defaults_before_does_not_forbid_the_former_name(file: Any) -> None:
    defaults = file(values("replan_deadline: 5.0"), "planner.yaml")
    assert result("--params-file", defaults, "-p", "plan_deadline:=2") == {"replan_deadline": 2.0}


# -- refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("device: 0", 'device: 0 is a whole number where a text is wanted: write device: "0"'),
        ("samples: 64.0", "samples: 64.0 is a real number where a whole number is wanted: write samples: 64"),
        ("samples: 64.5", "write samples: 100, for example"),
        ('limits.linear_speed: "0.5"', 'limits.linear_speed: "0.5" is a text where a number is wanted'),
        ("warm_up: 1", "warm_up: 1 is a whole number where true or false is wanted: write warm_up: true"),
        ("corner: [0.3, true, 0]", "corner: [0.3, true, 0] is a list that does not hold numbers alone"),
        ("corner: 0.3", "corner: 0.3 is a real number where a list of numbers is wanted"),
        ("corner: []", "corner: []"),
        ("device:", 'device: null is nothing where a text is wanted: write device: "auto"'),
        ("samples: 1", "samples=1: use a finite number from 2 to 1000"),
        ("limits.linear_speed: .nan", "limits.linear_speed=nan"),
        (
            "limits.linear_sped: 0.05",
            "sped: there is no such parameter; did you mean limits.linear_speed?",
        ),
        ("linear_speed: 0.05", "did you mean limits.linear_speed?"),
        ("quite_different: 0.05", "docs/parameters.md lists all"),
        ("samples: 4\nsamples: 5", "samples was given before"),
    ],
)
def test_wrong_values_end_in_a_line_with_file_and_remedy(file: Any, text: str, says: str) -> None:
    path = file(values(text))
    said = refusal("--params-file", path)
    assert said.startswith(f"{path}:{2 + len(text.splitlines())}: ")
    assert says in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("/**:\n  ros__parameters:\n    samples: 4\n   warm_up: true\n", ":4: this is not YAML"),
        ("/**:\n\tros__parameters:\n", "no tabs"),
        ("/**:\n  ros__parameters:\n  samples: 4\n", ":3: samples stands beside ros__parameters: indent it further"),
        ("samples: 4\n", ":1: samples is not below ros__parameters"),
        ("ros__parameters:\n  samples: 4\n", "ros__parameters stands under no node's name"),
        ("/**:\n  ros__parameters:\n    - 4\n", ":3: a list stands where a parameter's name"),
        ("sim_node:\n  ros__parameters:\n    samples: 4\n", "nothing in it is for this node, /planner_node"),
        ("sim_node:\n  ros__parameters:\n    samples: 4\n", "it holds parameters for: /sim_node"),
        ("", "it holds parameters for: none"),
    ],
)
def test_files_that_say_nothing_for_the_node_are_refused(file: Any, text: str, says: str) -> None:
    path = file(text)
    said = refusal("--params-file", path)
    assert said.startswith(path) and says in said


def test_the_namespace_of_the_node_is_named(file: Any) -> None:
    path = file("planner_node:\n  ros__parameters:\n    samples: 4\n")
    assert "this node, /lab/planner_node" in refusal("--params-file", path, "--remap", "__ns:=/lab")


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    assert refusal("--params-file", str(tmp_path / "none.yaml")).startswith(f"cannot read {tmp_path}/none.yaml: ")
    assert "cannot read" in refusal("--params-file", str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-p", "sample:=16"), "-p sample:=16: sample: there is no such parameter; did you mean samples?"),
        (("-p", "samples"), "write NAME:=VALUE"),
        (("-p",), "-p stands at the end of the command line: give NAME:=VALUE after it"),
        (("-p", "samples:=64.0"), "write -p samples:=64"),
        (("-p", "device:=0"), "write -p 'device:=\"0\"'"),
    ],
)
def test_wrong_arguments_end_in_a_line(arguments: tuple[str, ...], says: str) -> None:
    assert says in refusal(*arguments)
