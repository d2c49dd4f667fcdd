"""The benchmark tasks, a file each, with goal pictures, a measure of success and an oracle.

``TASKS.names`` lists them and ``TASKS.part(name)`` gives the class; a new file in this folder is a new task.
"""

from vjepa_mpc.registry import Registry
from vjepa_mpc.sim.tasks.interface import Outcome, Phase, Task, TaskGoal, run_oracle, run_phase

TASKS: Registry[Task] = Registry("vjepa_mpc.sim.tasks", Task, "task")

__all__ = ["TASKS", "Outcome", "Phase", "Task", "TaskGoal", "run_oracle", "run_phase"]
