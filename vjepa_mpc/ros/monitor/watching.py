"""The thread that looks: newest picture in, a reading out. It knows no topics."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vjepa_mpc.images import image_to_rgb
from vjepa_mpc.monitor.naming import Deviation
from vjepa_mpc.monitor.sight import Eye
from vjepa_mpc.monitor.watch import Reading, Watcher

logger = logging.getLogger(__name__)

_END_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """A picture to look at.

    Attributes:
        message: as :func:`~vjepa_mpc.images.image_to_rgb` takes it.
        stamp: seconds.
        state: [7] pose and closedness at that time; None without.
    """

    message: Any
    stamp: float
    state: np.ndarray | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """What came of a picture.

    Attributes:
        shown: the picture.
        image: uint8 RGB [H, W, 3].
        reading: what the monitor says of it.
        after: seconds since the run's first picture.
        news: a deviation that was not told before, or that has another name now.
    """

    shown: Shown
    image: np.ndarray
    reading: Reading
    after: float
    news: Deviation | None


class Watching:
    """Looks at the newest picture, one after the other, as fast as the monitor wants them and the machine can.

    Args:
        watcher: follows the run.
        eye: sees pictures.
        told: gets what came of each, on the thread.
        failed: gets in words why a picture could not be looked at, on the thread.
    """

    def __init__(
        self, watcher: Watcher, eye: Eye, told: Callable[[Seen], object], failed: Callable[[str], object]
    ) -> None:
        self._watcher, self._eye, self._told, self._failed = watcher, eye, told, failed
        self._changed = threading.Condition()
        self._following = threading.Lock()  # around the watcher
        self._newest: Shown | None = None
        self._runs = self._closed = False
        self._begins = False
        self._first: float | None = None
        self._named = ("", 0.0)
        self._failures: set[str] = set()  # that were told
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)
        self._thread.start()

    @property
    def runs(self) -> bool:
        """Whether a run is being watched."""
        return self._runs

    def show(self, shown: Shown) -> None:
        """A picture has come; any thread."""
        with self._changed:
            if self._runs:
                self._newest = shown
                self._changed.notify()

    def begin(self) -> None:
        """The next picture is the first of a run; any thread."""
        with self._changed:
            self._runs = self._begins = True
            self._newest = None

    def finish(self) -> Deviation | None:
        """The run has ended: what is wrong with that, such as a step that never came; any thread but the own one."""
        with self._changed:
            watched, self._runs, self._newest = self._runs and self._first is not None, False, None
        with self._following:
            return self._watcher.finish() if watched else None

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(_END_SECONDS)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest or self._closed)
                if self._closed:
                    return
                shown, self._newest = self._newest, None
                begins, self._begins = self._begins, False
            if shown is None:
                continue
            with self._following:
                if begins:
                    self._first, self._named = shown.stamp, ("", 0.0)
                    self._watcher.begin()
                    self._eye.forget()
                seen = self._look(shown)
            if seen is not None:
                self._told(seen)

    def _look(self, shown: Shown) -> Seen | None:
        """What comes of a picture; None where it is not needed, or cannot be looked at."""
        try:
            if not self._watcher.wants(shown.stamp):
                return None
            image = image_to_rgb(shown.message)
            state = None if shown.state is None else shown.state[None]
            reading = self._watcher.see(self._eye.look(image[None], [shown.stamp], state))
        except ValueError as error:
            self._failed(str(error))
            return None
        except Exception as error:  # whatever a model raises: the monitor is silent then, and says why
            text = f"{type(error).__name__}: {error}"
            if text not in self._failures:  # once, not at every picture
                self._failures.add(text)
                logger.exception("the monitor failed")
            self._failed(text)
            return None
        deviation = reading.deviation
        named = ("", 0.0) if deviation is None else (deviation.name, deviation.began)
        news = deviation if deviation is not None and named != self._named else None
        self._named = named
        after = shown.stamp - (shown.stamp if self._first is None else self._first)
        return Seen(shown=shown, image=image, reading=reading, after=after, news=news)
