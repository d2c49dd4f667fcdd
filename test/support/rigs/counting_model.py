"""A point mass to control, what it is told to reach, and following its plans."""

from __future__ import annotations

import threading

import numpy as np

from vjepa_mpc.controller.step import Observation
from vjepa_mpc.goals.endings.budget import Budget
from vjepa_mpc.goals.gripper_intent import GripperIntent
from vjepa_mpc.goals.sub_goal import SubGoal
from vjepa_mpc.planning import CEMConfig
from vjepa_mpc.worldmodel import PointMassWorldModel

CONFIG = CEMConfig(rollout=1, samples=64, topk=8, cem_steps=4, maxnorm=0.075)
START = np.array([0.4, -0.1, 0.3, np.pi, 0.0, 0.2, 0.0])


class CountingModel(PointMassWorldModel):
    """A point mass that counts what it encodes and can be made to wait while it encodes."""

    def __init__(self) -> None:
        super().__init__()
        self.encoded = 0
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def encode(self, images, crop="square"):
        self.encoded += 1
        self.entered.set()
        assert self.go_on.wait(10.0)
        return super().encode(images, crop)


def goal(model, position, steps=4, *, endings=(), gripper="free", **options) -> SubGoal:
    endings, gripper = (*endings, Budget(steps=steps)), GripperIntent.parse(gripper)
    return SubGoal(image=model.render(np.array(position)), endings=endings, gripper=gripper, **options)


def observe(model, pose=START) -> Observation:
    return Observation(image=model.render(pose), pose=pose)


def follow(mpc, model, pose=START, limit=50) -> tuple[np.ndarray, list]:
    """Carry every step out exactly until the goal is finished."""
    steps = []
    for _ in range(limit):
        steps.append(mpc.step(observe(model, pose)))
        if steps[-1].finished:
            break
        pose = steps[-1].target_pose
    return pose, steps
