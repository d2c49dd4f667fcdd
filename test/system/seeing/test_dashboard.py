"""The operator's page in a real browser, with simulator and planner: goals are made and followed, and HOLD holds."""

from __future__ import annotations

import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("viser", reason="viser is not installed: pip install '.[dashboard]'")

from vjepa_mpc.msg import PlanStatus

from support.rig import PATIENCE, Rig
from support.rigs.chromium import Tab, chromium
from vjepa_mpc.images import encode_png
from vjepa_mpc.tools.processes import NodeProcess

MEGABYTE = 2**20
NOT_ALLOWED = "MOTION_NOT_ALLOWED"


@pytest.fixture(scope="module")
def dashboard(domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    folder = tmp_path_factory.mktemp("dashboard")
    parameters = {"host": "0.0.0.0", "port": "0", "goals_folder": str(folder / "goals"), "rate": "2.0"}
    with NodeProcess("dashboard", folder / "dashboard.log", domain, parameters=parameters) as process:
        yield process
        assert process.returncode is None, f"the dashboard did not stay up:\n{process.output()}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


def address_of(dashboard: NodeProcess, rig: Rig) -> str:
    """What it printed, once it serves the page."""
    for _ in range(int(2 * PATIENCE)):
        found = re.search(r"http://127\.0\.0\.1:\d+/", dashboard.output())
        if found:
            return found[0]
        assert dashboard.returncode is None, dashboard.output()
        rig.link.stays_silent(0.5)
    raise AssertionError(f"no address:\n{dashboard.output()}")


def moves(status: PlanStatus) -> bool:
    return status.state == PlanStatus.EXECUTING


def test_goals_are_made_and_followed_and_hold_holds(
    browser: Any, dashboard: NodeProcess, rig: Rig, picture: np.ndarray
) -> None:
    tab = Tab(browser, address_of(dashboard, rig))
    tab.wait_for("IDLE")
    tab.give("notes.txt", b"buy milk")
    tab.wait_for("notes.txt is not a picture")
    tab.give("large.png", bytes(20 * MEGABYTE))
    tab.wait_for("large.png has 20.0 MB, more than 10 MB")
    tab.give("reached.png", encode_png(picture))
    tab.wait_for("sub-goal 1: reached.png")
    tab.page.get_by_label("steps").fill("1000")
    tab.page.get_by_label("steps").blur()
    tab.click("This is a goal (camera)")
    tab.wait_for("sub-goal 2: camera")
    tab.page.get_by_role("button", name="remove", exact=True).nth(1).click()
    tab.page.get_by_text("2. camera").wait_for(state="detached")
    tab.click("Start these goals")
    status = rig.link.wait_for_status(moves, PATIENCE)
    assert status.sub_goals == 1 and status.step_budget == 1000

    tab.click("HOLD")
    rig.wait_for_reason(NOT_ALLOWED)
    rig.link.wait_until_silent()
    tab.wait_for(NOT_ALLOWED)
    assert all(url.startswith((tab.page.url, "blob:", "data:")) for url in tab.requested), tab.requested

    second = Tab(browser, address_of(dashboard, rig))
    second.wait_for(NOT_ALLOWED)
    tab.vanish()
    second.click("Release HOLD")
    rig.link.wait_for_status(moves, PATIENCE)
    second.click("Clear goal")
    rig.wait_for_state(PlanStatus.IDLE)

    # In a state in which even a pause is refused.
    rig.link.change_state("planner_node", "deactivate")
    rig.wait_for_reason("NOT_ACTIVE")
    second.click("HOLD")
    second.wait_for("HOLD: the arm may not move")
    assert rig.link.change_state("planner_node", "activate")
    assert rig.request([picture], steps=[1000]).success
    rig.wait_for_reason(NOT_ALLOWED)
    rig.link.wait_until_silent()
    second.click("Release HOLD")
    rig.link.wait_for_status(moves, PATIENCE)
    rig.clear_goal()
    second.vanish()


def test_parameters_are_changed_and_refusals_are_told(browser: Any, dashboard: NodeProcess, rig: Rig) -> None:
    tab = Tab(browser, address_of(dashboard, rig))
    tab.page.get_by_role("tab", name="Parameters").click()
    samples = tab.page.get_by_label("samples", exact=True)
    before = samples.input_value()
    samples.fill("40")
    tab.wait_for("samples = 40")
    assert rig.link.parameter("planner_node", "samples") == 40
    samples.fill("4")
    tab.wait_for("topk=6 > samples=4")
    assert rig.link.parameter("planner_node", "samples") == 40
    tab.page.wait_for_function("input => input.value === '40'", arg=samples.element_handle())
    assert rig.link.set_parameters("planner_node", samples=int(before)) == ""
    tab.page.wait_for_function(f"input => input.value === '{before}'", arg=samples.element_handle())
    tab.vanish()


def test_others_need_the_token(dashboard: NodeProcess, rig: Rig) -> None:
    own = own_address()
    if own is None:
        pytest.skip("this machine has no address but loopback")
    port = re.search(r":(\d+)/", address_of(dashboard, rig))[1]
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"http://{own}:{port}/", timeout=60)
    token = re.search(r"token=(\S+)", dashboard.output())[1]
    keeps_cookies = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with keeps_cookies.open(f"http://{own}:{port}/?token={token}", timeout=60) as answer:
        assert answer.url == f"http://{own}:{port}/" and b"<html" in answer.read()[:2000].lower()


def own_address() -> str | None:
    """An address of this machine that others would use; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address: str = probe.getsockname()[0]
    return None if address.startswith("127.") else address
