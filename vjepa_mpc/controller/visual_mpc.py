"""Receding-horizon control from goal images: encode, compare, plan, take the first action, repeat.

The controller that the evaluation, the ROS node and the demo use (V-JEPA 2, arXiv 2506.09985, section 3.2). It knows
nothing of clocks, topics or safety: what it proposes is a wish that a supervisor may refuse.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vjepa_mpc.controller.asking import config_for, proposals_for
from vjepa_mpc.controller.expectation import Begun, Expectation
from vjepa_mpc.controller.foresight import Foresight
from vjepa_mpc.controller.gripper import GripperSettings, Hand
from vjepa_mpc.controller.interface import Controller, CurrentGoal, NoGoalError
from vjepa_mpc.controller.planners import Planners
from vjepa_mpc.controller.sight import Sight
from vjepa_mpc.controller.step import Observation, Step
from vjepa_mpc.geometry.pose import POSE_DIM, next_pose
from vjepa_mpc.geometry.rotation import check_rotation
from vjepa_mpc.goals.progress import Progress
from vjepa_mpc.goals.sub_goal import SubGoal
from vjepa_mpc.planning import GRIPPER, CEMConfig, Energy, Goal, Objective, PlanResult, Question, Ranks
from vjepa_mpc.worldmodel.interface import WorldModel, check_world_model
from vjepa_mpc.worldmodel.preprocess import Crop


@dataclass(eq=False)
class _Run:
    """One goal on its way: replaced as a whole when a new goal is set.

    Attributes:
        goal_id: of the goal.
        progress: through the sub-goals, as committed.
        plan: committed last, with the index of its sub-goal; where a warm start begins.
        encoded: the goal images that were encoded so far.
        compared: whether they were, with what the camera shows.
    """

    goal_id: int
    progress: Progress
    plan: tuple[int, PlanResult] | None = None
    encoded: list[Goal] = field(default_factory=list)
    compared: bool = False

    def previous_plan(self, index: int, horizon: int) -> PlanResult | None:
        """Where a warm start begins: the newest plan, if it was for this sub-goal and as many steps ahead."""
        if self.plan is None or self.plan[0] != index or len(self.plan[1].actions) != horizon:
            return None
        return self.plan[1]


@dataclass(frozen=True, eq=False)
class _Arm:
    """What the next proposal needs to know of the actions before it.

    Attributes:
        hand: told last.
        orientation: [3] Euler angles that were commanded last; None to begin at the measured ones.
        random: state of the generator.
    """

    hand: Hand
    orientation: np.ndarray | None
    random: Tensor


class _State(NamedTuple):
    """Where the controller is once a step is committed; the run does not count any more if the goal is another one."""

    run: _Run
    progress: Progress
    plan: tuple[int, PlanResult] | None
    arm: _Arm
    begun: Begun | None = None


class VisualMPC(Controller):
    """Plans one action at a time towards goal images.

    An observation may be of an arm that is still moving: the world model then predicts what the camera will see where
    the motion ends, and the next action is planned from there.

    Threads: as :class:`~vjepa_mpc.controller.interface.Controller` says; besides goals, `planner_config`,
    `action_rotation` and `keep_candidates` may be replaced from any thread at any time. A proposal works with the
    settings and the goal that it began with. If the goal is set or cleared meanwhile, it comes back ``superseded``.

    Args:
        world_model: encodes images and predicts what actions do to them.
        planner_config: settings of the planner; a sub-goal's overrides come on top.
        crop: how images are cut to the model's square; the same for camera and goal images.
        gripper: how planned gripper actions become commands.
        action_rotation: [3, 3] rotation from the model's action axes to the robot's (camera calibration); None for
            the identity.
        objective: of planning and of ending sub-goals, instead of the one that the settings name.
        seed: of the planner's random numbers.
        ranks: processes that share the planning; see :class:`~vjepa_mpc.planning.compute.ranks.Ranks`.

    Attributes:
        keep_candidates: whether plans keep what each iteration predicted. They are the same plans, but are not replayed
            from a CUDA graph.

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
        objective: Objective | Energy | None = None,
        seed: int = 0,
        ranks: Ranks | None = None,
    ) -> None:
        check_world_model(world_model)
        self._sight = Sight(world_model, crop)
        self._expectation = Expectation(self._sight)
        self.look = self._sight.encode  # the latent [N, D] of a picture, uint8 RGB [H, W, 3]
        self._gripper = gripper or GripperSettings()
        self._lock = threading.Lock()  # guards the next two attributes, which any thread may replace
        self._planner_config = planner_config
        self._rotation = check_rotation(action_rotation)
        self._goal: CurrentGoal[_Run] = CurrentGoal()
        self._planners = Planners(world_model, objective, seed, ranks, crop)
        self._arm = _Arm(Hand(), None, self._planners.random_state)
        self.keep_candidates = False

    @property
    def planner_config(self) -> CEMConfig:
        """Settings of the planner; what is set here holds from the next proposal on."""
        with self._lock:
            return self._planner_config

    @planner_config.setter
    def planner_config(self, config: CEMConfig) -> None:
        with self._lock:
            self._planner_config = config

    @property
    def action_rotation(self) -> np.ndarray:
        """[3, 3] from the model's action axes to the robot's; what is set here holds from the next proposal on."""
        with self._lock:
            return self._rotation

    @action_rotation.setter
    def action_rotation(self, rotation: np.ndarray | None) -> None:
        checked = check_rotation(rotation)
        with self._lock:
            self._rotation = checked

    # -- goals ------------------------------------------------------------------------------------------------------

    @property
    def goal_id(self) -> int:
        """Identity of the goal that is set; 0 for none."""
        return self._goal.id

    def set_goals(self, goals: Sequence[SubGoal]) -> int:
        """Reach these sub-goals one after the other, instead of what was set before; returns the new goal's id.

        Goal images are not encoded here but by the next :meth:`prepare` or :meth:`propose`, once.

        Raises:
            ValueError: there is no sub-goal; what was set before stays.
        """
        progress = Progress(tuple(goals))
        return self._goal.set(lambda goal_id: _Run(goal_id, progress))

    def clear_goals(self) -> None:
        """Have no goal; a step that is being computed comes back superseded."""
        self._goal.clear()

    def prepare(self) -> float:
        """Encode the goal images that were not encoded yet; returns the seconds it took. Planning thread only.

        Raises:
            NoGoalError: no goal is set.
        """
        run = self._goal.get()
        started = time.perf_counter()
        self._encode_goals(run)
        return time.perf_counter() - started

    def _is_current(self, run: _Run) -> bool:
        return self._goal.id == run.goal_id

    def _encode_goals(self, run: _Run) -> bool:
        """Encode what is missing, one image at a time; False as soon as the goal is superseded."""
        for goal in run.progress.goals[len(run.encoded) :]:
            if not self._is_current(run):
                return False
            run.encoded.append(Goal(self._sight.encode(goal.image)))
        return True

    # -- steps ------------------------------------------------------------------------------------------------------

    def step(self, observation: Observation) -> Step:
        """Propose the next action and commit to it, for callers that carry out whatever is planned.

        N budgeted actions need N + 1 calls, the last of them ``finished``. Raises what :meth:`propose` raises.
        """
        step = self.propose(observation)
        self.commit(step)
        return step

    def propose(self, observation: Observation) -> Step:
        """Plan the next action.

        Conditions that end a sub-goal are looked at first, with the new image's energy, and the action is planned for
        the sub-goal that is then current.

        Raises:
            NoGoalError: no goal is set.
            ValueError: the world model returned an energy that is not a number.
        """
        run, config, rotation = self._goal.get(), self.planner_config, self.action_rotation
        started = time.perf_counter()
        if not self._encode_goals(run):
            return replace(self._stay(run, run.progress, observation), superseded=True)
        latent = self._sight.encode(observation.image)
        if not run.compared:
            run.compared = True
            self._sight.compare(latent, [goal.latent for goal in run.encoded], run.goal_id)
        progress, energy = self._look(run, config, latent, observation)  # waits for the device
        encode_seconds = time.perf_counter() - started
        if progress.finished:
            step = self._stay(run, progress, observation)
        else:
            goal = progress.goals[progress.index]
            config = config_for(goal, progress.steps, config)
            question = self._question(run, progress, config, rotation, observation)
            context = self._sight.at_origin(latent, observation, rotation)
            plan = self._planners.plan(config, context, question, keep_candidates=self.keep_candidates)
            step = self._follow(run, progress, plan, rotation, observation.origin)
            begun = Begun(latent, context, question.origin, plan.actions[0])
            surprise = self._expectation.surprise(run.goal_id, context)
            step = replace(step, question=question, surprise=surprise, state=step.state._replace(begun=begun))
        superseded = not self._is_current(run)
        return replace(
            step,
            superseded=superseded,
            finished=step.finished and not superseded,
            energy=energy,
            ended=progress.ended,
            encode_seconds=encode_seconds,
            time_budget=config.time_budget,
        )

    def commit(self, step: Step) -> None:
        """Go on from a step of :meth:`propose`; a superseded one changes nothing."""
        if step.superseded:
            return
        state: _State = step.state
        state.run.progress, state.run.plan, self._arm = state.progress, state.plan, state.arm
        self._expectation.begin(step.goal_id, state.begun)

    def foresee(self, step: Step) -> Foresight | None:
        """What is expected after a step's first action, as the plan has it; None for a step that was not planned."""
        return None if (begun := step.state.begun) is None else self._expectation.foresee(begun)

    def restart(self) -> None:
        """Start from the measured pose again, e.g. after a pause in which the arm was moved.

        Gone are the commanded orientation and the plan that a warm start would begin at. The held gripper command
        stays: forgetting it would let go of what is grasped.
        """
        self._arm = replace(self._arm, orientation=None)
        self._expectation.forget()
        with suppress(NoGoalError):
            self._goal.get().plan = None

    def forget(self) -> None:
        """Forget the held gripper command, too, e.g. when an arm is taken over."""
        self.restart()
        self._arm = replace(self._arm, hand=Hand())

    def warm_up(self) -> float:
        """Encode and plan with a grey picture before time matters; returns the seconds it took.

        Afterwards kernels are chosen, compiled and recorded for the settings as they are, and a time budget knows how
        long predictions take. The random numbers of the plans to come stay the same.

        Raises:
            ValueError: the model's predictions are not numbers, as when float16 is too narrow for its weights.
        """
        started = time.perf_counter()
        latent, pose = self._sight.nothing, np.zeros(POSE_DIM)
        on_its_way = Observation(image=np.zeros((256, 256, 3), dtype=np.uint8), pose=pose, start=pose)
        self._sight.at_origin(latent, on_its_way, np.eye(3))
        self._planners.warm_up(self.planner_config, latent)
        return time.perf_counter() - started

    # -- what a proposal is made of ---------------------------------------------------------------------------------

    def _look(self, run: _Run, config: CEMConfig, latent: Tensor, observation: Observation) -> tuple[Progress, float]:
        """The progress after an image, which may end sub-goals, and the energy to the one that is then current."""
        progress, pose = run.progress, torch.as_tensor(observation.pose, dtype=torch.float32)
        while not progress.finished:
            energy = self._planners.energy(config, latent, run.encoded[progress.index].latent, pose)
            before, progress = progress, progress.seen(energy)
            if progress.index == before.index:
                return progress, energy
        return progress, self._planners.energy(config, latent, run.encoded[-1].latent, pose)

    def _question(
        self, run: _Run, progress: Progress, config: CEMConfig, rotation: np.ndarray, observation: Observation
    ) -> Question:
        """What the planner is to be asked, with settings that are made for the goal."""
        index, origin = progress.index, observation.origin
        goal = progress.goals[index]
        return Question(
            goal=run.encoded[index],
            origin=torch.as_tensor(origin, dtype=torch.float32),
            random_state=self._arm.random,
            previous=run.previous_plan(index, config.rollout),
            proposals=proposals_for(observation, rotation),
            pins=self._known_gripper(goal, float(origin[6])),
        )

    def _follow(
        self, run: _Run, progress: Progress, plan: PlanResult, rotation: np.ndarray, origin: np.ndarray
    ) -> Step:
        """The step that takes a plan's first action."""
        goal = progress.goals[progress.index]
        actions = plan.actions.double().numpy()
        actions[:, :3] = actions[:, :3] @ rotation.T
        target = self._target(origin, actions[0])
        hand = self._told(run, progress, float(origin[6]), float(actions[0, 6]))
        target[6] = hand.closedness
        arm = _Arm(hand, target[3:6].copy(), self._planners.random_state)
        return Step(
            goal_id=run.goal_id,
            goal_index=progress.index,
            goal_count=len(progress.goals),
            goal_step=progress.steps + 1,
            step_budget=goal.most_steps,
            actions=actions,
            target_pose=target,
            plan=plan,
            action_rotation=rotation,
            clipped=hand.kept,
            state=_State(run, progress.acted(arrived=plan.arrived), (progress.index, plan), arm),
        )

    def _stay(self, run: _Run, progress: Progress, observation: Observation) -> Step:
        """A step that stays where the arm is: the goal is finished or superseded."""
        index = min(progress.index, len(progress.goals) - 1)
        target = observation.pose.copy()
        if self._arm.hand.closedness is not None:
            target[6] = self._arm.hand.closedness
        return Step(
            goal_id=run.goal_id,
            finished=progress.finished,
            goal_index=index,
            goal_count=len(progress.goals),
            goal_step=progress.ended[-1].steps if progress.ended else 0,
            step_budget=progress.goals[index].most_steps,
            actions=np.zeros((1, POSE_DIM)),
            target_pose=target,
            state=_State(run, progress, None, self._arm),
        )

    def _target(self, pose: np.ndarray, action: np.ndarray) -> np.ndarray:
        """The origin's position and the orientation commanded last, moved by the action.

        Contacts tilt the hand a little. Plans do not rotate, so a measured tilt that went into the next command would
        never be corrected and add up.
        """
        start = pose.copy()
        if self._arm.orientation is not None:
            start[3:6] = self._arm.orientation
        return next_pose(torch.from_numpy(start), torch.from_numpy(action)).numpy()

    def _told(self, run: _Run, progress: Progress, measured: float, change: float) -> Hand:
        """What the hand is told: the sub-goal's command, or as planned."""
        wanted = progress.goals[progress.index].gripper.command(progress.steps)
        if wanted is not None:
            return Hand(closedness=wanted)
        return self._gripper.command(self._arm.hand, (run.goal_id, progress.index), measured, change)

    def _known_gripper(self, goal: SubGoal, measured: float) -> dict[int, float]:
        """The gripper's action where the sub-goal's intent gives it."""
        wanted = goal.gripper.throughout
        if wanted is None:
            return {}
        # Fingers that were already told to go there change no more, also when a block keeps them apart.
        return {GRIPPER: 0.0 if self._arm.hand.closedness == wanted else wanted - measured}
