from __future__ import annotations

import pytest

from tests.acceptance.daemon.daemons import Daemon, job
from tests.page.window import Window

pytestmark = pytest.mark.page

# Markup, a terminal's escape, a change of direction. Azurite can't list a name with an escape in it.
WRITE = r"""
printf '<script>window.stolen = 1</script><img src=x onerror="window.stolen=2">' >&2
printf '\033[31mred\342\200\256txt\r\n' >&2
printf x > '<img src=x onerror=window.stolen=3>.txt'
printf y > "$(printf 'b\342\200\256c.txt')"
printf z > 'per%cent ?q#h&amp; "quoted".txt'
exit 1
"""


def test_what_tasks_write_and_call_their_files_is_shown_and_never_obeyed(
    daemon: Daemon, window: Window
) -> None:
    wanted = job(WRITE, id="hostile-{run}")
    wanted["tasks"][0]["output_files"] = ["*.txt"]
    run = daemon.submit(wanted)
    daemon.ended(run)
    window.open(run)
    page = window.page
    page.locator(".card pre").get_by_text(r"\u{1b}[31mred\u{202e}txt").wait_for()
    page.get_by_role("link", name="t-0/<img src=x onerror=window.stolen=3>.txt").wait_for()
    page.get_by_role("link", name=r"t-0/b\u{202e}c.txt").wait_for()
    page.get_by_role("button", name="stderr of t-0").first.click()
    page.locator("pre.log").get_by_text("<script>window.stolen = 1</script>").wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="per%cent").click()
    assert download.value.path().read_text() == "z"
    assert page.evaluate("window.stolen === undefined")
    assert page.locator("main img, main script").count() == 0
    assert page.evaluate(
        "!/[\\u0000-\\u0008\\u000b-\\u001f\\u202a-\\u202e]/.test(document.documentElement.outerHTML)"
    )
    window.picture("hostile-light")


def test_the_pages_policy_lets_nothing_in_from_elsewhere_and_no_inline_script(window: Window) -> None:
    answer = window.page.goto(window.url)
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    window.page.evaluate(
        "() => { const bad = document.createElement('script'); bad.textContent = 'window.stolen = 4';"
        " document.body.append(bad); }"
    )
    window.until("() => window.violations.length === 1")
    assert window.page.evaluate("window.stolen === undefined")
    window.page.evaluate("window.violations = []")
    window.complaints.clear()
