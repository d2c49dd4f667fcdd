"""The log of a run: one JSON object a line, each with its ``step``."""

from __future__ import annotations

import json
from pathlib import Path

from vjepa_mpc.files import write_text


def cut_log(path: Path, step: int) -> None:
    """Keep what was logged up to a step, from which the run goes on; the rest is of a future that did not happen.

    Args:
        path: of the log; nothing happens if it is not there.
        step: 0 keeps nothing.

    Raises:
        WriteError: it could not be written.
    """
    if not path.is_file():
        return
    whole = [line for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    kept = [line for line in whole if step and json.loads(line)["step"] <= step]
    write_text(path, "".join(f"{line}\n" for line in kept))
