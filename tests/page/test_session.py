from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.acceptance.daemon.daemons import Daemon, job
from tests.page.window import Window

pytestmark = pytest.mark.page


def test_a_wrong_token_is_refused_in_words_and_a_right_one_gives_a_cookie_that_scripts_cannot_read(
    window: Window,
) -> None:
    page = window.page
    page.goto(window.url)
    page.get_by_label("Token").fill("not-the-token-at-all")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("alert").filter(has_text="not one of the daemon's tokens").wait_for()
    # The browser says so too.
    assert [text.split(":")[0] for text in window.complaints] == ["error"]
    window.complaints.clear()
    page.get_by_label("Token").fill(window.daemon.token())
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Runs").wait_for()
    (cookie,) = page.context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert page.evaluate("document.cookie") == ""
    stored = page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}]) + document.body.innerHTML"
    )
    assert window.daemon.token() not in stored


def test_logging_out_ends_the_session_and_a_reload_does_not(window: Window) -> None:
    window.open()
    window.page.reload()
    window.page.get_by_role("heading", name="Runs").wait_for()
    window.page.get_by_role("button", name="Log out").click()
    window.page.get_by_label("Token").wait_for()
    assert window.page.context.cookies() == []
    window.page.reload()
    window.page.get_by_label("Token").wait_for()


def test_who_may_only_read_is_told_so_and_offered_nothing_to_do(daemon: Daemon, window: Window) -> None:
    run = daemon.submit(job("exit 1"))
    daemon.ended(run)
    window.open(run, scope="read")
    window.page.get_by_text("read only", exact=True).wait_for()
    window.page.get_by_role("heading", name="1 task failed").wait_for()
    assert not window.page.get_by_role("button", name="Do the failed tasks again").is_visible()


def test_a_session_acts_only_for_the_daemons_own_page(
    daemon: Daemon, window: Window, open_window: Callable[..., Window]
) -> None:
    window.open()
    (cookie,) = window.page.context.cookies()
    run = daemon.submit(job("true"))
    path = f"/v1/runs/{run}/cancel"

    def status(**headers: str) -> int:
        session = {"Cookie": f"{cookie['name']}={cookie['value']}", **headers}
        return daemon.ask("POST", path, {}, token=None, headers=session)[0]

    assert status() == 401  # whoever made the browser send it did not say who they are
    assert status(Origin="http://127.0.0.1:1") == 403
    assert status(Origin=window.url.rstrip("/")) == 202
    forged = cookie["value"].replace("write", "read")
    headers = {"Cookie": f"{cookie['name']}={forged}"}
    assert daemon.ask("GET", "/v1/runs", token=None, headers=headers)[0] == 401
    daemon.ended(run)
