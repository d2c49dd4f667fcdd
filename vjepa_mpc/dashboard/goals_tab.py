"""Where goals are made: from the camera, from files; in order, with budgets; saved, loaded and sent."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vjepa_mpc.dashboard.commands import Answer, Commands
from vjepa_mpc.dashboard.drafts import Drafts
from vjepa_mpc.dashboard.strip import fitted
from vjepa_mpc.dashboard.style import DROP_MARKER
from vjepa_mpc.goals.folder import is_goal_folder, read_goals, write_goals
from vjepa_mpc.images import decode_image

_GRIPPERS = ("free", "open", "closed")
_UP, _DOWN, _REMOVE = "up", "down", "remove"
_THUMB = 300, 84  # pixels
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,79}")
_NONE = "(none)"
_MOST_STEPS = 1_000_000


class GoalsTab:
    """Builds its controls in viser's present container.

    Args:
        gui: viser's.
        commands: carried out by whoever feeds the page.
        answer: gets what became of something.
        folder: where sequences are saved, each in a folder of its own.
    """

    def __init__(self, gui: Any, commands: Commands, answer: Answer, folder: Path) -> None:
        self._gui, self._commands, self._answer, self._folder = gui, commands, answer, folder
        self._lock = threading.RLock()  # viser calls back on threads of a pool
        self._rows: list[Any] = []
        self.drafts = Drafts(self._redraw)
        self._button("This is a goal (camera)", self._take, "cyan")
        gui.add_html(DROP_MARKER)
        upload = gui.add_upload_button("Goal from a file", mime_type="image/*")
        upload.on_upload(lambda event: self._guarded(self._add_file, event.target.value))
        self._list = gui.add_folder("sub-goals, in their order")
        self._empty()
        with gui.add_folder("saved sequences", expand_by_default=False):
            self._name = gui.add_text("name", "pick_and_place", hint=f"A folder in {folder}.")
            self._button("Save", self._save)
            self._saved = gui.add_dropdown("saved", self._found())
            self._button("Load", self._load)
            self._button("Forget all that is above", lambda: self.drafts.put(()))

    def _button(self, label: str, act: Callable[[], None], colour: str | None = None) -> None:
        button = self._gui.add_button(label, color=colour)
        button.on_click(lambda _: self._guarded(act))

    def _guarded(self, act: Callable[..., None], *arguments: Any) -> None:
        """One at a time; what is refused is said."""
        try:
            with self._lock:
                act(*arguments)
        except (ValueError, OSError) as error:
            self._answer(False, str(error))

    def _take(self) -> None:
        def taken(picture: bytes) -> None:
            # Whoever calls has HOLD to carry out, too, and must not wait for the lock.
            threading.Thread(target=self._guarded, args=(self._add, "camera", picture), daemon=True).start()

        self._commands.look(taken, self._answer)

    def _add_file(self, file: Any) -> None:
        self._add(file.name, file.content)

    def _add(self, name: str, picture: bytes) -> None:
        self.drafts.add(name, picture)
        self._answer(True, f"sub-goal {len(self.drafts.goals)}: {name}")

    def _save(self) -> None:
        name = self._name.value.strip()
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a folder: use letters, digits, _ and -")
        write_goals(self._folder / name, self.drafts.goals)
        self._saved.options = self._found()
        self._saved.value = name
        self._answer(True, f"{len(self.drafts.goals)} sub-goals saved in {self._folder / name}")

    def _load(self) -> None:
        self._saved.options, wanted = self._found(), self._saved.value
        if wanted == _NONE:
            raise ValueError(f"no sequence is saved in {self._folder}: save one first")
        self.drafts.put(read_goals(self._folder / wanted))
        self._answer(True, f"{wanted}: {len(self.drafts.goals)} sub-goals")

    def _found(self) -> tuple[str, ...]:
        folders = sorted(self._folder.iterdir()) if self._folder.is_dir() else []
        return tuple(each.name for each in folders if is_goal_folder(each)) or (_NONE,)

    # -- the list ---------------------------------------------------------------------------------------------------

    def _redraw(self) -> None:
        for row in self._rows:
            row.remove()
        self._rows.clear()
        with self._list:
            for index, goal in enumerate(self.drafts.goals):
                self._rows.append(self._row(index, goal))
        self._empty()

    def _empty(self) -> None:
        if not self.drafts.goals:
            with self._list:
                self._rows.append(self._gui.add_markdown("*None yet: take one from the camera, or give a file.*"))

    def _row(self, index: int, goal: Any) -> Any:
        folder = self._gui.add_folder(f"{index + 1}. {goal.name}")
        with folder:
            self._gui.add_image(_thumbnail(goal.picture))
            steps = self._gui.add_number(
                "steps", goal.steps or 0, min=0, max=_MOST_STEPS, step=1, hint="Most steps; 0 for the planner's own."
            )
            steps.on_update(lambda event: self._guarded(self.drafts.set_steps, index, int(event.target.value)))
            options = _GRIPPERS if goal.gripper in _GRIPPERS else (*_GRIPPERS, goal.gripper)
            gripper = self._gui.add_dropdown("gripper", options, initial_value=goal.gripper)
            gripper.on_update(lambda event: self._guarded(self.drafts.set_gripper, index, event.target.value))
            order = self._gui.add_button_group("order", (_UP, _DOWN, _REMOVE))
            order.on_click(lambda event: self._guarded(self._rearrange, index, event.target.value))
        return folder

    def _rearrange(self, index: int, what: str) -> None:
        if what == _REMOVE:
            self.drafts.remove(index)
        else:
            self.drafts.move(index, -1 if what == _UP else 1)


def _thumbnail(picture: bytes) -> np.ndarray:
    return fitted(decode_image(picture, "the goal"), *_THUMB)
