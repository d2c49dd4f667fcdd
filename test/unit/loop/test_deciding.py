"""What is told of a hold that lasts."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from vjepa_mpc.loop import deciding
from vjepa_mpc.loop.deciding import RETELL_PERIOD, Deciding
from vjepa_mpc.safety.reasons import Reason, State


class Told:
    """A supervisor that says what it is told to, and the statuses that come of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.words: list[str] = []
        self.now = 100.0
        self.answer = SimpleNamespace(state=State.HOLDING, reason=Reason.MOTION_NOT_ALLOWED, message="")
        monkeypatch.setattr(deciding.time, "monotonic", lambda: self.now)
        publishers = SimpleNamespace(status=lambda decision, goal, step: self.words.append(decision.message))
        listener = SimpleNamespace(decided=lambda decision: None)
        self.deciding = Deciding(SimpleNamespace(goal_id=1), publishers, listener, lambda: self.now)
        self.deciding.supervisor = SimpleNamespace(update=lambda now: self.answer)

    def say(self, words: str, after: float = 0.0, state: State = State.HOLDING) -> list[str]:
        """What was told so far, when this is the answer some seconds later."""
        self.now += after
        self.answer = SimpleNamespace(state=state, reason=self.answer.reason, message=words)
        self.deciding.decide()
        return self.words


@pytest.mark.parametrize("state", [State.HOLDING, State.WAITING_INPUT])
def test_the_words_of_a_hold_are_told_anew_once_a_second(monkeypatch: pytest.MonkeyPatch, state: State) -> None:
    told = Told(monkeypatch)
    assert told.say("nobody publishes", state=state) == ["nobody publishes"]
    assert told.say("it says REFLEX", 0.4 * RETELL_PERIOD, state) == ["nobody publishes"]
    assert told.say("it says REFLEX", 0.6 * RETELL_PERIOD, state) == ["nobody publishes", "it says REFLEX"]
    assert len(told.say("it says REFLEX", 0.9 * RETELL_PERIOD, state)) == 2


@pytest.mark.parametrize("state", [State.IDLE, State.PLANNING, State.EXECUTING, State.PAUSED, State.FAULT])
def test_other_states_are_told_when_they_change_only(monkeypatch: pytest.MonkeyPatch, state: State) -> None:
    told = Told(monkeypatch)
    told.say("one", state=state)
    assert told.say("two", 5.0 * RETELL_PERIOD, state) == ["one"]
