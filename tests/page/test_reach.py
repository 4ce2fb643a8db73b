"""Who has no mouse, who does not see the page, and who wants it dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from tests.acceptance.daemon.daemons import Daemon, job
from tests.page.window import Window

pytestmark = pytest.mark.page

CONTROLS = {
    "button",
    "link",
    "textbox",
    "searchbox",
    "combobox",
    "checkbox",
    "progressbar",
    "img",
    "image",
    "region",
    "table",
}

# WCAG 2's contrast of each text against what lies behind it, the least over the page.
CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => [r, g, b].map((v) => linear(v / 255))
    .reduce((sum, v, place) => sum + v * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const paint = parse(getComputedStyle(at).backgroundColor);
      if (paint.length === 3 || paint[3] === 1) return paint;
    }
    return [255, 255, 255];
  };
  let least = [99, ""];
  for (const element of document.querySelectorAll("body *")) {
    if (!element.checkVisibility() || element.closest(":disabled, .visually-hidden")) continue;
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < least[0]) least = [ratio, element.outerHTML.slice(0, 200)];
  }
  return least;
}"""


@pytest.fixture(scope="module")
def finished(daemon: Daemon) -> str:
    run = daemon.submit(job("echo well", "echo 'it broke' >&2; exit 3", id="reached-{run}"))
    daemon.ended(run)
    return run


def tree(window: Window) -> Iterator[tuple[str, str]]:
    """Role and name of everything in the accessibility tree."""
    session = window.page.context.new_cdp_session(window.page)
    nodes: list[dict[str, Any]] = session.send("Accessibility.getFullAXTree")["nodes"]
    for node in nodes:
        if not node.get("ignored"):
            yield node["role"]["value"], node.get("name", {}).get("value", "")


def tab_to(window: Window, name: str) -> None:
    """Press Tab until the focus is on something of that name."""
    named = "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent"
    for _ in range(80):
        window.page.keyboard.press("Tab")
        if window.page.evaluate(named) == name:
            # What has the focus can be seen to have it.
            assert window.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
            return
    raise AssertionError(f"no way to {name!r} by Tab")


def test_everything_works_with_the_keyboard_alone(daemon: Daemon, window: Window, finished: str) -> None:
    page = window.page
    page.goto(window.url)
    page.get_by_label("Token").wait_for()
    page.keyboard.type(daemon.token())  # the focus is there
    page.keyboard.press("Enter")
    page.locator(f"tr[data-run='{finished}']").wait_for()
    tab_to(window, str(page.locator(f"tr[data-run='{finished}'] a").inner_text()))
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="1 task failed").wait_for()
    window.until("() => document.activeElement.tagName === 'H2'")  # where the new view begins
    tab_to(window, "stderr of t-1")
    page.keyboard.press("Enter")
    page.get_by_role("region", name="stderr of t-1", exact=True).get_by_text("it broke").wait_for()
    window.until("() => document.activeElement.matches('pre.log')")
    page.get_by_role("button", name="Close").focus()
    page.keyboard.press("Enter")  # closes it, and the focus is back
    window.until("() => document.activeElement.getAttribute('aria-label') === 'stderr of t-1'")
    page.locator("canvas.timeline").focus()
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    page.locator("#told").get_by_text("Timeline from").wait_for(state="attached")
    page.get_by_role("link", name="orchestrator", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Runs").wait_for()


def test_what_has_the_focus_keeps_it_while_the_page_is_refreshed(daemon: Daemon, window: Window) -> None:
    run = daemon.submit(job("sleep 3", "true", "sleep 1", id="focused-{run}"))
    window.open(run)
    button = window.page.get_by_role("button", name="stdout of t-0")
    button.focus()
    window.page.locator("h2 + .state").get_by_text("succeeded").wait_for()
    window.until("() => document.activeElement.getAttribute('aria-label') === 'stdout of t-0'")


def test_everything_has_a_name_for_a_screen_reader(window: Window, finished: str) -> None:
    page = window.page
    page.goto(window.url)
    page.get_by_label("Token").wait_for()
    seen = list(tree(window))
    window.open(finished)
    page.get_by_role("heading", name="1 task failed").wait_for()
    page.get_by_role("button", name="stdout of t-0").click()
    seen += tree(window)
    page.get_by_role("link", name="Runs").click()
    page.get_by_role("heading", name="Runs").wait_for()
    page.locator(f"tr[data-run='{finished}']").wait_for()
    seen += tree(window)
    nameless = [role for role, name in seen if role in CONTROLS and not name.strip()]
    assert {role for role, _ in seen} >= CONTROLS - {"img"}
    # The mark beside the daemon's own name is decoration.
    assert not nameless
    assert [role for role, _ in seen].count("main") == 3
    assert page.evaluate("document.documentElement.lang") == "en"
    levels = page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3, h4')].map((one) => Number(one.tagName[1]))"
    )
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_all_text_can_be_read_in_light_and_dark(
    daemon: Daemon, open_window: Callable[..., Window], finished: str, dark: bool
) -> None:
    window = open_window(daemon, dark=dark)
    window.open(finished)
    window.page.get_by_role("heading", name="1 task failed").wait_for()
    window.page.locator(".card pre").get_by_text("it broke").wait_for()
    ground = (
        window.page.evaluate("getComputedStyle(document.body).backgroundColor").strip("rgb()").split(", ")
    )
    assert (int(ground[0]) < 128) is dark
    ratio, where = window.page.evaluate(CONTRAST)
    assert ratio >= 4.5, where
    window.picture("run-dark" if dark else "run-finished-light")
    window.page.get_by_role("link", name="Runs").click()
    window.page.locator(f"tr[data-run='{finished}']").wait_for()
    ratio, where = window.page.evaluate(CONTRAST)
    assert ratio >= 4.5, where
    window.picture("runs-dark" if dark else "runs-finished-light")


def test_a_narrow_window_needs_no_sideways_scrolling(window: Window, finished: str) -> None:
    window.page.set_viewport_size({"width": 390, "height": 800})
    window.open(finished)
    window.page.get_by_role("heading", name="1 task failed").wait_for()
    assert window.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    window.picture("run-narrow-light")
    window.page.get_by_role("link", name="Runs").click()
    window.page.locator(f"tr[data-run='{finished}']").wait_for()
    assert window.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    row = window.page.locator(f"tr[data-run='{finished}']").bounding_box()
    assert row is not None
    assert row["height"] < 200, "its job is squeezed"
    window.picture("runs-narrow-light")
