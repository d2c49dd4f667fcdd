"""Recorded runs on the disk, so that an evaluation that was interrupted goes on where it was."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vjepa_mpc.evaluation.monitoring import deviations, recording, work
from vjepa_mpc.evaluation.monitoring.recording import SimRun, record
from vjepa_mpc.files import replacing
from vjepa_mpc.sim.franka_sim import FrankaSim

_FIELDS = ("stamps", "images", "states", "onset", "step_seconds")
_RENDERED = 128  # pixels: what the bundled encoder looks at


class RunStore:
    """Runs in a folder; those that are not there are recorded. Each version of the work has a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / _version()
        self._sim: FrankaSim | None = None

    def get(self, kind: str, seed: int) -> SimRun:
        """One run; the same kind and seed give the same one."""
        file = self._file(kind, seed)
        if file.is_file():
            with np.load(file, allow_pickle=False) as saved:
                arrays = {name: saved[name] for name in _FIELDS}
            return _run(kind, seed, arrays)
        run = record(self._simulator(), kind, seed)
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(file) as partial, partial.open("wb") as opened:
            np.savez(opened, **{name: getattr(run, name) for name in _FIELDS})  # type: ignore[arg-type]
        return run

    def missing(self, wanted: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
        """Those of the wanted runs that are still to be recorded."""
        return [(kind, seed) for kind, seed in wanted if not self._file(kind, seed).is_file()]

    def _file(self, kind: str, seed: int) -> Path:
        return self.folder / f"{kind.replace(' ', '_')}_{seed}.npz"

    def close(self) -> None:
        """Free the simulator."""
        if self._sim is not None:
            self._sim.close()
            self._sim = None

    def _simulator(self) -> FrankaSim:
        if self._sim is None:
            self._sim = FrankaSim(work.sim_config(_RENDERED))
        return self._sim


def _run(kind: str, seed: int, arrays: dict[str, np.ndarray]) -> SimRun:
    return SimRun(
        kind=kind,
        seed=seed,
        stamps=arrays["stamps"],
        images=arrays["images"],
        states=arrays["states"],
        onset=float(arrays["onset"]),
        step_seconds=float(arrays["step_seconds"]),
    )


def _version() -> str:
    """Changes with the code that makes the runs."""
    sources = (Path(str(module.__file__)).read_bytes() for module in (work, deviations, recording))
    return hashlib.sha256(b"".join(sources)).hexdigest()[:8]
