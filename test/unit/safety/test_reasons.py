"""Every reason has words and a remedy, and the states are those of the message."""

from __future__ import annotations

import re
from pathlib import Path

from vjepa_mpc.safety.reasons import Effect, Reason, State


def test_the_states_are_those_of_the_message():
    text = (Path(__file__).parents[3] / "msg" / "PlanStatus.msg").read_text()
    constants = {name: int(value) for name, value in re.findall(r"^uint8\s+([A-Z_]+)\s*=\s*(\d+)", text, re.M)}
    assert constants == {state.name: state.value for state in State}


def test_every_reason_has_its_own_words_and_a_remedy():
    texts = [reason.text for reason in Reason]
    assert len(set(texts)) == len(texts)
    for reason in Reason:
        assert reason.remedy or reason in (Reason.NONE, Reason.PLANNING), reason
        assert "~/resume" in reason.remedy or reason.effect is not Effect.FAULTS, reason
    assert Reason.POSE_STALE.message("1.2 s") == (
        "The newest pose is old by its stamp: 1.2 s. Check the robot driver's rate and clock."
    )
