"""Make the plans of a recording again: the same pictures, settings and random numbers give the same actions.

Run it with ``python3 examples/plan_again.py RECORDING``, a folder that the recorder wrote. The recorder keeps pictures
as JPEG unless ``jpeg_quality`` is 0, which costs digits. For the usual settings: blocking execution, no warm start.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from vjepa_mpc.controller.assembly import ModelSettings, load_model
from vjepa_mpc.controller.planners import Planners
from vjepa_mpc.data.bags.bag import Bag, files_of
from vjepa_mpc.images import decode_image, image_to_rgb
from vjepa_mpc.options import build
from vjepa_mpc.planning import GRIPPER, Goal, Question, planner_config

(files,) = files_of(Path(sys.argv[1]))
bag = Bag(files)
decode, messages = bag.decoder(), defaultdict(list)
for each in bag.messages(list(bag.types)):
    messages[bag.types[each.topic]].append(decode(each.data, each.topic))
stated = next(event for event in messages["rcl_interfaces/msg/ParameterEvent"] if event.new_parameters)
fields = (None, "bool", "integer", "double", "string", "byte_array", "bool_array", "integer_array", "double_array")
values = {
    each.name: getattr(each.value, f"{fields[each.value.type]}_value")
    for each in stated.new_parameters
    if 0 < each.value.type < len(fields)
}
model = load_model(build(ModelSettings, values))
config, planners = planner_config(values), Planners(model, None, 0, None, values["crop"])
goals = {goal.goal_id: goal for goal in messages["vjepa_mpc/msg/GoalPictures"]}
pictures = {(at.sec, at.nanosec): each for each in messages["sensor_msgs/msg/Image"] for at in [each.header.stamp]}


def latent(picture: np.ndarray) -> torch.Tensor:
    """[N, D] of a picture, uint8 RGB [H, W, 3]."""
    return model.encode(picture[None], crop=values["crop"])[0]


for record in messages["vjepa_mpc/msg/PlanRecord"]:
    which = f"goal {record.goal_id} step {record.step}"
    message = pictures.get((record.image_stamp.sec, record.image_stamp.nanosec))
    if message is None:  # the network may lose a picture, and what was seen before the recorder came is not there
        print(f"{which}: the picture that it was planned from is not in the recording")
        continue
    picture = image_to_rgb(message)
    goal = decode_image(goals[record.goal_id].images[record.sub_goal].data, "goal picture")
    question = Question(
        goal=Goal(latent(goal)),
        origin=torch.tensor(record.origin, dtype=torch.float32),
        random_state=torch.tensor(record.random_state),
        pins={} if np.isnan(record.gripper_action) else {GRIPPER: record.gripper_action},
    )
    plan = planners.plan(config, latent(picture), question)
    seen = "the same goal" if question.goal.sha256 == record.goal_sha256 else "another goal latent"
    again = plan.actions.numpy().ravel()
    away = np.abs(again - record.actions).max()
    print(f"{which}: {seen}, actions differ by {away:.1e}", again[:3])
