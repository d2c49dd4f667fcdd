"""Visual MPC without ROS, in the simulator: reach what a goal picture shows.

Run it with ``python3 examples/mpc_without_ros.py``. With a camera and an arm of your own, replace ``sim``.
"""

from __future__ import annotations

import numpy as np

from vjepa_mpc.controller import Observation, VisualMPC
from vjepa_mpc.goals import Budget, SubGoal
from vjepa_mpc.planning import PRESETS
from vjepa_mpc.sim import FrankaSim
from vjepa_mpc.worldmodel import bundled_model_path, load_world_model

mpc = VisualMPC(load_world_model(bundled_model_path()), PRESETS["cpu"])
with FrankaSim() as sim:
    goal = sim.pose + np.array([0.05, -0.06, 0.04, 0.0, 0.0, 0.0, 0.0])
    mpc.set_goals([SubGoal(image=sim.goal_image(goal), endings=(Budget(steps=5),))])
    while True:
        step = mpc.step(Observation(image=sim.render(), pose=sim.pose))
        distance = np.linalg.norm(sim.pose[:3] - goal[:3])
        print(f"energy {step.energy:.4f}, {100 * distance:.1f} cm from the goal")
        if step.finished:
            break
        sim.execute(step.target_pose, float(step.target_pose[6]))
