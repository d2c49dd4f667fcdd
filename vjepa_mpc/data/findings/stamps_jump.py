"""Stamps that go back, stand still or leap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from vjepa_mpc.data.evidence import Evidence
from vjepa_mpc.data.finding import Finding, Found

# A gap is this many usual intervals long, and long enough to see a difference.
_INTERVALS, _SECONDS = 5.0, 0.2
_REPEATED = 0.02


class StampsJump(Finding):
    """In the order of recording, for pictures, poses and the gripper."""

    name = "STAMPS_JUMP"

    def look(self, evidence: Sequence[Evidence]) -> Iterator[Found]:
        """See :class:`Finding`."""
        for each in evidence:
            recording = each.episode.recording
            streams = {"pictures": recording.stamps, "poses": recording.poses.stamps}
            if recording.gripper is not None:
                streams["the gripper"] = recording.gripper.stamps
            told = [text for name, stamps in streams.items() for text in _jumps(name, stamps)]
            if told:
                text = "; ".join(dict.fromkeys(told)) + ": check the recorder's clock and load, or cut the episode"
                yield Found(name=self.name, text=text, episodes=(each.episode.name,))


def _jumps(name: str, stamps: np.ndarray) -> Iterator[str]:
    steps = np.diff(stamps)
    if not len(steps):
        return
    back = steps < 0
    if back.any():
        yield f"stamps of {name} go back {int(back.sum())} time(s), by up to {-steps.min():.3f} s"
    if (steps == 0).mean() > _REPEATED:
        yield f"{int((steps == 0).sum())} stamps of {name} are the same as the one before"
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    leaps = steps > max(_INTERVALS * usual, _SECONDS)
    if leaps.any() and name != "the gripper":  # some publish it only when it changes
        at = int(np.argmax(steps))
        yield f"stamps of {name} leap {int(leaps.sum())} time(s), by up to {steps[at]:.3f} s (after number {at})"
