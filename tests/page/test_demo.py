"""`make daemon-demo LOOK=1` as a user has it: the program itself, and the page open in Chromium meanwhile."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.program import ROOT, Running
from tests.page.window import Window

pytestmark = [pytest.mark.page, pytest.mark.timeout(180)]

WATCH = """
() => {
    window.seen = {};
    const look = () => {
        for (const row of document.querySelectorAll("tr[data-run]")) {
            const state = row.querySelector(".state").textContent;
            const states = (window.seen[row.querySelector("a").textContent] ??= []);
            if (states.at(-1) !== state) states.push(state);
        }
    };
    const what = { subtree: true, childList: true, attributes: true, characterData: true };
    new MutationObserver(look).observe(document.querySelector("main"), what);
}
"""
"""Writes down each state that each run is shown in, by the id of its job."""


class Demo:
    """The demo as it runs, in a folder of its own."""

    def __init__(self, running: Running, folder: Path) -> None:
        self.running = running
        self._folder = folder

    @property
    def state(self) -> Path:
        """The state folder of its daemon."""
        (home,) = self._folder.glob("daemon-demo-*")
        return home / "state"

    def token(self, scope: str = "write") -> str:
        return (self.state / f"{scope}.token").read_text().strip()

    def lines_until(self, words: str) -> list[str]:
        """What it says up to the line that has these words."""
        lines: list[str] = []
        while not lines or words not in lines[-1]:
            line = self.running.line()
            assert line is not None, (lines, self.running.end())
            lines.append(line)
        return lines

    def press_enter(self) -> None:
        stdin = self.running.process.stdin
        assert stdin is not None
        stdin.write(b"\n")
        stdin.flush()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """The demo, which waits for somebody to look."""
    program = (sys.executable, "-m", "examples.daemon.demo")
    with Running(
        "--look",
        home=tmp_path,
        stdin=subprocess.PIPE,
        program=program,
        cwd=ROOT,
        extra={"TMPDIR": str(tmp_path)},
    ) as running:
        try:
            yield Demo(running, tmp_path)
        finally:
            if running.process.poll() is None:
                running.signal(signal.SIGINT)  # it ends its daemon
                running.process.wait(60)


def test_the_demo_s_three_runs_are_seen_live_from_the_line_to_their_ends(
    demo: Demo, open_window: Callable[..., Window]
) -> None:
    said = demo.lines_until("press Enter to hand in three jobs")
    window = open_window(demo)
    assert f"the page: {window.url.rstrip('/')} (its token is in {demo.state / 'write.token'})" in said
    window.open()
    page = window.page
    page.get_by_text("No runs yet").wait_for()
    window.picture("demo-1-empty")
    page.evaluate(WATCH)
    demo.press_enter()
    page.locator(".state").get_by_text("waiting, place 1").wait_for()
    window.until("() => document.querySelectorAll('.state[data-state=running]').length === 2")
    window.picture("demo-2-one-waits")
    window.until("() => document.querySelectorAll('.state[data-state=succeeded]').length === 3")
    window.picture("demo-3-over")
    demo.lines_until("Press Enter to end")
    seen: dict[str, list[str]] = page.evaluate("window.seen")
    assert sorted(job.partition("-")[0] for job in seen) == ["http", "inbox", "topnwords"]
    for job, states in seen.items():
        assert states[-1] == "succeeded", seen
        assert "running" in states, seen
        assert ("waiting, place 1" in states) == job.startswith("topnwords"), seen
    page.get_by_role("link", name="topnwords").click()
    page.get_by_role("heading", level=2, name="topnwords").wait_for()
    window.until("() => document.querySelectorAll('tr[data-task]').length === 3")
    window.picture("demo-4-a-run")
    page.goto("about:blank")  # or it would say, rightly, that the daemon is gone
    demo.press_enter()
    results = demo.lines_until("state, results and the log are in")
    assert len([line for line in results if line.endswith("_OUTPUT.txt")]) == 3
    assert demo.running.end()[0] == 0
