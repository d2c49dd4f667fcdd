"""A log that a shift leader can read: a table of what went wrong, as CSV for sheets and as a page with pictures."""

from __future__ import annotations

import csv
import html
import io
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

import numpy as np

from vjepa_mpc.files import WriteError, replacing, write_text
from vjepa_mpc.images import encode_png
from vjepa_mpc.monitor.naming import Deviation

TABLE, PAGE = "deviations.csv", "deviations.html"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A line of the log.

    Attributes:
        time: of the day, to the second, as people write it.
        name: of the class.
        step: in which it began.
        began: seconds after the run began.
        score: of the check that told it.
        threshold: that the score was above.
        picture: file of the marked picture, beside the table.
    """

    time: str
    name: str
    step: str
    began: str
    score: str
    threshold: str
    picture: str


class Log:
    """Grows by a line and a picture for each deviation. What is there from before is kept.

    Args:
        folder: made if it is missing.

    Raises:
        WriteError: it cannot be made.
        ValueError: a table is there that is no log.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WriteError(f"{folder} could not be made ({error.strerror}): give another folder") from error
        self._entries = _read(folder / TABLE)

    def add(self, deviation: Deviation, after: float, picture: np.ndarray, now: datetime) -> Entry:
        """Write a deviation down.

        Args:
            deviation: that has begun.
            after: seconds since the run began.
            picture: marked, uint8 RGB [H, W, 3].
            now: time of the day.

        Raises:
            WriteError: it could not be written; the table from before is intact.
        """
        number = len(self._entries) + 1
        entry = Entry(
            time=now.isoformat(" ", "seconds"),
            name=deviation.name,
            step=deviation.step,
            began=f"{after:.1f}",
            score=f"{deviation.score:.3g}",
            threshold=f"{deviation.threshold:.3g}",
            picture=f"{number:05}_{deviation.name.lower()}.png",
        )
        with replacing(self._folder / entry.picture) as partial:
            partial.write_bytes(encode_png(picture))
        self._entries.append(entry)
        write_text(self._folder / TABLE, _table(self._entries))
        write_text(self._folder / PAGE, _page(self._entries))
        return entry


def _read(table: Path) -> list[Entry]:
    if not table.is_file():
        return []
    with table.open(newline="", encoding="utf-8") as opened:
        rows = csv.DictReader(opened)
        if rows.fieldnames is None or set(rows.fieldnames) != {field.name for field in fields(Entry)}:
            raise ValueError(f"{table} is no log of the monitor: give another folder, or move it away")
        return [Entry(**row) for row in rows]


def _table(entries: list[Entry]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Entry)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(vars(entry) for entry in entries)
    return text.getvalue()


def _page(entries: list[Entry]) -> str:
    """The newest first."""
    names = [field.name for field in fields(Entry) if field.name != "picture"]
    head = "".join(f"<th>{name}</th>" for name in (*names, "picture"))
    rows = "\n".join(
        f"<tr>{''.join(f'<td>{html.escape(getattr(entry, name))}</td>' for name in names)}"
        f'<td><img src="{html.escape(entry.picture)}" width="256" alt=""></td></tr>'
        for entry in reversed(entries)
    )
    style = "body{font-family:sans-serif}td,th{padding:.3em .8em;text-align:left;vertical-align:top}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Deviations</title><style>{style}</style>\n'
        f"<h1>Deviations</h1>\n<table><tr>{head}</tr>\n{rows}\n</table></html>\n"
    )
