"""The operator's page, on viser: layout, buttons, and a thread that brings what is seen to the browsers."""

from __future__ import annotations

import contextlib
import io
import logging
import secrets
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vjepa_mpc.dashboard import strip, words
from vjepa_mpc.dashboard.commands import Answer, Commands
from vjepa_mpc.dashboard.goals_tab import GoalsTab
from vjepa_mpc.dashboard.history import History
from vjepa_mpc.dashboard.scene import Scene
from vjepa_mpc.dashboard.seen import Seen
from vjepa_mpc.dashboard.sliders import Sliders
from vjepa_mpc.dashboard.style import HOLD_MARKER, ROW_MARKER, STYLE
from vjepa_mpc.dashboard.timeline import Timeline
from vjepa_mpc.extras import install_hint

logger = logging.getLogger(__name__)

_ANSWERS = 4  # that stay to be read
_LEFT, _RIGHT = 660, 350  # pixels
_PLOT = 165  # pixels of height
_END_SECONDS = 3.0
_TIME_STEP = 0.05  # seconds of a recording


class MissingViserError(RuntimeError):
    """viser is not installed; the message says how to get it."""


class Page:
    """Everything that a browser sees. viser shows the same to all of them.

    Args:
        seen: filled by somebody else.
        history: likewise.
        commands: carried out by somebody else.
        title: of the page.
        folder: where sequences of goals are saved.
        rate: how often the page follows what is seen, per second.
        timeline: of a recording; None for a running planner.

    Raises:
        MissingViserError: viser is not installed.
    """

    def __init__(
        self,
        seen: Seen,
        history: History,
        commands: Commands,
        title: str,
        folder: Path,
        rate: float,
        timeline: Timeline | None = None,
    ) -> None:
        self._seen, self._history, self._commands = seen, history, commands
        self._period, self._timeline = 1.0 / rate, timeline
        self._said: deque[tuple[bool, str]] = deque(maxlen=_ANSWERS)
        self._saying = threading.Lock()
        self._plotted: object = None
        self._failures: set[str] = set()  # that were told
        self._closing = threading.Event()
        self._server = _serve(_inner_host())
        self.inside = (self._server.get_host(), self._server.get_port())
        self._build(title, folder)
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)
        self._thread.start()

    @property
    def viewers(self) -> int:
        """How many browsers are there."""
        return len(self._server.get_clients())

    @property
    def wants_surprise(self) -> bool:
        """Whether somebody looks at where predictions were wrong."""
        return bool(self._surprise.value)

    @property
    def wants_candidates(self) -> bool:
        """Whether somebody looks at all candidates."""
        return bool(self._candidates.value)

    def say(self, done: bool, text: str) -> None:
        """Show an answer; any thread."""
        with self._saying:
            self._said.appendleft((done, text))
            self._answers.content = words.answers(self._said)

    def close(self) -> None:
        """End it."""
        self._closing.set()
        self._thread.join(_END_SECONDS)
        self._server.stop()

    # -- what there is ----------------------------------------------------------------------------------------------

    def _build(self, title: str, folder: Path) -> None:
        gui = self._server.gui
        gui.configure_theme(dark_mode=True, show_logo=False, show_share_button=False)
        gui.set_panel_label(title)
        gui.main_panel.dock_right()
        gui.main_panel.set_width(_RIGHT)
        self._build_controls(gui, folder)
        panel = gui.add_panel()
        with panel.add_tab("planner"):
            self._build_view(gui)
        with panel.add_tab("landscape"):
            self._button("Draw the energy landscape around the newest plan", self._draw_landscape)
            self._landscape = gui.add_image(np.zeros((1, 1, 3), np.uint8), visible=False, jpeg_quality=95)
        panel.dock_left()
        panel.set_width(_LEFT)
        self._scene = Scene(self._server)

    def _build_controls(self, gui: Any, folder: Path) -> None:
        gui.add_html(STYLE + HOLD_MARKER)
        if self._timeline is None:
            self._build_orders(gui)
        self._answers = gui.add_html(words.answers(()))
        tabs = gui.add_tab_group()
        with tabs.add_tab("Goals"):
            self._goals = GoalsTab(gui, self._commands, self.say, folder)
        self._parameters = tabs.add_tab("Parameters")
        self._sliders = Sliders(gui, lambda name, value: self._commands.tune(name, value, self.say))
        with tabs.add_tab("View"):
            self._surprise = gui.add_checkbox(
                "surprise over the camera", False, hint="Where the prediction of the last action was wrong, in red."
            )
            self._candidates = gui.add_checkbox(
                "every candidate", False, hint="Not the best only. With CUDA graphs plans take longer meanwhile."
            )

    def _draw_landscape(self, answer: Answer) -> None:
        """The energy around the newest plan, under its button, when it is ready."""
        self.say(True, "the landscape is being drawn; that takes a while")

        def shown(image: np.ndarray) -> None:
            self._landscape.image, self._landscape.visible = image, True

        self._commands.landscape(shown, answer)

    def _build_orders(self, gui: Any) -> None:
        self._button("HOLD", self._commands.hold, "red")
        self._button("Release HOLD", self._commands.release, "gray")
        self._button("Start these goals", self._start, "green")
        gui.add_html(ROW_MARKER)
        for label, act in (
            ("Pause", self._commands.pause),
            ("Resume", self._commands.resume),
            ("Clear goal", self._commands.clear),
        ):
            self._button(label, act)

    def _build_view(self, gui: Any) -> None:
        self._banner = gui.add_html("")
        if self._timeline is not None:
            self._build_time(gui, self._timeline)
        self._strip = gui.add_image(strip.compose(strip.tiles(self._seen, False, time.monotonic())), jpeg_quality=85)
        self._figures = gui.add_html("")
        empty = np.zeros(1)
        self._energy = gui.add_uplot(
            (empty, empty, empty, empty),
            (
                {},
                {"label": "energy", "stroke": "#ff922b", "width": 2},
                {"label": "expected after the plan", "stroke": "#74c0fc", "width": 1, "dash": (4, 4)},
                _BAND,
            ),
            scales=_SCALES,
            axes=_AXES,
            height=_PLOT,
            legend={"show": False},
            title="energy, and dashed what was expected after the plan; shades are sub-goals",
        )
        self._distance = gui.add_uplot(
            (empty, empty, empty),
            ({}, {"label": "hand moved [cm]", "stroke": "#69db7c", "width": 2}, _BAND),
            scales=_SCALES,
            axes=_AXES,
            height=_PLOT,
            legend={"show": False},
            title="hand, cm from where the goal began; over seconds",
        )

    def _build_time(self, gui: Any, timeline: Timeline) -> None:
        last = max(_TIME_STEP, round(timeline.seconds, 2))
        self._time = gui.add_slider("time [s]", min=0.0, max=last, step=_TIME_STEP, initial_value=0.0)
        self._time.on_update(lambda _: timeline.show(self._time.value))
        self._playing = gui.add_checkbox("play", False)

    def _button(self, label: str, act: Callable[[Answer], None], colour: str | None = None) -> None:
        self._server.gui.add_button(label, color=colour).on_click(lambda _: act(self.say))

    def _start(self, answer: Answer) -> None:
        goals = self._goals.drafts.goals
        if not goals:
            answer(False, "no sub-goal is made yet: take one from the camera, give a file, or load a sequence")
            return
        self._commands.start(goals, answer)

    # -- on the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing.wait(self._period):
            if not self.viewers:
                continue
            try:
                self._go_on()
                self._refresh(time.monotonic())
            except Exception as error:  # a page that stands still would look as if all were well
                self._tell(error)

    def _tell(self, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"
        if text not in self._failures:
            self._failures.add(text)
            logger.exception("a part of the page cannot be shown")
            self.say(False, f"a part of the page cannot be shown: {text}")

    def _go_on(self) -> None:
        """The recording's time passes while it is played."""
        if self._timeline is None or not self._playing.value:
            return
        at = self._time.value + self._period
        self._playing.value = at < self._timeline.seconds
        self._time.value = min(at, self._time.max)

    def _refresh(self, now: float) -> None:
        seen = self._seen
        self._put(self._banner, words.banner(seen, now))
        self._put(self._figures, words.figures(seen, now))
        self._strip.image = strip.compose(strip.tiles(seen, self.wants_surprise, now))
        self._plot()
        self._scene.draw(seen, self.wants_candidates)
        if seen.tunables is not None:
            self._sliders.show(seen.tunables, self._parameters)

    def _put(self, handle: Any, content: str) -> None:
        if handle.content != content:
            handle.content = content

    def _plot(self) -> None:
        newest = self._history.newest
        if self._plotted is newest:
            return
        self._plotted = newest
        series = self._history.series
        self._energy.data = (series.at, series.energy, series.expected, series.band)
        self._distance.data = (series.at, series.distance, series.band)


_NO_POINTS = {"show": False}
_BAND: Any = {
    "label": "sub-goal",
    "scale": "band",
    "width": 0,
    "fill": "rgba(140,150,170,0.22)",
    "points": _NO_POINTS,
}
_SCALES: Any = {"x": {"time": False}, "band": {"range": (0.0, 1.0)}}


_AXIS = {"stroke": "#adb5bd", "grid": {"stroke": "rgba(173,181,189,.15)"}, "ticks": {"show": False}, "size": 34}
_AXES: Any = (_AXIS, {**_AXIS, "size": 50})


def _serve(host: str) -> Any:
    """viser's server, on any free port."""
    try:
        import viser
    except ImportError as error:
        raise MissingViserError(f"the page needs viser, which is not installed: {install_hint('dashboard')}") from error
    logging.getLogger("websockets").setLevel(logging.WARNING)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its address, which is not the page's
        return viser.ViserServer(host=host, port=0, verbose=False)


def _inner_host() -> str:
    """An address of this machine that nobody guesses: viser itself asks nobody who comes, so the gate stands before it.

    Processes of this machine may still find it, as they may find every topic of ROS.
    """
    if not sys.platform.startswith("linux"):
        return "127.0.0.1"
    return ".".join(str(part) for part in (127, *(1 + secrets.randbelow(254) for _ in range(3))))
