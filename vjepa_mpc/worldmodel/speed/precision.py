"""Which number format to compute in on which device."""

from __future__ import annotations

import functools
import logging
import re
from pathlib import Path

import torch

logger = logging.getLogger(__name__)

AUTO = "auto"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_FLOAT16_MATRIX_UNITS = (7, 0)  # compute capability: Volta, Turing
# As /proc/cpuinfo spells them: Intel and AMD (avx512_bf16, amx_bf16), Arm (bf16).
_NATIVE_BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def resolve_dtype(name: str, device: torch.device | str = "cpu") -> torch.dtype:
    """The dtype to load a world model in.

    ``auto`` is bfloat16 where the device multiplies matrices in it natively, float16 on GPUs that have matrix units
    for that alone (Volta, Turing), and float32 elsewhere: planning takes about a third of the time and, on the models
    tried, finds the same plans. A dtype that the device cannot compute in, or only by slow emulation, is replaced by
    what ``auto`` gives there, with a warning.

    float16 holds numbers up to 65504 only, bfloat16 as large ones as float32. Poses and actions with the layers that
    read them, rotations, attention's scores, the sums of normalisations and energies are float32 in any case. What a
    model could overflow are its activations: in the bundled one they stay below 24; Meta's were not tried. Energies are
    no numbers then, and plans are refused (``PLAN_INVALID``): choose float32.

    Args:
        name: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
        device: where the model will live.

    Raises:
        ValueError: another name.
    """
    if name != AUTO and name not in DTYPES:
        raise ValueError(f"dtype={name!r}: choose one of {', '.join((AUTO, *DTYPES))}")
    device = torch.device(device)
    best = _best(device)
    if name == AUTO:
        return best
    wanted = DTYPES[name]
    problem = _problem(wanted, device)
    if problem is None:
        return wanted
    logger.warning("dtype=%s: %s; computing in %s instead", name, problem, str(best).removeprefix("torch."))
    return best


def _best(device: torch.device) -> torch.dtype:
    """What ``auto`` gives."""
    if _has_fast_bfloat16(device):
        return torch.bfloat16
    if device.type == "cuda" and torch.cuda.get_device_capability(device) >= _FLOAT16_MATRIX_UNITS:
        return torch.float16
    return torch.float32


def _problem(dtype: torch.dtype, device: torch.device) -> str | None:
    """Why the device should not compute in the dtype; None when it may."""
    if device.type == "cpu" and dtype == torch.float16:
        return "CPUs compute float16 by slow emulation"
    if dtype == torch.bfloat16 and not _has_fast_bfloat16(device):
        return f"{device.type} here has no native bfloat16"
    return None


def _has_fast_bfloat16(device: torch.device) -> bool:
    if device.type == "cpu":
        return torch.backends.mkldnn.is_available() and bool(_cpu_flags() & _NATIVE_BFLOAT16_FLAGS)
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8  # Ampere; older ones emulate it
    return False


@functools.cache
def _cpu_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Feature flags of the processor; none where there is no such file (not Linux), which means float32."""
    try:
        found = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo.read_text(), re.MULTILINE)
    except OSError:
        return frozenset()
    return frozenset(found.group(1).split()) if found else frozenset()
