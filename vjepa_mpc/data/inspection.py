"""Looking recordings over: a table of the episodes, and what looks wrong with them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from vjepa_mpc.data.dataset import Dataset, Skipped
from vjepa_mpc.data.errors import DataError, DataWarning, listed
from vjepa_mpc.data.evidence import Evidence, delay, gather
from vjepa_mpc.data.finding import Found
from vjepa_mpc.data.findings import FINDINGS


@dataclass(frozen=True, kw_only=True)
class Row:
    """What the table says of an episode.

    Attributes:
        name: of the episode.
        seconds: from its first to its last picture.
        pictures: how many.
        size: width and height.
        image_rate: pictures a second, by the median interval.
        pose_rate: poses a second, by the median interval.
        image_gap: longest time between two pictures, in seconds.
        pose_gap: longest time between two poses, in seconds.
        image_late: by how much pictures are late against the poses, in seconds; None: it cannot be told.
        task: what was to be done.
        notes: what could not be read.
    """

    name: str
    seconds: float
    pictures: int
    size: tuple[int, int]
    image_rate: float
    pose_rate: float
    image_gap: float
    pose_gap: float
    image_late: float | None
    task: str
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """All that was seen.

    Attributes:
        path: of the recordings.
        format: name of their reader.
        mapping: where everything was found, and in which units.
        rows: one an episode.
        findings: what looks wrong first, then what is only to be known.
        skipped: episodes that cannot be used.
    """

    path: str
    format: str
    mapping: dict[str, Any]
    rows: tuple[Row, ...]
    findings: tuple[Found, ...]
    skipped: tuple[Skipped, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def inspect(dataset: Dataset) -> Inspection:
    """Look all episodes over; each one's pictures are read once, in parts.

    Raises:
        DataError: no episode's pictures can be read.
    """
    evidence, skipped = [], list(dataset.skipped)
    for episode in dataset:
        try:
            evidence.append(gather(episode))
        except DataError as error:
            skipped.append(Skipped(episode.name, str(error)))
            warnings.warn(f"{episode.name} is left out: {error}", DataWarning, stacklevel=2)
    if not evidence:
        raise DataError(f"the pictures of none of {len(dataset)} episodes can be read: {skipped[-1].reason}")
    found = [each for name in FINDINGS.names for each in FINDINGS.part(name)().look(evidence)]
    mapping = evidence[0].episode.recording.mapping
    return Inspection(
        path=str(dataset.path),
        format=dataset.format,
        mapping={each.name: getattr(mapping, each.name) for each in fields(mapping)},
        rows=tuple(_row(each) for each in evidence),
        findings=tuple(sorted(found, key=lambda each: each.note)),
        skipped=tuple(skipped),
    )


def as_text(inspection: Inspection) -> str:
    """The table and the findings for a terminal."""
    lines = [f"{inspection.path}: {inspection.format}, {len(inspection.rows)} episode(s)", "", *_table(inspection.rows)]
    lines += [f"  note on {row.name}: {note}" for row in inspection.rows for note in row.notes]
    lines += [f"  skipped {each.name}: {each.reason}" for each in inspection.skipped]
    lines += ["", _where(inspection.mapping), ""]
    faults = [each for each in inspection.findings if not each.note]
    lines += [f"{len(faults)} finding(s)" + (":" if faults else ": nothing looks wrong")]
    lines += [f"  {each.name}: {each.text}{_of(each)}" for each in faults]
    lines += [f"  (to know) {each.name}: {each.text}" for each in inspection.findings if each.note]
    return "\n".join(lines)


def _row(evidence: Evidence) -> Row:
    episode = evidence.episode
    images, poses = np.diff(episode.stamps), np.diff(episode.poses.stamps)
    return Row(
        name=episode.name,
        seconds=float(episode.stamps[-1] - episode.stamps[0]),
        pictures=len(episode),
        size=evidence.size,
        image_rate=_rate(images),
        pose_rate=_rate(poses),
        image_gap=float(images.max(initial=0.0)),
        pose_gap=float(poses.max(initial=0.0)),
        image_late=delay(evidence.late),
        task=episode.task,
        notes=episode.notes,
    )


def _rate(intervals: np.ndarray) -> float:
    usual = float(np.median(intervals)) if len(intervals) else 0.0
    return 1.0 / usual if usual > 0 else 0.0


def _table(rows: Sequence[Row]) -> list[str]:
    width = max(len("episode"), *(len(row.name) for row in rows))
    head = f"{'episode':{width}}  seconds  pictures       size  images/s  poses/s  image gap  pose gap  image late"
    lines = [head, "-" * len(head)]
    for row in rows:
        late = "?" if row.image_late is None else f"{row.image_late * 1e3:.0f} ms"
        size = f"{row.size[0]} x {row.size[1]}"
        lines.append(
            f"{row.name:{width}}  {row.seconds:7.2f}  {row.pictures:8d}  {size:>9}  {row.image_rate:8.2f}  "
            f"{row.pose_rate:7.2f}  {row.image_gap:7.3f} s  {row.pose_gap:6.3f} s  {late:>10}"
        )
    total = sum(row.seconds for row in rows)
    return [*lines, f"{'all':{width}}  {total:7.2f}  {sum(row.pictures for row in rows):8d}"]


def _where(mapping: dict[str, Any]) -> str:
    shown = {
        "images": mapping["images"],
        "poses": mapping["poses"],
        "rotation": mapping["rotation"],
        "gripper": f"{mapping['gripper']} (open {mapping['gripper_open']}, closed {mapping['gripper_closed']})",
    }
    return "read as " + ", ".join(f"{key}: {value}" for key, value in shown.items())


def _of(found: Found) -> str:
    return f" [{listed(found.episodes, 5)}]" if found.episodes else ""
