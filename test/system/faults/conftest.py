"""Fixtures of the fault suite; one planner serves as many cases as it survives."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from support.fault_injector import FaultInjector
from support.rig import ROOT, Recorder, Rig
from system.faults import report
from system.faults.case import LIMITS, PERIOD, SPEED, Case, Planners
from system.faults.report import CaseRecord

RESULTS = ROOT / "results"


@pytest.fixture(scope="module")
def planners(link: Recorder, domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planners]:
    """Whatever planner is up."""
    result = Planners(link, domain, tmp_path_factory.mktemp("faults"))
    yield result
    result.stop()
    link.forget_planner()


@pytest.fixture(scope="module")
def records(request: pytest.FixtureRequest) -> Iterator[list[CaseRecord]]:
    """What came of each case; written when the whole suite has run."""
    result: list[CaseRecord] = []
    yield result
    cases = [item for item in request.session.items if item.fspath == request.node.fspath]
    if len(result) == len(cases) == request.node.module.CASES:
        report.write(result, RESULTS, PERIOD, SPEED)


@pytest.fixture
def case(
    request: pytest.FixtureRequest,
    records: list[CaseRecord],
    planners: Planners,
    injector: FaultInjector,
    link: Recorder,
    picture: np.ndarray,
) -> Iterator[Case]:
    """A fault's case: arm at its start and nothing recorded; in the end every recorded set-point is checked."""
    record = CaseRecord(name=request.node.get_closest_marker("fault").args[0])
    records.append(record)
    injector.behave()
    planners.order("")
    execution = "pipelined" if request.node.get_closest_marker("pipelined") else "blocking"
    rig = Rig(planners.running(execution), link)
    rig.reset()
    result = Case(record, rig, injector, planners, picture)
    yield result
    injector.behave()
    planners.order("")
    if not record.recovered:
        planners.stop()  # in a state that no other case should start from
    recordings = result.recordings()
    problems = [p for r in recordings for p in r.violations(LIMITS, killed=result.killed, timed=result.timed)]
    record.violations = len(problems)
    report.write_recordings(recordings, record.name, RESULTS / "faults")
    assert not problems, f"{len(problems)} violations, e.g. {problems[:5]}"
