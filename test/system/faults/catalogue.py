"""Faults of the planner's inputs and of its world model: what is done, what the planner has to say, and when."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from builtin_interfaces.msg import Time

from support.fault_injector import Alteration, FaultInjector, shift_stamp
from support.rig import LIMITS, limits
from support.stand_ins import WRONG_FRAME

JUMP = 0.5  # metres
OLD = 10.0  # seconds
AHEAD = 0.08  # seconds; less than future_tolerance


@dataclass(frozen=True, kw_only=True)
class StreamFault:
    """Something that happens to a stream of messages.

    Attributes:
        name: of the case.
        stream: of the fault injector.
        alteration: makes what is done to the messages; anew for each use, as some count or remember.
        reasons: what the planner may say first; the last one is what it has to come to.
        known: given the injector and when the planner held, when the fault could be known at the earliest.
        faults: the planner does not go on before ~/resume.
    """

    name: str
    stream: str
    alteration: Callable[[], Alteration]
    reasons: tuple[str, ...]
    known: Callable[[FaultInjector, float], float]
    faults: bool = False


def from_the_first(stream: str) -> Callable[[FaultInjector, float], float]:
    """Known when the first altered message is published."""
    return lambda injector, held: injector.first_altered(stream).at


def after_silence(stream: str, timeout: float) -> Callable[[FaultInjector, float], float]:
    """Known when the last message's stamp gets too old."""
    return lambda injector, held: injector.newest(stream, held).stamp + timeout


def after_last_reception(stream: str, timeout: float) -> Callable[[FaultInjector, float], float]:
    """Known when the last message was received too long ago, whatever its stamp says."""
    return lambda injector, held: injector.newest(stream, held).at + timeout


def with_the_newest(stream: str) -> Callable[[FaultInjector, float], float]:
    """Known with the newest message before the planner held."""
    return lambda injector, held: injector.newest(stream, held).at


def silence() -> Alteration:
    return lambda _: None


def nan_position() -> Alteration:
    def alter(message: Any) -> Any:
        message.pose.position.x = math.nan
        return message

    return alter


def shifted_position() -> Alteration:
    def alter(message: Any) -> Any:
        message.pose.position.x += JUMP
        return message

    return alter


def another_frame() -> Alteration:
    def alter(message: Any) -> Any:
        message.header.frame_id = "camera"
        return message

    return alter


def old_stamps() -> Alteration:
    return lambda message: shift_stamp(message, -OLD)


def no_stamps() -> Alteration:
    def alter(message: Any) -> Any:
        message.header.stamp = Time()
        return message

    return alter


def fresh_stamps_then_silence() -> Alteration:
    """Ten messages with stamps a little ahead, which go on looking fresh for longer when nothing comes any more."""
    left = 10

    def alter(message: Any) -> Any:
        nonlocal left
        left -= 1
        return shift_stamp(message, AHEAD) if left >= 0 else None

    return alter


def frozen() -> Alteration:
    """The first picture again and again, with new stamps."""
    data: Any = None

    def alter(message: Any) -> Any:
        nonlocal data
        data = message.data if data is None else data
        message.data = data
        return message

    return alter


IMAGE_TIMEOUT, POSE_TIMEOUT = LIMITS["image_timeout"], limits().pose_timeout

STREAM_FAULTS = (
    StreamFault(
        name="image stream stops",
        stream="image",
        alteration=silence,
        reasons=("IMAGE_STALE", "IMAGE_SILENT"),
        known=after_silence("image", IMAGE_TIMEOUT),
    ),
    StreamFault(
        name="image frozen, new stamps",
        stream="image",
        alteration=frozen,
        reasons=("IMAGE_FROZEN",),
        known=with_the_newest("image"),
    ),
    StreamFault(
        name="pose stops",
        stream="pose",
        alteration=silence,
        reasons=("POSE_STALE", "POSE_SILENT"),
        known=after_silence("pose", POSE_TIMEOUT),
    ),
    StreamFault(
        name="pose NaN",
        stream="pose",
        alteration=nan_position,
        reasons=("POSE_NOT_FINITE",),
        known=from_the_first("pose"),
    ),
    StreamFault(
        name="pose jumps 0.5 m",
        stream="pose",
        alteration=shifted_position,
        reasons=("POSE_JUMPED",),
        known=from_the_first("pose"),
        faults=True,
    ),
    StreamFault(
        name="wrong frame_id",
        stream="pose",
        alteration=another_frame,
        reasons=(WRONG_FRAME,),
        known=from_the_first("pose"),
    ),
    StreamFault(
        name="old stamp, new reception: pose",
        stream="pose",
        alteration=old_stamps,
        reasons=("POSE_STALE",),
        known=from_the_first("pose"),
    ),
    StreamFault(
        name="old stamp, new reception: image",
        stream="image",
        alteration=old_stamps,
        reasons=("IMAGE_STALE",),
        known=from_the_first("image"),
    ),
    StreamFault(
        name="new stamp, old reception",
        stream="pose",
        alteration=fresh_stamps_then_silence,
        reasons=("POSE_SILENT",),
        known=after_last_reception("pose", POSE_TIMEOUT),
    ),
    StreamFault(
        name="zero stamp",
        stream="pose",
        alteration=no_stamps,
        reasons=("POSE_STAMP_ZERO",),
        known=from_the_first("pose"),
    ),
)


@dataclass(frozen=True, kw_only=True)
class ModelFault:
    """Something that the world model does, see :mod:`system.faults.faulty_planner`.

    Attributes:
        name: of the case.
        order: what the faulty planner is told.
        reason: what the planner has to say; it does not go on before ~/resume.
    """

    name: str
    order: str
    reason: str


PLAN_DEADLINE = 2.5  # seconds: what an unhurried plan of a busy machine stays well below
MODEL_FAULTS = (
    ModelFault(name="planner raises", order="raise", reason="PLANNER_EXCEPTION"),
    ModelFault(name="planner returns NaN", order="nan", reason="PLAN_INVALID"),
    ModelFault(name="planner slower than its deadline", order=f"slow {PLAN_DEADLINE + 0.1}", reason="DEADLINE_MISSED"),
)
