"""The log and the marked picture of a deviation."""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from vjepa_mpc.monitor.naming import OBJECT_LOST, Deviation
from vjepa_mpc.monitor.telling.log import Log
from vjepa_mpc.monitor.telling.marking import marked

LOST = Deviation(
    name=OBJECT_LOST,
    first_name=OBJECT_LOST,
    score=2.5,
    threshold=1.5,
    step="fetch <left>",
    began=104.0,
    seconds=0.2,
    where=(0.25, 0.5, 0.25, 0.25),
)
NOW = datetime(2026, 11, 27, 19, 30, 5)
PICTURE = np.full((90, 120, 3), 90, np.uint8)


def test_a_log_goes_on_where_it_was(tmp_path: Path) -> None:
    Log(tmp_path / "log").add(LOST, 4.0, PICTURE, NOW)
    Log(tmp_path / "log").add(LOST, 14.0, PICTURE, NOW)
    rows = list(csv.DictReader((tmp_path / "log" / "deviations.csv").open(encoding="utf-8")))
    assert [row["began"] for row in rows] == ["4.0", "14.0"]
    assert rows[0]["time"] == "2026-11-27 19:30:05" and rows[0]["name"] == OBJECT_LOST
    assert all((tmp_path / "log" / row["picture"]).is_file() for row in rows)
    page = (tmp_path / "log" / "deviations.html").read_text(encoding="utf-8")
    assert page.index(rows[1]["picture"]) < page.index(rows[0]["picture"]), "the newest first"
    assert "fetch &lt;left&gt;" in page and "<left>" not in page


def test_another_table_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "deviations.csv").write_text("shift,leader\n1,Ada\n")
    with pytest.raises(ValueError, match="is no log of the monitor"):
        Log(tmp_path)


def test_the_place_is_marked_in_what_the_model_sees() -> None:
    plain, drawn = (marked(PICTURE, deviation, "words", "square") for deviation in (None, LOST))
    assert plain.shape == drawn.shape == (384, 384, 3)
    below_the_words = slice(30, None)
    rows, columns = np.nonzero((plain[below_the_words] != drawn[below_the_words]).any(axis=2))
    (top, bottom), (left, right) = (rows.min() + 30, rows.max() + 30), (columns.min(), columns.max())
    # A quarter of the picture that begins at a quarter of its width and at half of its height.
    assert (top, left) == pytest.approx((192, 96), abs=4) and (bottom, right) == pytest.approx((288, 192), abs=4)
