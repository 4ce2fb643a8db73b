"""A window of a real Chromium, which remembers every complaint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

if TYPE_CHECKING:  # installed by make test-page only, and this is imported before tests are selected
    from playwright.sync_api import Browser, Page

PICTURES: Final = Path(__file__).parents[2] / "build" / "page"
LIMIT: Final = 20_000
"""Milliseconds that anything in the page may take."""

_VIOLATIONS: Final = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
    window.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
"""


class Shown(Protocol):
    """A daemon, as far as somebody needs to know it who opens its page."""

    @property
    def state(self) -> Path:
        """Its state folder."""

    def token(self, scope: str = "write") -> str:
        """One of its two tokens."""


class Window:
    """One page in a fresh profile.

    Args:
        page: of Playwright.
        daemon: whose page is opened.

    Attributes:
        complaints: what the console said as a warning or an error, and exceptions that nobody caught.
    """

    def __init__(self, page: Page, daemon: Shown) -> None:
        self.page = page
        self.daemon = daemon
        self.complaints: list[str] = []
        page.set_default_timeout(LIMIT)
        page.add_init_script(_VIOLATIONS)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))

    def _console(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")

    @property
    def url(self) -> str:
        """Where the page is."""
        return (self.daemon.state / "address").read_text().strip() + "/"

    def open(self, run_id: str | None = None, *, scope: str = "write") -> None:
        """Log in, and go to the list of runs, or to one run."""
        self.page.goto(self.url + (f"#/runs/{run_id}" if run_id else ""))
        self.page.get_by_label("Token").fill(self.daemon.token(scope))
        self.page.keyboard.press("Enter")
        self.page.get_by_role("heading", level=2).first.wait_for()
        self.page.get_by_role("button", name="Log out").wait_for()

    def until(self, expression: str, argument: object = None) -> None:
        """Wait until JavaScript says yes."""
        self.page.wait_for_function(expression, arg=argument, timeout=LIMIT)

    def text(self, selector: str) -> str:
        """What an element shows."""
        return str(self.page.locator(selector).first.inner_text())

    def picture(self, name: str) -> None:
        """Keep a picture of the whole page."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.evaluate("scrollTo(0, 0)")
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)

    def violations(self) -> list[str]:
        """What the page's own policy forbade."""
        return list(self.page.evaluate("window.violations") or ())


@contextmanager
def opened(browser: Browser, daemon: Shown, *, dark: bool = False) -> Iterator[Window]:
    """A window of its own, which must have nothing to complain of at its end."""
    scheme: Literal["dark", "light"] = "dark" if dark else "light"
    with browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900}) as context:
        window = Window(context.new_page(), daemon)
        yield window
        assert not window.violations(), window.violations()
        assert not window.complaints, window.complaints
