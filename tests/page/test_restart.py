from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.daemon.daemons import job
from tests.page.conftest import make_daemon
from tests.page.window import Window

pytestmark = pytest.mark.page

_SPEAKING = "for n in $(seq 40); do echo line $n; sleep 0.2; done"


def test_the_page_goes_on_when_the_daemon_was_killed_in_the_middle(
    tmp_path: Path, env_file: Path, open_window: Callable[..., Window]
) -> None:
    with make_daemon(tmp_path, env_file) as daemon:
        window = open_window(daemon)
        page = window.page
        run = daemon.submit(job(_SPEAKING, "true", id="killed-{run}"))
        window.open(run)
        page.locator("tr[data-task='t-1']").get_by_text("succeeded").wait_for()
        page.get_by_role("button", name="stdout of t-0").click()
        page.get_by_role("region", name="stdout of t-0").get_by_text("line 3").wait_for()
        (cookie,) = page.context.cookies()
        daemon.kill()
        page.get_by_text("connection lost, trying again").first.wait_for()
        daemon.start()
        page.locator("header").get_by_text("live", exact=True).wait_for()
        page.locator("h2 + .state").get_by_text("succeeded").wait_for()
        page.get_by_text("complete", exact=True).wait_for()
        # Each line once, and each task counted once, though both were told again.
        lines = window.text("pre.log").split("\n")
        assert [line for line in lines if line] == [f"line {number}" for number in range(1, 41)]
        assert window.text("[data-tile=Succeeded]") == "2"
        assert page.context.cookies() == [cookie]
        # The browser itself says that nobody answered.
        assert all("net::ERR" in complaint for complaint in window.complaints), window.complaints
        window.complaints.clear()
        page.get_by_role("button", name="Log out").click()
        page.get_by_label("Token").wait_for()
