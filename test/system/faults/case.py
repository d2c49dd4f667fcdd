"""One fault, from the moving arm to the recovered one, and what is measured on the way."""

from __future__ import annotations

import math
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rcl_interfaces.srv import GetParameters
from std_srvs.srv import Trigger
from vjepa_mpc.msg import PlanStatus

from support.fault_injector import FaultInjector
from support.rig import FAST, ROOT, Recorder, Rig, limits
from support.rigs.setpoint_checks import ENGAGED, Recording
from system.faults.catalogue import PLAN_DEADLINE
from system.faults.faulty_planner import FAULT_FILE, PRINTED
from system.faults.report import CaseRecord
from vjepa_mpc.ros.common.conversions import seconds
from vjepa_mpc.tools.demo.link import is_active
from vjepa_mpc.tools.processes import NodeProcess

# Slow motion lasts long enough for a fault to come in the midst of it, slow-ish plans for one in mid-plan.
SPEED = 0.1  # m/s
LIMITS = limits(linear_speed=SPEED)
PERIOD = LIMITS.setpoint_period
LONG_PLAN = {"samples": 200, "topk": 6, "cem_steps": 6}
SHORT_PLAN = {name: int(value) for name, value in FAST.items()}
MOST_PERIODS = 2.0
TIMEOUT = 60.0  # seconds to wait for what has to come; nothing is measured by it


class Planners:
    """The planner under test: started when none is up, with the faulty model inside and the fault injector before it.

    Args:
        link: that hears it.
        domain: DDS domain.
        folder: for logs and the file that the model's faults are told in.
    """

    def __init__(self, link: Recorder, domain: int, folder: Path) -> None:
        self._link, self._domain, self._folder = link, domain, folder
        self._order = folder / "model_fault"
        self._order.write_text("")
        self._starts = 0
        self._execution = "blocking"
        self.process: NodeProcess | None = None

    def running(self, execution: str = "blocking") -> NodeProcess:
        """One that is up and active, with this mode of execution."""
        if self.process is None or self.process.returncode is not None or self._execution != execution:
            self._execution = execution
            self.start()
        return self.process

    def start(self, **parameters: str) -> None:
        """Start one instead of what runs."""
        self.stop()
        self._starts += 1
        self._link.forget_planner()
        self.process = Rig.start_planner(
            self._folder / f"planner_node_{self._starts}.log",
            self._domain,
            FaultInjector.REMAPPINGS,
            "system.faults.faulty_planner",
            {FAULT_FILE: str(self._order), "PYTHONPATH": python_path()},
            limits__linear_speed=str(SPEED),
            replan_deadline=str(PLAN_DEADLINE),
            execution=self._execution,
            **FAST,
            **parameters,
        )
        self._link.wait_for_status(is_active, TIMEOUT)

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.stop()

    def order(self, fault: str) -> None:
        """Have the world model do this from now on; empty: behave."""
        self._order.write_text(fault)

    def predicted(self, before: float) -> float:
        """When the model made its last faulty prediction before a time, in seconds of the system's clock."""
        return max(at for at in self._times("(?!plan)") if at <= before)

    def wait_for_plan(self, since: float) -> None:
        """Until a plan is under way that was begun after a time."""
        deadline = time.monotonic() + TIMEOUT
        while not any(at > since for at in self._times("plan")):
            assert time.monotonic() < deadline, f"no plan was begun in {TIMEOUT} s"
            time.sleep(0.005)

    def _times(self, what: str) -> list[float]:
        return [float(number) for number in re.findall(rf"{PRINTED} ([\d.]+): {what}", self.process.output())]


def python_path() -> str:
    """PYTHONPATH of processes that run modules of the tests."""
    return os.pathsep.join([str(ROOT / "test"), os.environ.get("PYTHONPATH", "")])


class Case:
    """Tells a test's story: `set_off`, then the fault, `held`, its end, `recovers`.

    Args:
        record: that is filled in.
        rig: simulator, planner and recorder.
        injector: between simulator and planner.
        planners: whose planner the rig has.
        picture: the goal, uint8 RGB [H, W, 3].
    """

    def __init__(
        self, record: CaseRecord, rig: Rig, injector: FaultInjector, planners: Planners, picture: np.ndarray
    ) -> None:
        self.record, self.rig, self.injector, self.planners, self.picture = record, rig, injector, planners, picture
        self.link = rig.link
        self.goal_id = 0
        self.killed, self.timed = False, True
        self._recordings: list[Recording] = []  # of planners that have ended
        self._fault_since = self._probe = 0.0
        self.link.meet_services()
        self.answer_time()

    # -- before -----------------------------------------------------------------------------------------------------

    def set_goal(self, steps: int = 200) -> int:
        """Pursue the goal picture."""
        answer = self.rig.request([self.picture], steps=[steps])
        assert answer.success, answer.message
        self.goal_id = int(answer.goal_id)
        return self.goal_id

    def set_off(self, steps: int = 200) -> None:
        """Have the arm move."""
        self.set_goal(steps)
        self.link.wait_for_speed(0.7 * SPEED, TIMEOUT)
        self.begins()

    def be_in_mid_plan(self) -> None:
        """Have a plan under way that takes a second or two."""
        assert self.link.set_parameters("planner_node", **LONG_PLAN) == ""
        started = time.time()
        self.set_goal()
        self.planners.wait_for_plan(started)
        self.begins()

    def plan_quickly(self) -> None:
        """Take back what `be_in_mid_plan` set."""
        assert self.link.set_parameters("planner_node", **SHORT_PLAN) == ""

    def begins(self) -> None:
        """Count what the planner says from now on."""
        self._probe = self.answer_time()
        self._fault_since = time.time()

    def answer_time(self) -> float:
        """Seconds that the planner takes to answer a question that has nothing to do with any fault."""
        request = GetParameters.Request(names=["topk"])
        sent, future = self.link.send(GetParameters, "planner_node/get_parameters", request)
        wait(future)
        return time.time() - sent

    # -- meanwhile --------------------------------------------------------------------------------------------------

    def held(self, *reasons: str, known: Callable[[float], float]) -> PlanStatus:
        """Wait until the planner holds for the last of the reasons, having given only these, and measure.

        Args:
            reasons: that may be given first; the last one has to come.
            known: given when the planner held, when the fault could be known; seconds of the system's clock.
        """
        last = self.rig.wait_for_reason(reasons[-1], TIMEOUT)
        status = self.first_status(lambda status: status.state not in ENGAGED)
        assert status.reason in reasons, f"{status.reason}: {status.message}"
        assert last.message
        held = seconds(status.header.stamp)
        self.record.reason = last.reason
        self.measure(known(held), held)
        return last

    def measure(self, known: float, held: float) -> None:
        """Note the time to hold and what was published until rest; the bound is asserted."""
        recording = self.at_rest(held)
        late = max(lateness(recording, held), self._probe)
        self.record.periods_to_hold = round(max(0.0, held - known) / PERIOD, 2)
        self.record.late_periods = round(late / PERIOD, 2)
        self.note_way(recording, known)
        assert_braking(recording, held, late)
        assert self.record.periods_to_hold <= MOST_PERIODS + self.record.late_periods

    def at_rest(self, held: float) -> Recording:
        """What was recorded until set-points ceased after a hold, or until the planner went on by itself."""
        deadline = time.monotonic() + TIMEOUT
        while not self.link.stays_silent():
            resumed = [s for s in self.statuses() if s.state in ENGAGED and seconds(s.header.stamp) > held]
            if resumed:
                return self.link.recording().until(seconds(resumed[0].header.stamp))
            assert time.monotonic() < deadline, f"set-points still come after {TIMEOUT} s"
        return self.link.recording()

    def note_way(self, recording: Recording, since: float) -> None:
        """How many set-points were published since then and how far they went."""
        positions = [entry.position for entry in recording.setpoints if entry.stamp >= since]
        self.record.setpoints = len(positions)
        ways = np.linalg.norm(np.diff(np.array(positions).reshape(-1, 3), axis=0), axis=1)
        self.record.way_mm = round(1e3 * float(ways.sum()), 1)

    def first_status(self, accept: Callable[[PlanStatus], bool]) -> PlanStatus:
        """The first status since `begins` that is acceptable."""
        return next(
            status
            for status in self.link.recording().statuses
            if seconds(status.header.stamp) >= self._fault_since and accept(status)
        )

    def statuses(self) -> list[PlanStatus]:
        """All since `begins`."""
        return [s for s in self.link.recording().statuses if seconds(s.header.stamp) >= self._fault_since]

    def call(self, kind: Any, name: str, request: Any) -> float:
        """Ask the planner for something that has to succeed; when, in seconds of the system's clock."""
        sent, future = self.link.send(kind, f"planner_node/{name}", request)
        answer = wait(future)
        assert answer.success, answer
        return sent

    # -- after ------------------------------------------------------------------------------------------------------

    def recovers(self, *, resume: bool = False) -> None:
        """The planner carries out a plan for the same goal again."""
        self.injector.behave()
        self.planners.order("")
        if resume:
            assert self.link.stays_silent(2 * LIMITS.braking_time), "the planner went on before ~/resume"
            self.call(Trigger, "resume", Trigger.Request())
        self.goes_on()

    def next_planner(self) -> None:
        """Another one takes over from the one that has ended."""
        self._recordings.append(self.link.recording())
        self.planners.start()
        self.set_goal()
        self.goes_on()

    def recordings(self) -> list[Recording]:
        """Everything recorded, one for each planner."""
        return [*self._recordings, self.link.recording()]

    def goes_on(self) -> None:
        """A plan for the goal is carried out."""
        self.link.wait_for_status(lambda s: s.state == PlanStatus.EXECUTING and s.goal_id == self.goal_id, TIMEOUT)
        self.link.wait_for_setpoint(TIMEOUT)
        self.record.recovered = True


def wait(future: Any, timeout: float = TIMEOUT) -> Any:
    """A future's result."""
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    assert done.wait(timeout), f"no answer in {timeout} s"
    return future.result()


def lateness(recording: Recording, at: float) -> float:
    """By how many seconds the machine was late around a time, judged by what the fault has no part in.

    The longest that a set-point or a pose took from stamp to recorder, or a set-point beyond its period.
    """
    near = [e for e in (*recording.setpoints, *recording.poses) if abs(e.stamp - at) < 0.5]
    delivery = max((entry.received - entry.stamp for entry in near), default=0.0)
    stamps = np.array([entry.stamp for entry in recording.setpoints if abs(entry.stamp - at) < 0.5])
    gaps = np.diff(stamps)
    delays = gaps[gaps <= LIMITS.setpoint_max_gap] - PERIOD
    return max(delivery, float(delays.max()) if len(delays) else 0.0, 0.0)


def assert_braking(recording: Recording, held: float, late: float) -> None:
    """After the hold the set-points go no further than braking takes, and two periods."""
    before = [entry for entry in recording.setpoints if entry.stamp <= held]
    after = [entry for entry in recording.setpoints if entry.stamp > held]
    positions = np.array([entry.position for entry in (*before[-1:], *after)]).reshape(-1, 3)
    way = float(np.sum(np.linalg.norm(np.diff(positions, axis=0), axis=1)))
    braking = SPEED**2 / (math.sqrt(2.0) * LIMITS.linear_acceleration)  # generators may use 1/√2 of it
    most = braking + SPEED * (MOST_PERIODS * PERIOD + late) + 1e-3
    assert way <= most, f"set-points go on for {1e3 * way:.1f} mm after the hold, braking takes {1e3 * most:.1f} mm"
