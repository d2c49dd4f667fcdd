"""What a guard says when something is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from vjepa_mpc.safety.reasons import Reason


@dataclass(frozen=True)
class Violation:
    """Something that speaks against moving.

    Attributes:
        reason: its name.
        detail: words with the values.
        remedy: what to do, where that is not what usually helps against the reason.
    """

    reason: Reason
    detail: str = ""
    remedy: str = ""

    @property
    def message(self) -> str:
        """All of it in words."""
        return self.reason.message(self.detail, self.remedy)
