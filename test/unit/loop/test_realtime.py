"""What the control loop's thread asks of the operating system, and what is said where that is refused."""

from __future__ import annotations

import errno
import gc
import os
import threading
import weakref
from collections.abc import Callable, Iterator

import pytest

from vjepa_mpc.loop import realtime
from vjepa_mpc.loop.realtime import RealtimeSettings, prepare_process, prepare_thread
from vjepa_mpc.options import build


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operating system that permits nothing."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    for name in ("sched_setscheduler", "sched_setaffinity"):
        monkeypatch.setattr(os, name, refuse)
    monkeypatch.setattr(realtime, "_lock_memory", refuse)


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """What was frozen here is collected again by the tests that follow."""
    yield
    gc.unfreeze()


def on_a_thread(function: Callable[[], list[str]]) -> list[str]:
    """What a function says on a thread of its own, so that this one keeps its manners."""
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.extend(function()))
    thread.start()
    thread.join()
    return said


def test_nothing_is_asked_for_if_not_told(refused: None) -> None:
    assert prepare_thread(RealtimeSettings()) == prepare_process(RealtimeSettings()) == []


def test_the_thread_alone_gets_its_priority_and_its_processor() -> None:
    seen: list[tuple[int, int, set[int]]] = []

    def prepare() -> list[str]:
        denied = prepare_thread(RealtimeSettings(priority=5, processors=frozenset({0})))
        seen.append((os.sched_getscheduler(0), os.sched_getparam(0).sched_priority, os.sched_getaffinity(0)))
        return denied

    before = os.sched_getscheduler(0)
    denied = on_a_thread(prepare)
    if denied:
        pytest.skip(f"this machine does not permit it: {denied[0]}")
    assert seen == [(os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, 5, {0})]
    assert os.sched_getscheduler(0) == before


def test_what_is_not_permitted_is_named_with_its_remedy(refused: None) -> None:
    settings = RealtimeSettings(priority=5, processors=frozenset({0}), lock_memory=True)
    priority, processors = on_a_thread(lambda: prepare_thread(settings))
    assert "realtime.priority=5" in priority and "not permitted" in priority and "limits.conf" in priority
    assert "realtime.processors=[0]" in processors and "taskset" in processors
    (memory,) = prepare_process(settings)
    assert "realtime.lock_memory" in memory and "ulimit -l" in memory


@pytest.mark.parametrize(
    ("text", "words"), [("one", "separated by commas"), ("100000", "there is no processor 100000")]
)
def test_processors_that_there_are_not_are_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build(RealtimeSettings, {"realtime.processors": text}, "realtime.")


def test_garbage_is_not_looked_for_among_what_was_loaded() -> None:
    prepare_process(RealtimeSettings())
    looked_at, loaded = len(gc.get_objects()), gc.get_freeze_count()
    assert loaded > 100 * looked_at


def test_what_a_configuration_before_left_behind_is_collected() -> None:
    class Cycle:
        pass

    prepare_process(RealtimeSettings())
    left = Cycle()
    left.itself = left
    gc.freeze()  # as the configuration before did
    ended = threading.Event()
    weakref.finalize(left, ended.set)
    del left
    prepare_process(RealtimeSettings())
    assert ended.is_set()
