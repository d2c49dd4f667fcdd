"""Goals in a loop with random faults, for minutes or hours: does anything grow, drift or go out of its limits?

Run by ``make soak MINUTES=10``. Ends with status 0 only when every criterion of :data:`CRITERIA` holds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from std_srvs.srv import Trigger

from support.fault_injector import FaultInjector
from support.rig import ROOT, Recorder, Rig, SimulatedArm, goal_picture
from system.faults import scenarios
from system.faults.case import LIMITS, PERIOD, SHORT_PLAN, TIMEOUT, Case, Planners
from system.faults.catalogue import MODEL_FAULTS, STREAM_FAULTS
from system.faults.report import CaseRecord
from vjepa_mpc.tools.demo.link import LinkError
from vjepa_mpc.tools.processes import DomainLease, NodeProcess, local_environment

# Far enough from each other that there is always a way to go; high enough not to touch the block.
POSES = np.array([[0.45, 0.08, 0.14], [0.58, 0.02, 0.22], [0.48, -0.09, 0.16], [0.56, 0.11, 0.2]])
STEPS = 4
WARM_UP = 0.1  # share of the time in which memory may grow: caches fill
MEMORY_GROWTH = 0.02  # share
PERIOD_EXCESS = 1.2

CRITERIA = {
    "memory flat": f"the median resident memory of the last third is at most {MEMORY_GROWTH:.0%} above the first's",
    "threads flat": "no more threads in the last third than in the first",
    "no violations": "every set-point is in order",
    "period": f"the 99th percentile of the set-point period is at most {PERIOD_EXCESS:g} times the nominal one",
    "every fault held and recovered from": "by the fault suite's measure, within 2 periods and the machine's lateness",
}

Scenario = Callable[[Case], None]


@dataclass
class Tally:
    """What happened so far."""

    goals: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    holds: list[float] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    periods: list[np.ndarray] = field(default_factory=list)
    pauses: list[str] = field(default_factory=list)

    def p99(self) -> float:
        """Of the set-point period, in seconds; NaN before the first."""
        periods = np.concatenate([np.empty(0), *self.periods])
        return float(np.percentile(periods, 99)) if len(periods) else float("nan")


class Gauge:
    """Memory and threads of a process, once a second. Use it as a context manager."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gauge", daemon=True)
        self.samples: list[tuple[float, float, int]] = []

    def _run(self) -> None:
        started = time.monotonic()
        while not self._stop.wait(1.0):
            text = Path(f"/proc/{self._pid}/status").read_text()
            values = dict(line.split(":", 1) for line in text.splitlines())
            memory = int(values["VmRSS"].split()[0]) / 1024
            self.samples.append((time.monotonic() - started, memory, int(values["Threads"])))

    def thirds(self) -> tuple[np.ndarray, np.ndarray]:
        """First and last third [n, 3] of (seconds, MiB, threads), after the warm-up."""
        samples = np.array(self.samples)
        steady = samples[int(WARM_UP * len(samples)) :]
        third = max(1, len(steady) // 3)
        return steady[:third], steady[-third:]

    def slope(self) -> float:
        """MiB an hour, fitted to all samples after the warm-up."""
        samples = np.array(self.samples)
        steady = samples[int(WARM_UP * len(samples)) :]
        return float(np.polyfit(steady[:, 0], steady[:, 1], 1)[0] * 3600.0)

    def __enter__(self) -> Gauge:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def list_scenarios(sim: SimulatedArm) -> dict[str, Scenario]:
    """What may happen, by name."""

    def pause_and_resume(case: Case) -> None:
        scenarios.pause(case)
        scenarios.resume(case)

    def change_goal(case: Case) -> None:
        case.set_goal(STEPS)
        case.goes_on()

    def valid_parameters(case: Case) -> None:
        assert case.link.set_parameters("planner_node", samples=2 * SHORT_PLAN["samples"]) == ""
        case.goes_on()
        case.plan_quickly()

    found: dict[str, Scenario] = {"nothing": lambda case: None}
    for fault in STREAM_FAULTS:
        found[fault.name] = lambda case, fault=fault: scenarios.inject(case, fault)
    for fault in MODEL_FAULTS[:2]:  # the third takes long
        found[fault.name] = lambda case, fault=fault: scenarios.fail(case, fault)
    return found | {
        "pause and resume": pause_and_resume,
        "goal changed": change_goal,
        "parameters changed, valid": valid_parameters,
        "parameters changed, invalid": scenarios.invalid_parameters,
        "second publisher": scenarios.second_publisher,
        "deactivated and activated": scenarios.deactivate,
        "corrupt image bytes in set_goal": scenarios.corrupt_goal,
        "kill -9 of the simulator, and its return": lambda case: scenarios.kill_simulator(case, sim),
    }


class Soak:
    """The loop.

    Args:
        rig: simulator, planner and recorder.
        injector: between simulator and planner.
        planners: whose planner it is.
        sim: to be killed now and then.
        seed: of the order of goals and faults.
    """

    def __init__(self, rig: Rig, injector: FaultInjector, planners: Planners, sim: SimulatedArm, seed: int) -> None:
        self._rig, self._injector, self._planners = rig, injector, planners
        self._scenarios = list_scenarios(sim)
        self._random = np.random.default_rng(seed)
        self._pictures = [goal_picture(np.array([*pose, np.pi, 0.0, 0.0, 0.0])) for pose in POSES]
        self.tally = Tally()

    def run(self, seconds: float, tell: Callable[[str], None]) -> None:
        """Go on for so long, and tell how it goes."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            name = str(self._random.choice(list(self._scenarios)))
            found = len(self.tally.violations), len(self.tally.failures)
            record = self._pursue(self._next_picture(), name)
            for problem in [*self.tally.violations[found[0] :], *self.tally.failures[found[1] :]]:
                tell(problem)
            left = max(0.0, end - time.monotonic())
            tell(
                f"{left:5.0f} s left  goal {self.tally.goals:4d}  {name:40.40s} {record.reason:18.18s} "
                f"p99 {1e3 * self.tally.p99():5.1f} ms  violations {len(self.tally.violations)}  "
                f"failures {len(self.tally.failures)}"
            )

    def _next_picture(self) -> np.ndarray:
        """Of a pose that the arm is not at."""
        away = np.linalg.norm(POSES - self._rig.position(), axis=1)
        return self._pictures[int(self._random.choice(np.flatnonzero(away > 0.08)))]

    def _pursue(self, picture: np.ndarray, name: str) -> CaseRecord:
        tally, record = self.tally, CaseRecord(name=name)
        tally.goals += 1
        tally.faults[name] += 1
        case = Case(record, self._rig, self._injector, self._planners, picture)
        try:
            case.set_off(STEPS)
            self._scenarios[name](case)
            self._rig.wait_for_reason("GOAL_FINISHED", TIMEOUT)
        except (AssertionError, LinkError) as error:
            tally.failures.append(f"goal {tally.goals}, {name}: {error}"[:300])
            self._start_over()
        if record.periods_to_hold is not None:
            tally.holds.append(record.periods_to_hold)
        recording = self._rig.link.recording()
        tally.violations += [f"goal {tally.goals}, {name}: {p}" for p in recording.violations(LIMITS)]
        tally.periods.append(recording.periods())
        longest = float(tally.periods[-1].max(initial=0.0))
        if longest > LIMITS.setpoint_max_gap:
            tally.pauses.append(f"goal {tally.goals}, {name}: {1e3 * longest:.0f} ms")
        self._rig.link.forget()
        return record

    def _start_over(self) -> None:
        """From whatever a failure left."""
        self._injector.behave()
        self._planners.order("")
        self._rig.clear_goal()
        self._rig.link.call(Trigger, "planner_node/resume", Trigger.Request())


def summary(tally: Tally, gauge: Gauge, args: argparse.Namespace) -> dict:
    """The results and whether each criterion holds."""
    first, last = gauge.thirds()
    memory = float(np.median(first[:, 1])), float(np.median(last[:, 1]))
    threads = int(first[:, 2].max()), int(last[:, 2].max())
    periods = np.concatenate([np.empty(0), *tally.periods])
    holds = {
        "memory flat": memory[1] <= memory[0] * (1.0 + MEMORY_GROWTH),
        "threads flat": threads[1] <= threads[0],
        "no violations": not tally.violations,
        "period": bool(tally.p99() <= PERIOD_EXCESS * PERIOD),
        "every fault held and recovered from": not tally.failures,
    }
    return {
        "minutes": args.minutes,
        "seed": args.seed,
        "execution": args.execution,
        "recorded": args.record,
        "goals": tally.goals,
        "faults": dict(sorted(tally.faults.items())),
        "periods_to_hold_median": float(np.median(tally.holds)) if tally.holds else None,
        "periods_to_hold_max": max(tally.holds, default=None),
        "memory_first_third_mib": memory[0],
        "memory_last_third_mib": memory[1],
        "memory_slope_mib_per_hour": gauge.slope(),
        "threads_first_third": threads[0],
        "threads_last_third": threads[1],
        "setpoints": len(periods),
        "period_nominal_ms": 1e3 * PERIOD,
        "period_median_ms": 1e3 * float(np.median(periods)),
        "period_p99_ms": 1e3 * tally.p99(),
        "period_max_ms": 1e3 * float(periods.max()),
        "pauses": tally.pauses,
        "violations": tally.violations,
        "failures": tally.failures,
        "load_average": os.getloadavg()[1],
        "criteria": holds,
        "passed": all(holds.values()),
    }


def as_text(result: dict) -> str:
    """The results as a page."""
    rows = "\n".join(
        f"| {name} | {CRITERIA[name]} | {'yes' if ok else '**no**'} |" for name, ok in result["criteria"].items()
    )
    problems = "".join(f"- {text}\n" for text in [*result["violations"], *result["failures"]][:50])
    longest, median = result["periods_to_hold_max"], result["periods_to_hold_median"]
    return f"""# Soak test

`make soak MINUTES={result["minutes"]:g} SEED={result["seed"]}{" RECORD=1" if result["recorded"] else ""}`:
{result["goals"]} goals in a loop with {result["execution"]} execution, a random fault in each, of
{len(result["faults"])} kinds. Load average of the machine: {result["load_average"]:.1f}.

| Criterion | Meaning | Holds |
|---|---|---|
{rows}

- Resident memory of the planner: median {result["memory_first_third_mib"]:.1f} MiB in the first third,
  {result["memory_last_third_mib"]:.1f} MiB in the last, fitted slope {result["memory_slope_mib_per_hour"]:+.1f} MiB/h;
  the first {WARM_UP:.0%} of the time are left out.
- Threads: {result["threads_first_third"]} and {result["threads_last_third"]}.
- Set-point period: nominal {result["period_nominal_ms"]:g} ms, median {result["period_median_ms"]:.1f} ms,
  99th percentile {result["period_p99_ms"]:.1f} ms, longest {result["period_max_ms"]:.1f} ms,
  of {result["setpoints"]} intervals between the stamps of set-points that had to follow each other:
  from when the planner says that it plans or executes until it says something else.
  Pauses of more than {1e3 * LIMITS.setpoint_max_gap:.0f} ms: {"; ".join(result["pauses"]) or "none"}.
- Periods to hold: median {_number(median)}, longest {_number(longest)}.

Faults: {", ".join(f"{name} ({count})" for name, count in result["faults"].items())}.
{problems}"""


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"


def main() -> int:
    """Run, write results/soak.json and results/soak.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--execution", choices=("blocking", "pipelined"), default="pipelined")
    parser.add_argument("--record", action="store_true", help="with a recorder beside, whose bags are thrown away")
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    args = parser.parse_args()
    domain = DomainLease().domain_id
    os.environ.update(local_environment(domain))
    folder = Path(tempfile.mkdtemp(prefix="soak_"))
    print(f"logs: {folder}", flush=True)
    with (
        ExitStack() as stack,
        SimulatedArm(folder / "sim_node.log", domain) as sim,
        Recorder(domain) as link,
        FaultInjector(domain) as injector,
    ):
        link.wait_for_view(TIMEOUT)
        planners = Planners(link, domain, folder)
        if args.record:
            bags = stack.enter_context(tempfile.TemporaryDirectory(prefix="soak_bags_"))
            log = folder / "recorder.log"
            stack.enter_context(NodeProcess("recorder", log, domain, parameters={"folder": bags}))
        try:
            rig = Rig(planners.running(args.execution), link)
            rig.reset()
            soak = Soak(rig, injector, planners, sim, args.seed)
            with Gauge(rig.planner.pid) as gauge:
                soak.run(60.0 * args.minutes, lambda line: print(line, flush=True))
        finally:
            planners.stop()
    result = summary(soak.tally, gauge, args)
    args.results.mkdir(parents=True, exist_ok=True)
    (args.results / "soak.json").write_text(json.dumps(result, indent=2) + "\n")
    (args.results / "soak.md").write_text(as_text(result))
    print(as_text(result))
    return 0 if result["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
