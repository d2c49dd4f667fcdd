"""Plans that mean nothing hold the arm, until plans mean something again; none that leads to its goal does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.proposals import FakeProposal, a_plan
from support.rigs.supervisor_rig import CONFIG, GOAL, Rig
from vjepa_mpc.planning import Outlook
from vjepa_mpc.safety.reasons import Reason, State

FLAT = Outlook(still=1.199, expected=1.195, drawn=1.199)
FAR = Outlook(still=0.23, expected=0.09, drawn=0.27)  # the bundled model, 15 cm away
NEAR = Outlook(still=0.021, expected=0.0208, drawn=0.15)  # and at the goal, by its own noise
IN_VAIN = Outlook(still=0.42, expected=0.395, drawn=0.455)  # and with a grey picture for a goal


def proposal(rig: Rig, energy: float, outlook: Outlook | None, sub_goal: int = 0, goal_id: int = GOAL) -> FakeProposal:
    """A plan from a picture with this energy."""
    made = rig.plan()
    step = replace(
        made.step, goal_id=goal_id, goal_index=sub_goal, energy=energy, plan=a_plan((energy,), outlook=outlook)
    )
    return replace(made, step=step)


def carry_out(rig: Rig, energy: float, outlook: Outlook | None, **of: int) -> bool:
    return rig.carry_out(proposal(rig, energy, outlook, **of))


def stuck(rig: Rig, outlook: Outlook = IN_VAIN, energy: float = 0.42) -> None:
    """Steps in vain until the arm holds."""
    assert all(carry_out(rig, energy, outlook) for _ in range(3))
    assert not carry_out(rig, 1.01 * energy, outlook)


def review(rig: Rig, energy: float, outlook: Outlook) -> None:
    """A plan that is only looked at."""
    assert rig.decision is not None and rig.decision.may_review
    rig.supervisor.examine_plan(proposal(rig, energy, outlook), rig.now)
    rig.tick()


def test_a_goal_to_which_all_actions_are_alike_holds_before_the_arm_moves(rig: Rig) -> None:
    rig.start()
    assert not carry_out(rig, 1.2, FLAT)
    decision = rig.tick()
    assert (decision.state, decision.reason) == (State.HOLDING, Reason.GOAL_NOT_SEEN)
    assert "1.199" in decision.message and "0.33 %" in decision.message and "goal_contrast" in decision.message
    assert not (decision.may_move or decision.may_plan or decision.engaged)
    assert rig.run(10.0).reason is Reason.GOAL_NOT_SEEN, "it does not flicker while nothing changes"


def test_steps_that_do_not_do_what_was_promised_hold_and_say_by_how_much(rig: Rig) -> None:
    rig.start()
    stuck(rig)
    decision = rig.tick()
    assert (decision.state, decision.reason) == (State.HOLDING, Reason.NO_PROGRESS)
    assert "in 3 steps the energy was to fall by 0.075 and rose by 0.0042, to 0.4242" in decision.message
    assert rig.run(10.0).reason is Reason.NO_PROGRESS


def test_steps_on_the_way_and_at_the_goal_are_let_pass(rig: Rig) -> None:
    rig.start()
    for energy in (0.23, 0.08, 0.018, *[0.004, 0.009] * 5):
        assert carry_out(rig, energy, FAR if energy > 0.02 else NEAR)


def test_a_plan_for_a_goal_that_is_seen_ends_the_hold_after_a_while(rig: Rig) -> None:
    rig.start()
    carry_out(rig, 1.2, FLAT)
    review(rig, 1.2, FLAT)
    assert rig.run(1.0).reason is Reason.GOAL_NOT_SEEN
    review(rig, 0.23, FAR)
    assert rig.tick().reason is Reason.GOAL_NOT_SEEN, "recovery takes its time"
    assert rig.run(CONFIG.recovery_time + 0.1).state is State.PLANNING
    assert carry_out(rig, 0.23, FAR)


def test_another_picture_ends_a_hold_for_want_of_progress_and_the_same_one_does_not(rig: Rig) -> None:
    rig.start()
    stuck(rig)
    review(rig, 0.41, IN_VAIN)
    assert rig.run(1.0).reason is Reason.NO_PROGRESS
    review(rig, 0.23, FAR)
    assert rig.run(CONFIG.recovery_time + 0.1).state is State.PLANNING
    assert carry_out(rig, 0.23, FAR)


@pytest.mark.parametrize("order", ["another goal", "resume"])
def test_another_goal_and_resume_give_it_another_attempt(rig: Rig, order: str) -> None:
    rig.start()
    stuck(rig)
    goal_id = GOAL
    if order == "resume":
        rig.supervisor.resume(rig.now)
    else:
        rig.supervisor.set_goal(goal_id := GOAL + 1)
    assert rig.run(CONFIG.recovery_time + 0.1).state is State.PLANNING
    assert [carry_out(rig, 0.42, IN_VAIN, goal_id=goal_id) for _ in range(4)] == [True, True, True, False]


def test_what_an_interruption_cut_short_and_another_sub_goal_do_not_count(rig: Rig) -> None:
    rig.start()
    for _ in range(2):
        carry_out(rig, 0.42, IN_VAIN)
    rig.supervisor.pause()
    rig.tick()
    rig.supervisor.unpause()
    rig.tick()
    for sub_goal in (0, 0, 1, 1, 2):
        assert carry_out(rig, 0.42, IN_VAIN, sub_goal=sub_goal)


def test_steps_of_which_nothing_is_known_and_guards_that_are_off_let_pass() -> None:
    rig = Rig(replace(CONFIG, goal_contrast=0.0, progress_steps=0))
    rig.start()
    assert all(carry_out(rig, 1.2, outlook) for outlook in [FLAT] * 6)
    rig = Rig()
    rig.start()
    assert all(carry_out(rig, 1.2, None) for _ in range(6))


def test_what_is_wrong_with_an_input_is_told_first(rig: Rig) -> None:
    rig.start()
    stuck(rig)
    rig.pose = {"frame_id": "world"}
    decision = rig.tick()
    assert decision.reason is Reason.POSE_WRONG_FRAME and not decision.may_review


def test_other_options_hold_from_now_on_and_give_another_attempt(rig: Rig) -> None:
    rig.start()
    stuck(rig)
    assert rig.tick().reason is Reason.NO_PROGRESS
    rig.supervisor.reconfigure(replace(CONFIG, progress_steps=0))
    rig.run(2.0)
    assert all(carry_out(rig, 0.42, IN_VAIN) for _ in range(10))
    rig.supervisor.reconfigure(replace(CONFIG, goal_contrast=1.0))
    assert not carry_out(rig, 0.42, IN_VAIN)
    assert rig.tick().reason is Reason.GOAL_NOT_SEEN
