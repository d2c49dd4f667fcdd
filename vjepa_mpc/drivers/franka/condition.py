"""Names, words and remedies for everything that keeps a robot behind a driver from moving."""

from __future__ import annotations

from enum import Enum


class Condition(Enum):
    """What the robot is in. The member's name goes into diagnostics and log, with its words and its remedy."""

    READY = ("the robot obeys targets", "")
    CONNECTING = ("there is no connection to the robot yet", "Check robot_ip, the network, and that FCI is activated.")
    CONNECTION_LOST = (
        "the connection to the robot is lost",
        "It is taken up again by itself; check the network, the robot's power and FCI.",
    )
    REFLEX = ("a reflex stopped the robot", "Make sure that its surroundings are clear, then call ~/recover.")
    MOTION_REFUSED = ("the robot refused a motion", "See the detail; remove the cause, then call ~/recover.")
    MOTION_ABORTED = ("the robot aborted a motion", "See the detail; remove the cause, then call ~/recover.")
    TARGET_REFUSED = (
        "the last target was not passed on",
        "See the detail; motion is allowed again when no such target has come for a while.",
    )
    USER_STOPPED = ("the user stop is pressed", "Release the external activation device.")
    GUIDING = ("somebody guides the robot by hand", "Let go of the guiding buttons.")
    OTHER_MODE = ("the robot is in a mode without motion", "Unlock its joints and activate FCI in Desk.")

    def __init__(self, text: str, remedy: str) -> None:
        self.text = text
        self.remedy = remedy

    def message(self, detail: str = "") -> str:
        """The condition in words, with the detail and what to do."""
        sentence = f"{self.text} ({detail})" if detail else self.text
        return f"{sentence[0].upper()}{sentence[1:]}. {self.remedy}".rstrip()


# Robot modes of libfranka, as franky names them; the others leave the arm free to move.
MODES = {
    "Other": Condition.OTHER_MODE,
    "Guiding": Condition.GUIDING,
    "Reflex": Condition.REFLEX,
    "UserStopped": Condition.USER_STOPPED,
    "AutomaticErrorRecovery": Condition.REFLEX,
}
