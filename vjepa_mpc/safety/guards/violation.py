"""What a guard says when something is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from vjepa_mpc.safety.reasons import Reason


@dataclass(frozen=True)
class Violation:
    """Something that speaks against moving: the reason, and words with the values."""

    reason: Reason
    detail: str
