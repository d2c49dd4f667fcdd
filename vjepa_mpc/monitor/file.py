"""A monitor as one file: arrays and a header in JSON, nothing that could run code."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from vjepa_mpc.files import replacing
from vjepa_mpc.monitor.appearance import Channel
from vjepa_mpc.monitor.camera import Background
from vjepa_mpc.monitor.checks import CHECKS, Learned
from vjepa_mpc.monitor.course import Course
from vjepa_mpc.monitor.features import Projection
from vjepa_mpc.monitor.fit import Fitted
from vjepa_mpc.monitor.steps import Step
from vjepa_mpc.monitor.thresholds import Thresholds

_FORMAT = 1
_GROUPS: dict[str, type] = {
    "projection": Projection,
    "course": Course,
    "latents": Channel,
    "colours": Channel,
    "background": Background,
}
_ARRAYS = ("brightness", "sharpness", "grip", "pace")


def save(fitted: Fitted, path: Path) -> None:
    """Write a monitor whole or not at all.

    Raises:
        WriteError: it could not be written.
    """
    learned, thresholds = fitted.learned, fitted.thresholds
    header = {
        "format": _FORMAT,
        "checks": list(CHECKS),
        "encoder": list(fitted.encoder),
        "rate": fitted.rate,
        "runs": fitted.runs,
        "period": learned.period,
        "change": learned.change,
        "states": learned.states,
        "distance": thresholds.distance,
        "steps": [asdict(step) for step in fitted.steps],
    }
    arrays = {f"{group}.{name}": value for group in _GROUPS for name, value in vars(getattr(learned, group)).items()}
    arrays |= {name: getattr(learned, name) for name in _ARRAYS}
    arrays |= {"usual": thresholds.usual, "spread": thresholds.spread, "header": np.array(json.dumps(header))}
    with replacing(path) as partial, partial.open("wb") as opened:
        np.savez_compressed(opened, **arrays)


def load(path: Path) -> Fitted:
    """Read a monitor.

    Raises:
        ValueError: the file is none, or of another version.
    """
    try:
        with np.load(path, allow_pickle=False) as saved:
            arrays = {name: saved[name] for name in saved.files}
        header = json.loads(str(arrays["header"]))
        return _fitted(header, arrays)
    except FileNotFoundError:
        raise
    except (ValueError, KeyError, TypeError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} is no monitor file of this version ({error}): make it with vjepa-mpc monitor fit"
        ) from error


def _fitted(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Fitted:
    if header["format"] != _FORMAT or header["checks"] != list(CHECKS):
        raise ValueError(f"format {header['format']} with the checks {', '.join(header['checks'])}")
    groups: dict[str, Any] = {
        group: kind(**{name.split(".")[1]: value for name, value in arrays.items() if name.startswith(f"{group}.")})
        for group, kind in _GROUPS.items()
    }
    kept: dict[str, Any] = {name: arrays[name] for name in _ARRAYS}
    learned = Learned(
        **groups,
        **kept,
        change=header["change"],
        period=header["period"],
        states=header["states"],
    )
    return Fitted(
        learned=learned,
        steps=tuple(Step(**step) for step in header["steps"]),
        thresholds=Thresholds(usual=arrays["usual"], spread=arrays["spread"], distance=header["distance"]),
        rate=header["rate"],
        encoder=tuple(header["encoder"]),
        runs=header["runs"],
    )
