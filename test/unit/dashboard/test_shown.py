"""What the page shows of what is seen, without a browser: pictures, words, plots, the arm, controls."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from vjepa_mpc.dashboard import strip, words
from vjepa_mpc.dashboard.arm import arm_joints, chain
from vjepa_mpc.dashboard.drafts import MOST_BYTES, Drafts
from vjepa_mpc.dashboard.history import History
from vjepa_mpc.dashboard.seen import MOVING, WAITING, GoalShown, Picture, Pose, Seen, Status, Tunable
from vjepa_mpc.dashboard.sliders import FAVOURITES, grouped, suits_a_slider
from vjepa_mpc.images import ImageError, encode_png

RED, GREEN = np.full((24, 32, 3), (200, 0, 0), np.uint8), np.full((24, 32, 3), (0, 200, 0), np.uint8)
NOW = 100.0
MOVES = Status("EXECUTING", MOVING, "NONE", "", goal_id=3, sub_goal=1, sub_goals=2, step=4, energy=0.5, received=NOW)


def picture(image: np.ndarray, received: float = NOW) -> Picture:
    return Picture(lambda: image, received)


def unreadable() -> np.ndarray:
    raise ImageError("damaged")


def seen(**values: object) -> Seen:
    result = Seen()
    result.trouble = ""
    for name, value in values.items():
        setattr(result, name, value)
    return result


def test_camera_goal_and_imagination_stand_side_by_side() -> None:
    goal = GoalShown(3, (picture(RED), picture(GREEN)), ("open", "closed"))
    what = seen(camera=picture(RED), status=MOVES, goal=goal, imagination_source=True, imagination=picture(GREEN))
    camera, wanted, imagined = strip.tiles(what, False, NOW)
    assert (camera.label, wanted.label, imagined.label) == ("camera", "goal 2 of 2, gripper closed", "imagination")
    assert camera.image is RED and wanted.image is GREEN and imagined.image is GREEN
    row = strip.compose((camera, wanted, imagined))
    thirds = np.array_split(row, 3, axis=1)
    assert [int(third.mean(axis=(0, 1)).argmax()) for third in thirds] == [0, 1, 1]


def test_what_is_not_there_is_said() -> None:
    assert [tile.words for tile in strip.tiles(seen(), False, NOW)] == [
        "no picture from the camera",
        "no goal is set",
        "no decoder is loaded: nobody publishes ~/imagination",
    ]
    what = seen(camera=Picture(unreadable, NOW), goal=GoalShown(2, (picture(RED),), ("free",)), status=MOVES)
    assert [tile.words for tile in strip.tiles(what, False, NOW)[:2]] == ["damaged", "no goal is set"]  # of goal 2
    assert strip.tiles(seen(surprise=picture(RED)), True, NOW)[0].label == "camera + surprise"
    assert strip.tiles(seen(camera=picture(RED)), False, NOW + 5.0)[0].label == "camera, 5 s old"


def test_words_are_no_markup_and_a_silent_planner_is_not_shown_as_moving() -> None:
    what = seen(status=replace(MOVES, mood=WAITING, reason="IMAGE_STALE", message="<b>1 s</b> & more"))
    said = words.banner(what, NOW)
    assert "EXECUTING · IMAGE_STALE" in said and "&lt;b&gt;1 s&lt;/b&gt; &amp; more" in said
    green = words.banner(seen(status=MOVES), NOW)
    late = words.banner(seen(status=MOVES), NOW + 30.0)
    assert "said 30 s ago" in late and late.split("color")[0] != green.split("color")[0]
    assert "it is not there" in words.banner(seen(status=MOVES, trouble="it is not there"), NOW)
    assert "Held by this page" in words.banner(seen(status=MOVES, held=True), NOW)
    table = words.figures(seen(status=MOVES, ages={"image": 0.1, "pose": math.inf}), NOW)
    assert "sub-goal 2 of 2" in table and "image 0.10 s, pose never came" in table


def test_the_plots_have_a_sample_for_each_step_and_an_edge_for_each_sub_goal() -> None:
    history = History()
    down = np.array([1.0, 0.0, 0.0, 0.0])
    for number, (sub_goal, step) in enumerate([(0, 1), (0, 1), (0, 2), (1, 1)]):
        pose = Pose(np.array([0.01 * number, 0.0, 0.0]), down)
        history.note(
            replace(MOVES, sub_goal=sub_goal, step=step, energy=1.0 - 0.1 * number, received=NOW + number), pose
        )
    history.note(replace(MOVES, step=0), None)  # nothing is planned yet
    series = history.series
    assert series.at.tolist() == [0.0, 2.0, 3.0, 3.0]
    assert series.energy.tolist() == pytest.approx([1.0, 0.8, 0.8, 0.7])
    assert series.distance.tolist() == pytest.approx([0.0, 2.0, 2.0, 3.0])
    assert series.band[0] == series.band[2] != series.band[3]


def test_the_arm_stands_as_its_joints_say() -> None:
    # Stretched: the flange is 8.8 cm before the base's axis and looks down from 92.6 cm.
    assert chain(np.zeros(7))[-1] == pytest.approx([0.088, 0.0, 0.926], abs=1e-9)
    turned = chain(np.array([math.pi / 2, 0, 0, 0, 0, 0, 0]))[-1]
    assert turned == pytest.approx([0.0, 0.088, 0.926], abs=1e-9)
    names = ["fr3_finger_joint1", *(f"fr3_joint{number}" for number in range(7, 0, -1))]
    assert arm_joints(names, [9.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]).tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert arm_joints(names[:-1], [0.0] * 7) is None


def test_goals_are_put_in_order_and_what_is_none_is_refused() -> None:
    changes: list[int] = []
    drafts = Drafts(lambda: changes.append(1))
    for name, image in (("a", RED), ("b", GREEN), ("c", RED)):
        drafts.add(name, encode_png(image))
    drafts.move(2, -1)
    drafts.move(0, -1)
    drafts.remove(0)
    assert [goal.name for goal in drafts.goals] == ["c", "b"] and len(changes) == 5
    drafts.set_steps(1, 7)
    drafts.set_gripper(0, "closed")
    assert [(goal.steps, goal.gripper) for goal in drafts.goals] == [(None, "closed"), (7, "free")]
    with pytest.raises(ValueError, match=r"big\.png has 20\.0 MB, more than 10 MB"):
        drafts.add("big.png", bytes(2 * MOST_BYTES))
    with pytest.raises(ValueError, match=r"notes\.txt is not a picture"):
        drafts.add("notes.txt", b"hello")
    assert len(drafts.goals) == 2


def test_parameters_get_the_control_that_suits_them() -> None:
    tunables = tuple(
        Tunable(name, value, "", low, high)
        for name, value, low, high in [
            ("goal.steps", 10, 1, 1_000_000),
            ("samples", 100, 2, 100_000),
            ("seed", 1, None, None),
            ("maxnorm", 0.075, 0.001, 0.5),
            ("goal.plateau_slope", 0.02, 0.0, 1.0),
            ("time_budget", 0.0, 0.0, 3600.0),
            ("rollout", 1, 1, 64),
        ]
    )
    sliders = {each.name for each in tunables if suits_a_slider(each)}
    assert sliders == {"maxnorm", "goal.plateau_slope", "rollout"}
    folders = {title: [each.name for each in members] for title, members in grouped(tunables)}
    assert folders[FAVOURITES] == ["samples", "maxnorm", "rollout", "time_budget"]
    assert folders["goal"] == ["goal.steps", "goal.plateau_slope"] and folders["planner"] == ["seed"]
