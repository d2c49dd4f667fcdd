"""A real browser for tests: the system's Chromium, without a window, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Inside containers there is neither a sandbox nor a GPU.
OPTIONS = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage")
PATIENCE = 180_000.0  # milliseconds; drawing without a GPU beside a planner is slow
SIZE = {"width": 1300, "height": 700}


@contextmanager
def chromium() -> Iterator[Any]:
    """Playwright's browser; the test is skipped where there is none."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install playwright"
    )
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=list(OPTIONS))
        yield browser
        browser.close()


class Tab:
    """One open page, and what it asked for.

    Args:
        browser: of `chromium`.
        address: of the page.
    """

    def __init__(self, browser: Any, address: str) -> None:
        self._context = browser.new_context(viewport=SIZE)
        self._context.set_default_timeout(PATIENCE)
        self.page = self._context.new_page()
        self.requested: list[str] = []
        self.page.on("request", lambda request: self.requested.append(request.url))
        self.page.goto(address)
        self.page.get_by_role("button", name="HOLD", exact=True).wait_for()

    def click(self, name: str) -> None:
        """A button, by its words."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def give(self, name: str, content: bytes) -> None:
        """A file, as if it had been dropped on the page."""
        file = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
        self.page.locator("input[type=file]").set_input_files(file)

    def wait_for(self, words: str) -> None:
        """Until these words are to be read."""
        self.page.get_by_text(words).first.wait_for()

    def vanish(self) -> None:
        """As when somebody closes the lid of a laptop."""
        self._context.close()
