"""The arguments of the launch files, as data: names, texts, what is allowed, and which parameter they set."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

BOOLEANS = ("true", "false", "True", "False", "1", "0")
LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")
# Arguments of `ros2 launch` itself, which every launch file takes.
RESERVED = ("launch-prefix", "launch-prefix-filter")
_LAST_PORT = 65535
NEAR = 0.75  # share of equal letters from which on a name counts as misspelt


@dataclass(frozen=True, kw_only=True)
class Argument:
    """One argument of a launch file.

    Attributes:
        name: as in ``name:=value``.
        text: one line for ``ros2 launch ... --show-args``.
        default: what counts when it is not given.
        choices: all that is allowed; empty: anything.
        parameter: the planner's parameter that it sets when it is given; "" when it sets none.
    """

    name: str
    text: str
    default: str = ""
    choices: tuple[str, ...] = ()
    parameter: str = ""

    @property
    def boolean(self) -> bool:
        """Whether it is true or false."""
        return set(BOOLEANS) <= set(self.choices)


def _optional(name: str, text: str, choices: tuple[str, ...] = (), parameter: str = "") -> Argument:
    """One that may be left out: then the parameter files decide."""
    return Argument(name=name, text=text, choices=("", *choices) if choices else (), parameter=parameter)


NAMESPACE = Argument(name="namespace", text="Namespace of all nodes and topics.")
LOG_LEVEL = Argument(name="log_level", text="Least severity that is logged.", default="info", choices=LOG_LEVELS)
SIM_PARAMS_FILE = Argument(name="sim_params_file", text="Your parameters of the simulated arm, over config/sim.yaml.")
_SIM_TIME = "Take the time from /clock"
DASHBOARD = Argument(name="dashboard", text="Serve the operator's page, too.", default="false", choices=BOOLEANS)
DASHBOARD_PORT = Argument(name="dashboard_port", text="Port of the operator's page on this machine.", default="8080")

SIM_ARGUMENTS = (
    NAMESPACE,
    SIM_PARAMS_FILE,
    _optional("use_sim_time", f"{_SIM_TIME}, which the simulated arm then publishes.", BOOLEANS),
    LOG_LEVEL,
    DASHBOARD,
    DASHBOARD_PORT,
)
PLAN_ARGUMENTS = (
    Argument(name="sim", text="Start the simulated arm, too.", default="false", choices=BOOLEANS),
    Argument(
        name="robot",
        text="Robot profile: a name in config/robots, or a YAML file. Default: sim with sim:=true, else none.",
    ),
    Argument(
        name="workspace",
        text="Box for the end effector in metres, lower corner, then upper: x,y,z,x,y,z; or teach_workspace's file.",
    ),
    NAMESPACE,
    Argument(name="node_name", text="Name of the planner node.", default="planner_node"),
    Argument(name="params_file", text="Your parameters of the planner, over its defaults and the robot profile."),
    SIM_PARAMS_FILE,
    Argument(name="calibration", text="Camera calibration: the YAML file that `calibrate` wrote."),
    Argument(name="record", text="Folder for rosbag2 recordings of what the planner hears and says."),
    Argument(name="play", text="Minutes to move at random inside the box instead of planning, to collect data."),
    DASHBOARD,
    DASHBOARD_PORT,
    Argument(name="goal_image", text="Goal images to start with: files on this machine, separated by commas."),
    _optional("use_sim_time", f"{_SIM_TIME}, of a bag or a simulator.", BOOLEANS, "use_sim_time"),
    LOG_LEVEL,
    _optional(
        "checkpoint",
        "World model: a file, or package.module:function; else the bundled one.",
        (),
        "checkpoint",
    ),
    _optional("device", "PyTorch device: auto, cpu, cuda, cuda:1 …", (), "device"),
    _optional("autostart", "Configure and activate at start.", BOOLEANS, "autostart"),
    _optional("image_topic", "Camera images.", (), "topics.image"),
    _optional("pose_topic", "Measured pose of the end effector (PoseStamped).", (), "topics.pose"),
    _optional("target_topic", "Where set-points go (PoseStamped).", (), "topics.target"),
)
PATHS = ("checkpoint",)  # those of the planner's parameters that are files


def is_true(text: str) -> bool:
    """What a boolean argument says; "" counts as false.

    Raises:
        ValueError: neither true nor false.
    """
    if text not in ("", *BOOLEANS):
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() in ("true", "1")


def port(text: str) -> int:
    """The port that an argument names.

    Raises:
        ValueError: it is none.
    """
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise ValueError(f"dashboard_port:={text}: give a number from 0 to {_LAST_PORT}; 0 takes a free port")
    return int(text)


def parameters_of(arguments: Iterable[Argument], values: Mapping[str, str]) -> dict[str, Any]:
    """The parameters that the given arguments set, each of its type."""
    return {
        argument.parameter: is_true(values[argument.name]) if argument.boolean else values[argument.name]
        for argument in arguments
        if argument.parameter and values[argument.name]
    }


def unknown_names(given: Iterable[str], known: Collection[str]) -> list[str]:
    """A sentence for each name that is no argument, with the nearest one that is."""
    return [
        f"{name} is no argument of this launch file{_hint(name, known)}"
        for name in given
        if name not in known and name not in RESERVED
    ]


def misspelt_names(given: Iterable[str], known: Collection[str]) -> list[str]:
    """The same for those names only that look like one of the arguments.

    A launch file that includes ours has arguments of its own, which are none of our business.
    """
    other = {argument.name for argument in (*PLAN_ARGUMENTS, *SIM_ARGUMENTS)} - set(known)
    return [
        f"{name} is no argument of this launch file{_hint(name, known)}"
        for name in given
        if name not in known and name not in other and difflib.get_close_matches(name, known, 1, NEAR)
    ]


def _hint(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, 1, 0.5)
    return f"; did you mean {near[0]}?" if near else f"; it has {', '.join(sorted(known))}"
