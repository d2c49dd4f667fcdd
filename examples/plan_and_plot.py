"""Plan with an objective, a sampler and a world model of your own, and plot the energies of all candidates.

Run it in this folder: ``python3 plan_and_plot.py energies.png``.
"""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import numpy as np
import torch
from own_objective import StayAbove
from own_world_model import ColourModel

from vjepa_mpc.planning import CEMConfig, CEMPlanner

model = ColourModel()
config = CEMConfig(rollout=2, samples=200, topk=20, cem_steps=6, sampling="own_sampler:Laplace")
planner = CEMPlanner(model, config, objective=StayAbove())
pictures = np.array([[[[100, 100, 100]]], [[[110, 95, 120]]]], dtype=np.uint8)  # what is seen, what is wanted
seen, wanted = model.encode(pictures)
pose = torch.tensor([0.5, 0.0, 0.3, torch.pi, 0.0, 0.0, 0.0])  # metres, radians, closedness
plan = planner.plan(seen, pose, wanted, keep_candidates=True)

figure, axes = plt.subplots()
for iteration, candidates in enumerate(plan.history):
    axes.scatter(np.full(len(candidates.energies), iteration), candidates.energies, s=4)
axes.set(xlabel="iteration", ylabel="energy of each candidate", title=f"first action {plan.actions[0, :3].tolist()}")
figure.savefig(sys.argv[1])
