"""Receding-horizon control from goal images: encode, compare, plan, take the first action, repeat.

The one controller that the evaluation, the ROS node and the demo use (V-JEPA 2, arXiv 2506.09985, section 3.2). It
knows nothing of clocks, topics or safety: what it returns is a wish that a supervisor may refuse.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from vjepa_mpc.controller.gripper import Gripper, GripperSettings
from vjepa_mpc.controller.step import MPCStep, Observation
from vjepa_mpc.geometry.gripper_joint import CLOSED, OPEN
from vjepa_mpc.geometry.pose import POSE_DIM, next_pose, pose_difference
from vjepa_mpc.geometry.rotation import check_rotation
from vjepa_mpc.goals.sub_goal import EndedSubGoal, GoalSequence, SubGoal
from vjepa_mpc.planning.compute.budget import Pace
from vjepa_mpc.planning.compute.evaluation import Objective, l1_energy
from vjepa_mpc.planning.compute.ranks import Ranks
from vjepa_mpc.planning.config import GRIPPER, CEMConfig
from vjepa_mpc.planning.planner import CEMPlanner, PlanResult
from vjepa_mpc.worldmodel.interface import WorldModel, check_world_model
from vjepa_mpc.worldmodel.preprocess import Crop

__all__ = ["NO_GOAL", "MPCStep", "NoGoalError", "Observation", "VisualMPC"]

NO_GOAL = 0  # goal id while there is none


class NoGoalError(RuntimeError):
    """There is nothing to plan for."""


@dataclass(eq=False)
class _Run:
    """One goal on its way: replaced as a whole when a new goal is set."""

    goal_id: int
    sequence: GoalSequence
    latents: list[Tensor] = field(default_factory=list)
    # Index of the sub-goal and its newest plan, where a warm start begins; another sub-goal starts afresh.
    planned: tuple[int, PlanResult] | None = None

    def previous_plan(self, horizon: int) -> PlanResult | None:
        """Where a warm start begins: the newest plan, if it was for this sub-goal and as many steps ahead."""
        if self.planned is None or self.planned[0] != self.sequence.index:
            return None
        plan = self.planned[1]
        return plan if len(plan.actions) == horizon else None


@dataclass(frozen=True, eq=False)
class _Undo:
    """What retracting the newest step needs."""

    step: MPCStep
    run: _Run
    gripper_command: float | None
    orientation: np.ndarray | None


class VisualMPC:
    """Plans one action at a time towards goal images.

    An observation may be of an arm that is still moving: the world model then predicts what the camera will see where
    the motion ends, and the next action is planned from there.

    Threads: one worker thread calls :meth:`prepare` and :meth:`step`, which take long. Any thread may set and clear
    goals and replace settings at any time; this returns at once, also while a step is being computed. A step works on
    the settings and the goal that it started with. If the goal is set or cleared meanwhile, the step comes back with
    ``superseded`` and has changed nothing: neither progress nor the gripper command.

    Args:
        world_model: encodes images and predicts what actions do to them.
        planner_config: settings of the planner; a sub-goal's overrides come on top.
        crop: how images are cut to the model's square; the same for camera and goal images.
        gripper: how planned gripper actions become commands.
        action_rotation: [3, 3] rotation from the model's action axes to the robot's (camera calibration); None for
            the identity.
        objective: energy of latents given a goal latent, for planning as for ending sub-goals.
        seed: of the planner's random numbers.
        ranks: processes that share the planning; see :class:`~vjepa_mpc.planning.compute.ranks.Ranks`.

    Raises:
        ValueError: the rotation is not one.
    """

    def __init__(
        self,
        world_model: WorldModel,
        planner_config: CEMConfig,
        *,
        crop: Crop = "square",
        gripper: GripperSettings | None = None,
        action_rotation: np.ndarray | None = None,
        objective: Objective = l1_energy,
        seed: int = 0,
        ranks: Ranks | None = None,
    ) -> None:
        check_world_model(world_model)
        self._world_model = world_model
        self._crop = crop
        self._objective = objective
        self._ranks = ranks
        self._generator = torch.Generator(device=world_model.device).manual_seed(seed)
        self._gripper = Gripper(gripper or GripperSettings())
        self._lock = threading.Lock()  # guards what other threads may replace: the next four attributes
        self._run: _Run | None = None
        self._last_goal_id = NO_GOAL
        self._planner_config = planner_config
        self._rotation = check_rotation(action_rotation)

        self._planner: CEMPlanner | None = None
        self._pace = Pace()
        self._orientation: np.ndarray | None = None  # Euler angles that were commanded last
        self._undo: _Undo | None = None

    @property
    def planner_config(self) -> CEMConfig:
        """Settings of the planner; what is set here holds from the next step on."""
        with self._lock:
            return self._planner_config

    @planner_config.setter
    def planner_config(self, config: CEMConfig) -> None:
        with self._lock:
            self._planner_config = config

    @property
    def action_rotation(self) -> np.ndarray:
        """[3, 3] rotation from the model's action axes to the robot's; what is set here holds from the next step on."""
        with self._lock:
            return self._rotation

    @action_rotation.setter
    def action_rotation(self, rotation: np.ndarray | None) -> None:
        checked = check_rotation(rotation)
        with self._lock:
            self._rotation = checked

    @property
    def goal_id(self) -> int:
        """Identity of the goal that is set; 0 for none."""
        with self._lock:
            return NO_GOAL if self._run is None else self._run.goal_id

    def set_goals(self, goals: Sequence[SubGoal]) -> int:
        """Reach these sub-goals one after the other, instead of what was set before; returns the new goal's id.

        Goal images are not encoded here but by the next :meth:`prepare` or :meth:`step`, once.

        Raises:
            ValueError: there is no sub-goal; what was set before stays.
        """
        sequence = GoalSequence(goals)
        with self._lock:
            self._last_goal_id += 1
            self._run = _Run(self._last_goal_id, sequence)
            return self._last_goal_id

    def clear_goals(self) -> None:
        """Have no goal; a step that is being computed comes back superseded."""
        with self._lock:
            self._run = None

    def restart(self) -> None:
        """Start from the measured pose again, e.g. after a pause in which the arm was moved. Not while a step runs.

        Gone are the commanded orientation and the plan that a warm start would begin at. The held gripper command
        stays: forgetting it would let go of what is grasped.
        """
        self._orientation = None
        with self._lock:
            if self._run is not None:
                self._run.planned = None

    def forget(self) -> None:
        """Forget the held gripper command, too, e.g. when an arm is taken over. Not while a step runs."""
        self.restart()
        self._gripper.reset()

    def retract(self, step: MPCStep) -> None:
        """Undo the newest step because it was not acted upon: it does not count and nothing of it is held.

        Not while another step runs. A step that was superseded, finished or retracted before needs no undoing.
        """
        if self._undo is None or self._undo.step is not step:
            return
        self._undo.run.sequence.retract_action()
        self._undo.run.planned = None
        self._gripper.restore(self._undo.gripper_command)
        self._orientation = self._undo.orientation
        self._undo = None

    def warm_up(self) -> float:
        """Encode and plan with a black picture before time matters; returns the seconds it took. Worker thread only.

        Afterwards kernels are chosen, compiled and recorded for the settings as they are, and a deadline knows how
        long predictions take. The random numbers of the plans to come stay the same.

        Raises:
            ValueError: the model's predictions are not numbers, as when float16 is too narrow for its weights.
        """
        started = time.perf_counter()
        with self._lock:
            config = self._planner_config
        state = self._generator.get_state()
        black = Observation(image=np.zeros((256, 256, 3), dtype=np.uint8), pose=np.zeros(POSE_DIM))
        latent, pose = self._encode(black.image), torch.zeros(POSE_DIM)
        self._imagine(latent, replace(black, start=black.pose), np.eye(3))
        # Two iterations have the shapes of all, unless the settings let samples decay.
        iterations = config.cem_steps if config.sample_decay > 1.0 else min(2, config.cem_steps)
        patient = replace(config, cem_steps=iterations, deadline=None, stop_spread=0.0, cuda_graphs=False)
        planner = self._make_planner(patient)
        plan = planner.plan(latent, pose, latent)
        if not all(map(math.isfinite, plan.energies)):
            raise ValueError(
                f"in {self._world_model.dtype} the world model predicts energies {plan.energies}: choose another "
                "dtype, such as float32, or another checkpoint"
            )
        if config.warm_start:
            planner.plan(latent, pose, latent, previous=plan)
        if config.deadline is not None or config.cuda_graphs:
            self._planner_for(config).plan(latent, pose, latent)
        self._generator.set_state(state)
        return time.perf_counter() - started

    def prepare(self) -> float:
        """Encode the goal images that were not encoded yet; returns the seconds it took. Worker thread only.

        Raises:
            NoGoalError: no goal is set.
        """
        run, _, _ = self._snapshot()
        started = time.perf_counter()
        self._encode_goals(run)
        return time.perf_counter() - started

    def step(self, observation: Observation) -> MPCStep:
        """Plan the next action. Worker thread only.

        Conditions that end a sub-goal are looked at first, with the new image's energy, and the action is planned for
        the sub-goal that is then current. So N budgeted actions need N + 1 calls, the last of them ``finished``.

        Raises:
            NoGoalError: no goal is set.
            ValueError: the world model returned an energy that is not a number; nothing has changed.
        """
        run, config, rotation = self._snapshot()
        started = time.perf_counter()
        self._undo = None
        if not self._encode_goals(run):
            return self._without_action(run, observation, math.nan, (), time.perf_counter() - started)
        latent = self._encode(observation.image)
        energy, ended = self._advance(run, latent)  # waits for the device, so that what was measured is not a launch
        encode_seconds = time.perf_counter() - started
        goal = run.sequence.current
        if goal is None:
            return self._without_action(run, observation, energy, ended, encode_seconds)

        latent = self._imagine(latent, observation, rotation)
        plan = self._plan(run, goal, config, latent, observation.origin, _proposals(observation, rotation))
        actions = plan.actions.double().numpy()
        actions[:, :3] = actions[:, :3] @ rotation.T
        step = MPCStep(
            goal_id=run.goal_id,
            goal_index=run.sequence.index,
            goal_count=len(run.sequence.goals),
            goal_step=run.sequence.step + 1,
            step_budget=goal.steps,
            actions=actions,
            target_pose=self._target(observation.origin, actions[0]),
            energy=energy,
            ended=ended,
            energies=plan.energies,
            encode_seconds=encode_seconds,
            plan_seconds=plan.timings["total"],
            stopped_by=plan.stopped_by,
            deadline=config.deadline,
        )
        return self._commit(run, goal, step, observation.origin[6])

    def _snapshot(self) -> tuple[_Run, CEMConfig, np.ndarray]:
        with self._lock:
            if self._run is None:
                raise NoGoalError("no goal is set: call set_goals first")
            return self._run, self._planner_config, self._rotation

    def _is_current(self, run: _Run) -> bool:
        with self._lock:
            return self._run is run

    def _encode(self, image: np.ndarray) -> Tensor:
        return self._world_model.encode(image[None], crop=self._crop)[0]

    def _imagine(self, latent: Tensor, observation: Observation, rotation: np.ndarray) -> Tensor:
        """What the camera will see at the observation's origin, as the world model predicts from what it sees now."""
        if observation.start is None:
            return latent
        action = pose_difference(torch.from_numpy(observation.pose), torch.from_numpy(observation.origin))
        action[:3] = torch.from_numpy(rotation.T) @ action[:3]
        pose = torch.as_tensor(observation.pose, dtype=torch.float32, device=latent.device)
        with torch.no_grad():
            rollout = self._world_model.start_rollout(latent, pose, samples=1, horizon=1, past_actions=None)
            return rollout.step(action.float().to(latent.device)[None])[0].clone()

    def _encode_goals(self, run: _Run) -> bool:
        """Encode what is missing, one image at a time; False as soon as the goal is superseded."""
        for goal in run.sequence.goals[len(run.latents) :]:
            if not self._is_current(run):
                return False
            run.latents.append(self._encode(goal.image))
        return True

    def _advance(self, run: _Run, latent: Tensor) -> tuple[float, tuple[EndedSubGoal, ...]]:
        """End the sub-goals that this image ends; returns them with the energy to the sub-goal that is then current."""
        ended: list[EndedSubGoal] = []
        while not run.sequence.finished:
            energy = float(self._objective(latent[None], run.latents[run.sequence.index]))
            end = run.sequence.update(energy)
            if end is None:
                return energy, tuple(ended)
            ended.append(end)
        return float(self._objective(latent[None], run.latents[-1])), tuple(ended)

    def _plan(
        self,
        run: _Run,
        goal: SubGoal,
        config: CEMConfig,
        latent: Tensor,
        pose: np.ndarray,
        proposals: Tensor | None,
    ) -> PlanResult:
        config = self._config_for(goal, run.sequence.step, config)
        state, index = torch.as_tensor(pose, dtype=torch.float32), run.sequence.index
        plan = self._planner_for(config).plan(
            latent,
            state,
            run.latents[index],
            previous=run.previous_plan(config.rollout),
            proposals=proposals,
            pins=self._known_gripper(goal, float(pose[6])),
        )
        run.planned = (index, plan)
        return plan

    def _planner_for(self, config: CEMConfig) -> CEMPlanner:
        """The planner with these settings; kept as long as they stay, with what it has recorded and learnt."""
        if self._planner is None or self._planner.config != config:
            self._planner = self._make_planner(config)
        return self._planner

    def _make_planner(self, config: CEMConfig) -> CEMPlanner:
        return CEMPlanner(
            self._world_model, config, self._generator, self._objective, pace=self._pace, ranks=self._ranks
        )

    def _config_for(self, goal: SubGoal, step: int, config: CEMConfig) -> CEMConfig:
        """The planner's settings for one action: the sub-goal's overrides, and from when on the gripper closes."""
        overrides, intent = goal.overrides, goal.gripper
        if overrides.maxnorm is not None:
            config = replace(config, maxnorm=overrides.maxnorm)
        if overrides.horizon is not None:
            config = replace(config, rollout=overrides.horizon)
        if intent.kind == "close_after" and intent.step - step < config.rollout:
            return replace(config, close_gripper=max(intent.step - step, 0))
        return config

    def _known_gripper(self, goal: SubGoal, closedness: float) -> dict[int, float]:
        """The gripper's action where the sub-goal's intent gives it."""
        wanted = {"open": OPEN, "closed": CLOSED}.get(goal.gripper.kind)
        if wanted is None:
            return {}
        # Fingers that were already told to go there change no more, also when a block keeps them apart.
        return {GRIPPER: 0.0 if self._gripper.command == wanted else wanted - closedness}

    def _command_gripper(self, goal: SubGoal, step: MPCStep, closedness: float) -> float:
        intent = goal.gripper
        if intent.kind == "open":
            return self._gripper.force(OPEN)
        if intent.kind == "closed" or (intent.kind == "close_after" and step.goal_step > intent.step):
            return self._gripper.force(CLOSED)
        return self._gripper.update(closedness, float(step.actions[0, 6]))

    def _target(self, pose: np.ndarray, action: np.ndarray) -> np.ndarray:
        """The origin's position and the orientation commanded last, moved by the action.

        Contacts tilt the hand a little. Plans do not rotate, so a measured tilt that went into the next command would
        never be corrected and add up.
        """
        start = pose.copy()
        if self._orientation is not None:
            start[3:6] = self._orientation
        return next_pose(torch.from_numpy(start), torch.from_numpy(action)).numpy()

    def _commit(self, run: _Run, goal: SubGoal, step: MPCStep, closedness: float) -> MPCStep:
        """Count the action and command the gripper, unless the goal was superseded meanwhile."""
        with self._lock:
            if self._run is not run:
                return replace(step, superseded=True)
            self._undo = _Undo(step, run, self._gripper.command, self._orientation)
            self._orientation = step.target_pose[3:6].copy()
            step.target_pose[6] = self._command_gripper(goal, step, closedness)
            run.sequence.action_taken()
            return step

    def _without_action(
        self,
        run: _Run,
        observation: Observation,
        energy: float,
        ended: tuple[EndedSubGoal, ...],
        encode_seconds: float,
    ) -> MPCStep:
        """A step that stays where it is: the goal is finished or superseded."""
        index = min(run.sequence.index, len(run.sequence.goals) - 1)
        target = observation.pose.copy()
        target[6] = target[6] if self._gripper.command is None else self._gripper.command
        superseded = not self._is_current(run)
        return MPCStep(
            goal_id=run.goal_id,
            superseded=superseded,
            finished=run.sequence.finished and not superseded,
            goal_index=index,
            goal_count=len(run.sequence.goals),
            goal_step=run.sequence.ended[-1].steps if run.sequence.ended else 0,
            step_budget=run.sequence.goals[index].steps,
            actions=np.zeros((1, POSE_DIM)),
            target_pose=target,
            energy=energy,
            ended=ended,
            encode_seconds=encode_seconds,
        )


def _proposals(observation: Observation, rotation: np.ndarray) -> Tensor | None:
    """The observation's proposals along the model's axes; ``rotation`` leads from there to the robot's."""
    if observation.proposals is None:
        return None
    proposals = observation.proposals.copy()
    proposals[..., :3] = proposals[..., :3] @ rotation  # from the left, a row is turned by the transpose
    return torch.from_numpy(proposals)
