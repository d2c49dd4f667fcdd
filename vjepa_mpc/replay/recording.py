"""The planning cycles of a recording: what each plan was made from and what was found, read from a bag without ROS."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vjepa_mpc.data.bags.bag import Bag, files_of, header_time
from vjepa_mpc.data.errors import DataError, listed
from vjepa_mpc.goals.gripper_intent import GripperIntent
from vjepa_mpc.goals.sub_goal import SubGoal
from vjepa_mpc.images import ImageError, decode_image, image_to_rgb
from vjepa_mpc.options import Plain
from vjepa_mpc.planning import GRIPPER, Goal, PlanResult, Question

RECORD, GOAL, EVENT = "vjepa_mpc/msg/PlanRecord", "vjepa_mpc/msg/GoalPictures", "rcl_interfaces/msg/ParameterEvent"
PICTURES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
# Of rcl_interfaces/ParameterValue, by the value of its field `type`.
_VALUES = (None, "bool", "integer", "double", "string", None, "bool_array", "integer_array", "double_array")

Time = tuple[int, int]
"""Seconds and nanoseconds of a ROS stamp."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Cycle:
    """One accepted plan.

    Attributes:
        node: full name of the planner.
        goal_id: as in its status.
        sub_goal: index, from 0.
        step: within the sub-goal, from 1.
        image_stamp: of the picture that it was planned from.
        pose: [7] float64 measured with that picture: x, y, z in metres, rx, ry, rz in radians (extrinsic xyz Euler),
            closedness; robot base frame.
        origin: [7] float64, where the actions begin.
        goal_sha256: of the goal's latent, as float32 bytes.
        gripper_action: that the sub-goal gave; NaN where it was planned.
        random_state: uint8, of the planner's generator before the plan.
        previous: the plan that a warm start begins at; None for none.
        proposals: [P, H, 7] float32 that competed; None for none.
        actions: [H, 7] float32 that were found.
        energies: lowest one of each iteration.
        elites: [K, H, 7] float32 of the last iteration.
        elite_energies: [K] float32.
        settings: the planner node's parameters that held then, in plain form.
        notes: what is uncertain about these, in words.
    """

    node: str
    goal_id: int
    sub_goal: int
    step: int
    image_stamp: Time
    pose: np.ndarray
    origin: np.ndarray
    goal_sha256: str
    gripper_action: float
    random_state: torch.Tensor
    previous: PlanResult | None
    proposals: torch.Tensor | None
    actions: torch.Tensor
    energies: tuple[float, ...]
    elites: torch.Tensor
    elite_energies: torch.Tensor
    settings: Mapping[str, Plain]
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Which one it is, in words."""
        return f"goal {self.goal_id}, sub-goal {self.sub_goal}, step {self.step}"

    def question(self, goal: Goal, random_state: torch.Tensor) -> Question:
        """What the planner was asked, with this goal and these random numbers."""
        return Question(
            goal=goal,
            origin=torch.as_tensor(self.origin, dtype=torch.float32),
            random_state=random_state,
            previous=self.previous,
            proposals=self.proposals,
            pins={} if np.isnan(self.gripper_action) else {GRIPPER: self.gripper_action},
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class SeenPicture:
    """The picture that a cycle was planned from.

    Attributes:
        image: uint8 RGB [H, W, 3].
        topic: in the recording.
        exact: it is what the planner saw, to the last bit; not so for a raw picture that was recorded as JPEG.
    """

    image: np.ndarray
    topic: str
    exact: bool


@dataclass(frozen=True, kw_only=True)
class _Told:
    """Parameters as they were told at a moment.

    Attributes:
        at: when that was received, nanoseconds.
        values: all that were known then, in plain form.
    """

    at: int
    values: Mapping[str, Plain]


class RecordedRun:
    """A bag with plan records, as the recorder writes it. Pictures are read when they are asked for.

    Args:
        path: a rosbag2 folder, or a file of one.

    Attributes:
        cycles: in the order of recording.
        notes: what could not be read of the bag, in words.

    Raises:
        DataError: there is no bag, there are several, or it has no plan records.
    """

    def __init__(self, path: Path) -> None:
        self._name, self._bag = path.name, _the_bag(path)
        self._decode: Any = self._bag.decoder()
        self.notes = tuple(self._bag.notes)
        self._pictures: dict[Time, list[tuple[str, int]]] = defaultdict(list)
        self._goals: dict[tuple[str, int], Any] = {}
        records: list[tuple[int, str, Any]] = []
        told: dict[str, list[_Told]] = defaultdict(list)
        for each in self._bag.messages(self._topics(RECORD, GOAL, EVENT, *PICTURES)):
            kind, node = self._bag.types[each.topic], each.topic.rpartition("/")[0]
            if kind in PICTURES:
                self._pictures[header_time(each.data)].append((each.topic, each.stamp))
                continue
            message = self._decode(each.data, each.topic)
            if kind == RECORD:
                records.append((each.stamp, node, message))
            elif kind == GOAL:
                self._goals[node, message.goal_id] = message
            else:
                _note(told[message.node], each.stamp, message)
        if not records:
            raise DataError(
                f"{self._name} has no plan records ({RECORD}), so no plan can be made again: record beside the planner "
                f"with `ros2 run vjepa_mpc recorder`; it has {listed(sorted(self._bag.types))}"
            )
        self.cycles: Sequence[Cycle] = [self._cycle(*record, told) for record in records]

    def picture(self, cycle: Cycle) -> SeenPicture:
        """What a cycle was planned from.

        Raises:
            DataError: it is not in the recording.
            ImageError: it cannot be decoded.
        """
        found = self._where(cycle.image_stamp, str(cycle.settings.get("topics.image", "")))
        if found is None:
            seconds, nanoseconds = cycle.image_stamp
            raise DataError(
                f"the picture of {cycle.name}, stamped {seconds}.{nanoseconds:09d}, is not in the recording: the "
                "network lost it, or the recorder came later"
            )
        topic, received = found
        message = next(
            self._decode(each.data, topic)
            for each in self._bag.messages([topic], received, received + 1)
            if header_time(each.data) == cycle.image_stamp
        )
        as_sent = cycle.settings.get("image_transport") == "compressed" or "png" in getattr(message, "format", "png")
        return SeenPicture(image=image_to_rgb(message), topic=topic, exact=as_sent)

    def pictures_from(self, cycle: Cycle, following: Sequence[Cycle]) -> Iterator[tuple[float, np.ndarray]]:
        """The camera's pictures from that of a cycle up to that of the following one that has one, or to the end.

        Yields:
            Seconds since the cycle's picture was received, and a picture uint8 RGB [H, W, 3]; nothing where the
            cycle's own picture is not in the recording.
        """
        found, *after = (
            self._where(each.image_stamp, str(each.settings.get("topics.image", ""))) for each in (cycle, *following)
        )
        if found is None:
            return
        topic, first = found
        until = next((place[1] for place in after if place is not None), None)
        for each in self._bag.messages([topic], first, until):
            with suppress(ImageError):
                yield 1e-9 * (each.stamp - first), image_to_rgb(self._decode(each.data, topic))

    def goal(self, cycle: Cycle) -> SubGoal:
        """The sub-goal that a cycle was planned for.

        Raises:
            DataError: its picture is not in the recording.
            ImageError: it cannot be decoded.
        """
        message = self._goals.get((cycle.node, cycle.goal_id))
        if message is None or cycle.sub_goal >= len(message.images):
            raise DataError(
                f"the goal picture of {cycle.name} is not in the recording ({GOAL}): give one with --goal-picture"
            )
        image = decode_image(message.images[cycle.sub_goal].data, f"the goal picture of {cycle.name}")
        return SubGoal(image=image, gripper=self.gripper(cycle))

    def gripper(self, cycle: Cycle) -> GripperIntent:
        """What the gripper did in the sub-goal of a cycle; free where the recording does not say."""
        message = self._goals.get((cycle.node, cycle.goal_id))
        return GripperIntent.parse("" if message is None else message.gripper[cycle.sub_goal])

    def _topics(self, *kinds: str) -> list[str]:
        return [topic for topic, kind in self._bag.types.items() if kind in kinds]

    def _where(self, stamp: Time, image_topic: str) -> tuple[str, int] | None:
        """Topic and time of reception of the picture with a stamp; of several cameras', the planner's."""
        found = self._pictures.get(stamp, [])
        named = [each for each in found if image_topic and f"/{image_topic.lstrip('/')}" in each[0]]
        raw_first = sorted(named or found, key=lambda each: self._bag.types[each[0]] != PICTURES[0])
        return raw_first[0] if raw_first else None

    def _cycle(self, received: int, node: str, message: Any, told: Mapping[str, Sequence[_Told]]) -> Cycle:
        try:
            stamp = (message.image_stamp.sec, message.image_stamp.nanosec)
            settings, notes = self._settings(stamp, received, node, told)
            return Cycle(
                node=node,
                goal_id=message.goal_id,
                sub_goal=message.sub_goal,
                step=message.step,
                image_stamp=stamp,
                pose=np.array(message.pose, dtype=np.float64),
                origin=np.array(message.origin, dtype=np.float64),
                goal_sha256=message.goal_sha256,
                gripper_action=message.gripper_action,
                random_state=torch.from_numpy(np.array(message.random_state, dtype=np.uint8)),
                previous=_previous(message),
                proposals=_rows(message.proposals, message.proposal_horizon) if len(message.proposals) else None,
                actions=_rows(message.actions, message.horizon)[0],
                energies=tuple(map(float, message.energies)),
                elites=_rows(message.elites, message.horizon),
                elite_energies=torch.tensor(message.elite_energies, dtype=torch.float32),
                settings=settings,
                notes=notes,
            )
        except (AttributeError, ValueError, RuntimeError, IndexError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(
                f"{self._name} was recorded by another version of vjepa_mpc, whose plan records are not like those of "
                f"this one ({error}): replay it with that version"
            ) from error

    def _settings(
        self, stamp: Time, received: int, node: str, told: Mapping[str, Sequence[_Told]]
    ) -> tuple[Mapping[str, Plain], tuple[str, ...]]:
        """Parameters when the picture came, and what is uncertain about them."""
        # A planner that is remapped is the only one whose parameters are complete.
        states = told.get(node) or next((found for found in told.values() if "cem_steps" in found[0].values), None)
        if not states:
            raise DataError(
                f"{self._name} does not hold the parameters of {node}, which the recorder asks for at its start: the "
                "recording ended before they came, or something else has made it"
            )
        seen = min((at for _, at in self._pictures.get(stamp, [])), default=received)
        then = [state for state in states if state.at <= seen] or states[:1]
        meanwhile = [state for state in states if seen < state.at < received and state.values != then[-1].values]
        notes = ("parameters changed while it was planned: those before the change are used",) if meanwhile else ()
        return then[-1].values, notes


def _the_bag(path: Path) -> Bag:
    if not path.exists():
        raise DataError(f"{path} does not exist: give a folder that the recorder wrote")
    bags = files_of(path)
    if not bags:
        raise DataError(f"{path} holds no rosbag2 recording: give a folder that the recorder wrote")
    if len(bags) > 1:
        raise DataError(f"{path} holds {len(bags)} recordings, give one: {listed(files[0] for files in bags)}")
    return Bag(bags[0])


def _note(states: list[_Told], at: int, event: Any) -> None:
    """Add what a parameter event tells to the states of a node; a complete one begins them."""
    values = {each.name: _plain(each.value) for each in (*event.new_parameters, *event.changed_parameters)}
    known = {name: value for name, value in values.items() if value is not None}
    if states or "cem_steps" in known:
        before = states[-1].values if states else {}
        states.append(_Told(at=at, values={**before, **known}))


def _plain(value: Any) -> Plain | None:
    """A ParameterValue in plain form; None for one that is not set."""
    kind = _VALUES[value.type] if value.type < len(_VALUES) else None
    found = None if kind is None else getattr(value, f"{kind}_value")
    return tuple(found.tolist()) if isinstance(found, np.ndarray) else found


def _rows(values: Any, horizon: int) -> torch.Tensor:
    """Lists of actions [N, horizon, 7] float32 from one list of numbers."""
    return torch.from_numpy(np.array(values, dtype=np.float32).reshape(-1, max(1, horizon), 7))


def _previous(message: Any) -> PlanResult | None:
    """The plan that a warm start begins at, as far as it counts for that."""
    if not len(message.previous_actions):
        return None
    return PlanResult(
        actions=_rows(message.previous_actions, message.horizon)[0],
        energies=(),
        elite_std=torch.zeros(message.horizon, 4),
        elites=_rows(message.previous_elites, message.horizon),
        elite_energies=torch.empty(0),
        stopped_by="iterations",
        candidate_steps=0,
        timings={},
    )
