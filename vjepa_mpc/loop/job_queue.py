"""Running functions on a thread that otherwise works in periods."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class StoppedError(RuntimeError):
    """The thread that should do the job has stopped."""


class JobQueue:
    """What other threads want done on one thread, its owner: the one that calls `run_until`.

    Args:
        name: of the owner, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: deque[tuple[Callable[[], Any], Future[Any] | None]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._owner: threading.Thread | None = None

    def post(self, job: Callable[[], None]) -> bool:
        """Have a job done soon; False when the queue is closed. What it raises comes out of `run_until`."""
        return self._add(job, None)

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Run a function on the owner's thread and return its result.

        Raises:
            StoppedError: the owner has stopped.
            Exception: what the function raises.
        """
        if threading.current_thread() is self._owner:
            return function(*args)
        result: Future[T] = Future()
        if not self._add(lambda: function(*args), result):
            raise self._stopped()
        return result.result()

    def close(self) -> None:
        """Take no more jobs; what was taken is still done."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def drop(self) -> None:
        """Close and refuse what was not done yet: the owner's last act, however it ends."""
        self.close()
        for _, result in self._jobs:
            if result is not None:
                result.set_exception(self._stopped())

    def _add(self, job: Callable[[], Any], result: Future[Any] | None) -> bool:
        with self._changed:
            if not self._closed:
                self._jobs.append((job, result))
                self._changed.notify()
            return not self._closed

    def _stopped(self) -> StoppedError:
        return StoppedError(f"the {self._name} has stopped")

    def run_until(self, due: float, after_job: Callable[[], Any] = lambda: None) -> bool:
        """Do the jobs that come in until a time (steady seconds); False, and at once, when closed and all are done."""
        self._owner = threading.current_thread()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs or self._closed, timeout=max(0.0, due - time.monotonic()))
                if not self._jobs:
                    return not self._closed
                job, result = self._jobs.popleft()
            _do(job, result)
            after_job()


def _do(job: Callable[[], Any], result: Future[Any] | None) -> None:
    if result is None:
        job()
        return
    try:
        result.set_result(job())
    except Exception as error:
        result.set_exception(error)
