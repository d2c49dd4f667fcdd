"""Recordings of a controller's plans as the recorder writes them beside the planner node, without ROS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rosbags.rosbag2
import torch

from support.rigs import exact_model
from support.source import ROOT
from vjepa_mpc.controller.assembly import ModelSettings, load_model
from vjepa_mpc.controller.step import Observation, Step
from vjepa_mpc.controller.visual_mpc import VisualMPC
from vjepa_mpc.data.bags.types import types_with
from vjepa_mpc.goals.endings.budget import Budget
from vjepa_mpc.goals.gripper_intent import GripperIntent
from vjepa_mpc.goals.sub_goal import SubGoal
from vjepa_mpc.images import encode_jpeg, encode_png
from vjepa_mpc.options import build, parameters
from vjepa_mpc.planning import GRIPPER, CEMConfig, plain_settings, planner_config

MODEL = f"{exact_model.__name__}:exact"
NODE, CAMERA = "/planner_node", "/camera/image_raw"
START = np.array([0.5, -0.05, 0.25, np.pi, 0.0, 0.0, 0.0])
WANTED = np.array([0.56, 0.02, 0.31, np.pi, 0.0, 0.0, 0.0])
SMALL = CEMConfig(rollout=1, samples=64, topk=8, cem_steps=4, maxnorm=0.075)
TURN = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)  # 90° about z, row by row
_OWN = tuple(
    (f"vjepa_mpc/msg/{name}", (ROOT / f"msg/{name}.msg").read_text(), False) for name in ("PlanRecord", "GoalPictures")
)
_KINDS = {bool: (1, "bool_value"), int: (2, "integer_value"), float: (3, "double_value"), str: (4, "string_value")}


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """How a recording is made, and what is wrong with it.

    Attributes:
        steps: cycles.
        gripper: what it does, as in SetGoal.srv.
        values: parameters of the planner node, besides those of a small planner.
        changed: parameters that change between the first and the second cycle.
        under_way: the arm is still moving while the next action is planned.
        jpeg: pictures are recorded as JPEG.
        lost: cycles whose picture is missing.
        without: message types, or topics, that are missing.
    """

    steps: int = 3
    gripper: str = "free"
    values: Mapping[str, Any] = field(default_factory=dict)
    changed: Mapping[str, Any] = field(default_factory=dict)
    under_way: bool = False
    jpeg: bool = False
    lost: Sequence[int] = ()
    without: Sequence[str] = ()

    @property
    def parameters(self) -> dict[str, Any]:
        """All that the node tells at its start."""
        models = {each.name: each.default for each in parameters(ModelSettings)}
        return {
            **models,
            **plain_settings(SMALL),
            "checkpoint": MODEL,
            "topics.image": "camera/image_raw",
            **self.values,
        }

    def write(self, folder: Path) -> list[Step]:
        """Write the bag; what the controller planned."""
        values = self.parameters
        rotation = np.reshape(values["action_rotation"], (3, 3)) if "action_rotation" in values else None
        model = load_model(build(ModelSettings, values))
        mpc = VisualMPC(
            model, planner_config(values), crop=values["crop"], action_rotation=rotation, seed=values["seed"]
        )
        goal = exact_model.draw(WANTED)
        ending = Budget(steps=self.steps)
        mpc.set_goals([SubGoal(image=goal, endings=(ending,), gripper=GripperIntent.parse(self.gripper))])
        found = []
        with rosbags.rosbag2.Writer(folder, version=9, storage_plugin=rosbags.rosbag2.StoragePlugin.MCAP) as file:
            bag = _Bag(file, self.without)
            bag.write(1, "/parameter_events", "rcl_interfaces/msg/ParameterEvent", _event(values, new=True))
            bag.write(2, f"{NODE}/goal", "vjepa_mpc/msg/GoalPictures", _goal(mpc.goal_id, goal, self.gripper))
            pose = START
            for number in range(self.steps):
                if number == 1 and self.changed:
                    values = {**values, **self.changed}
                    mpc.planner_config = planner_config(values)
                    bag.write(1500, "/parameter_events", "rcl_interfaces/msg/ParameterEvent", _event(self.changed))
                measured = pose - np.array([0.0123, 0.004, 0, 0, 0, 0, 0]) if self.under_way else pose
                start = pose if self.under_way else None
                observation = Observation(image=exact_model.draw(measured), pose=measured, start=start)
                step = mpc.step(observation)
                at = 1000 * (number + 1)
                if number not in self.lost:
                    self._see(bag, at, observation.image)
                bag.write(at + 100, f"{NODE}/plan_record", "vjepa_mpc/msg/PlanRecord", _record(step, observation, at))
                found.append(step)
                pose = step.target_pose
        return found

    def _see(self, bag: _Bag, at: int, image: np.ndarray) -> None:
        if self.jpeg:
            jpeg = {"format": "rgb8; jpeg compressed bgr8", "data": np.frombuffer(encode_jpeg(image, 60), np.uint8)}
            bag.write(at, f"{CAMERA}/compressed", "sensor_msgs/msg/CompressedImage", {"header": _header(at), **jpeg})
            return
        raw = {"height": len(image), "width": image.shape[1], "encoding": "rgb8", "is_bigendian": 0}
        raw |= {"step": 3 * image.shape[1], "data": image.ravel()}
        bag.write(at, CAMERA, "sensor_msgs/msg/Image", {"header": _header(at), **raw})


class _Bag:
    """Writes messages that are given as nested dicts."""

    def __init__(self, file: Any, without: Sequence[str]) -> None:
        self._file, self._without, self._types = file, without, types_with(_OWN)
        self._topics: dict[str, Any] = {}

    def write(self, at: int, topic: str, kind: str, content: Mapping[str, Any]) -> None:
        if kind in self._without:
            return
        if topic not in self._topics:
            self._topics[topic] = self._file.add_connection(topic, kind, typestore=self._types)
        message = self._made(kind, content)
        self._file.write(self._topics[topic], at, self._types.serialize_cdr(message, kind))

    def _made(self, kind: str, content: Mapping[str, Any]) -> Any:
        fields = {}
        for name, (node, inner) in self._types.fielddefs[kind][1]:
            value = content.get(name)
            if node.name == "NAME":
                value = self._made(inner, value or {})
            elif node.name == "SEQUENCE" and inner[0][0].name == "NAME":
                value = [self._made(inner[0][1], each) for each in value or ()]
            elif node.name == "SEQUENCE" and inner[0][1][0] != "string":
                value = np.asarray(value if value is not None else (), dtype=inner[0][1][0].replace("byte", "uint8"))
            elif node.name == "ARRAY":
                value = np.asarray(value, dtype=inner[0][1][0])
            elif value is None:
                value = [] if node.name == "SEQUENCE" else "" if inner[0] == "string" else 0
            fields[name] = value
        return self._types.types[kind](**fields)


def _header(at: int) -> dict[str, Any]:
    return {"stamp": {"sec": 1_700_000_000, "nanosec": at}, "frame_id": "base"}


def _event(values: Mapping[str, Any], *, new: bool = False) -> dict[str, Any]:
    told = []
    for name, value in values.items():
        if isinstance(value, tuple):
            told.append({"name": name, "value": {"type": 8, "double_array_value": value}})
        elif value is not None:
            number, key = _KINDS[type(value)]
            told.append({"name": name, "value": {"type": number, key: value}})
    return {"node": NODE, "new_parameters" if new else "changed_parameters": told}


def _goal(goal_id: int, image: np.ndarray, gripper: str) -> dict[str, Any]:
    picture = {"format": "png", "data": np.frombuffer(encode_png(image), np.uint8)}
    return {"goal_id": goal_id, "images": [picture], "gripper": [gripper]}


def _record(step: Step, observation: Observation, at: int) -> dict[str, Any]:
    plan, question = step.plan, step.question
    assert plan is not None and question is not None
    found = {
        **{"header": _header(at + 90), "goal_id": step.goal_id, "sub_goal": step.goal_index, "step": step.goal_step},
        **{"image_stamp": _header(at)["stamp"], "pose": observation.pose, "origin": observation.origin},
        **{"goal_sha256": question.goal.sha256, "random_state": question.random_state.numpy()},
        **{"gripper_action": question.pins.get(GRIPPER, float("nan")), "horizon": len(plan.actions)},
        **{"actions": _flat(plan.actions), "energies": np.array(plan.energies), "elites": _flat(plan.elites)},
        "elite_energies": _flat(plan.elite_energies),
    }
    if question.previous is not None:
        before = question.previous
        found |= {"previous_actions": _flat(before.actions), "previous_elites": _flat(before.elites)}
    return found


def _flat(values: torch.Tensor) -> np.ndarray:
    return values.float().numpy().ravel()
