"""What the fault suite found, as results/faults.json, results/faults.md and a recording a case."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from support.rigs.setpoint_checks import Recording

HEADER = """# Fault suite

Written by `make faults`: real processes, the simulated arm, and a node between simulator and planner that injects the
fault while the arm moves at up to {speed:g} m/s, or while a plan is computed. Set-point period {period:g} ms.

| Fault | Reason | Periods to hold | Late by | Set-points until rest | Way until rest | Recovered | Violations |
|---|---|---|---|---|---|---|---|
"""
FOOTER = """
**Periods to hold**: from the moment that the planner could know of the fault at the earliest (the faulty message was
handed to DDS, the guard's timeout passed, the request or signal was sent, the model made its last prediction) to the
stamp of the status that names the hold, in set-point periods. The set-points are made right after that status and brake
from then on, which is checked on how far the recorded ones go. Transport by DDS is included. Required: at most 2, and
what the machine was late by at that moment (**late by**: the longest delivery of a set-point or pose to the recorder or
delay of a set-point within half a second of the hold, or, if longer, the time that the planner took to answer an
unrelated request just before the fault). A dash: something else than holding is required, which is said there.

**Set-points until rest** were published after the planner could know. Each case's are in `results/faults/`. All are
checked: finite, unit quaternion, frame, box, within `max_step` of the measured pose, linear and angular speed and
acceleration, none without permission, none that cease in full motion.

**Recovered**: the same goal goes on by itself once the cause is gone, or after `~/resume` where the reason is a fault.
"""


@dataclass
class CaseRecord:
    """What came of one fault; fields are filled in as the case goes on.

    Attributes:
        name: of the case.
        reason: code that the planner gave.
        periods_to_hold: set-point periods, see `FOOTER`; None where holding is not what is asked for.
        late_periods: by how much the machine was late then, in set-point periods.
        recovered: whether the planner went on.
        violations: number of set-points, or properties of the stream of them, that were not in order.
        setpoints: published from when the fault could be known to rest.
        way_mm: how far they went in that time.
        note: what else was required and measured.
    """

    name: str
    reason: str = ""
    periods_to_hold: float | None = None
    late_periods: float | None = None
    recovered: bool = False
    violations: int = 0
    setpoints: int | None = None
    way_mm: float | None = None
    note: str = ""

    def row(self) -> str:
        """Of the table."""
        cells = [
            self.name + (f"<br>{self.note}" if self.note else ""),
            f"`{self.reason}`" if self.reason else "–",
            _number(self.periods_to_hold, ".2f"),
            _number(self.late_periods, ".2f"),
            _number(self.setpoints, "d"),
            _number(self.way_mm, ".1f", " mm"),
            "yes" if self.recovered else "**no**",
            str(self.violations) if not self.violations else f"**{self.violations}**",
        ]
        return f"| {' | '.join(cells)} |"


def write(records: Sequence[CaseRecord], folder: Path, period: float, speed: float) -> None:
    """Both files; `period` in seconds, `speed` in m/s."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "faults.json").write_text(json.dumps({"cases": [asdict(record) for record in records]}, indent=2) + "\n")
    table = "\n".join(record.row() for record in records)
    text = HEADER.format(period=period * 1e3, speed=speed) + table + "\n" + FOOTER
    (folder / "faults.md").write_text(text)


def write_recordings(recordings: Sequence[Recording], name: str, folder: Path) -> None:
    """A case's set-points as CSV: stamp in seconds, position in metres, quaternion."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{re.sub(r'[^a-z0-9]+', '_', name.lower()).strip('_')}.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["stamp", "x", "y", "z", "qx", "qy", "qz", "qw"])
        for entry in [entry for recording in recordings for entry in recording.setpoints]:
            rows.writerow([f"{entry.stamp:.6f}", *(f"{value:.9g}" for value in (*entry.position, *entry.quaternion))])


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "–" if value is None else f"{value:{form}}{unit}"
