from __future__ import annotations

import pytest

from tests.acceptance.daemon.daemons import Daemon, job
from tests.page.window import Window

pytestmark = pytest.mark.page

SPEAKING = "for n in 1 2 3 4 5 6; do echo line $n; sleep 0.3; done"


def test_a_run_appears_in_the_list_moves_and_ends_there_without_a_reload(
    daemon: Daemon, window: Window
) -> None:
    window.open()
    run = daemon.submit(job("sleep 1", "true", id="listed-{run}"))
    row = window.page.locator(f"tr[data-run='{run}']")
    row.get_by_role("link", name="listed-").wait_for()
    row.locator(".state[data-state=running]").wait_for()
    row.get_by_text("succeeded", exact=True).wait_for()
    assert row.get_by_role("progressbar").get_attribute("aria-valuenow") == "2"
    window.picture("runs-light")


def test_a_run_is_followed_with_its_counts_failures_logs_and_outputs(daemon: Daemon, window: Window) -> None:
    commands = (SPEAKING, "echo begun; echo 'KeyError: it was not there' >&2; exit 3", "no-such-program")
    run = daemon.submit(job(*commands, id="followed-{run}"))
    window.open(run)
    page = window.page
    page.get_by_role("heading", name="2 tasks failed").wait_for()
    card = page.locator(".card[data-task='t-1']")
    card.get_by_text("KeyError: it was not there").wait_for()
    card.get_by_text("The command itself failed").wait_for()
    assert "exit code 3" in card.inner_text()
    page.locator(".card[data-task='t-2']").get_by_text("did not find the program").wait_for()
    page.locator("tr[data-task='t-0']").get_by_role("button", name="stdout of t-0").click()
    log = page.get_by_role("region", name="stdout of t-0")
    log.get_by_text("line 1").wait_for()
    # It grows while it is looked at.
    all_of_it = "".join(f"line {number}\n" for number in range(1, 7))
    window.until("(wanted) => document.querySelector('pre.log').textContent === wanted", all_of_it)
    page.get_by_text("complete", exact=True).wait_for()
    page.locator("h2 + .state").get_by_text("tasks failed").wait_for()
    assert [window.text(f"[data-tile={name}]") for name in ("Succeeded", "Failed", "Running")] == [
        "1",
        "2",
        "0",
    ]
    with page.expect_download() as download:
        page.get_by_role("link", name="t-1/stdout.txt").click()
    assert download.value.path().read_text() == "begun\n"
    window.picture("run-light")


def test_why_nothing_moves_is_shown_with_its_remedy_and_the_run_can_be_cancelled(
    daemon: Daemon, window: Window
) -> None:
    wanted = job("exit 1", "true", id="stalled-{run}", rest={"usesTaskDependencies": True})
    wanted["tasks"][1]["rest"] = {"dependsOn": {"taskIds": ["t-0"]}}
    run = daemon.submit(wanted)
    window.open(run)
    page = window.page
    page.get_by_text("Nothing moves: 1 task has not ended").wait_for()
    assert window.text(".banner .remedy")
    window.picture("run-stalled-light")
    page.get_by_role("button", name="Cancel the run").click()
    page.get_by_role("button", name="Really cancel?").click()
    page.locator("h2 + .state").get_by_text("cancelled", exact=True).wait_for()
    assert daemon.ended(run)["outcome"] == "cancelled"


def test_failed_tasks_are_done_again_as_a_new_run_that_leads_back_to_the_old_one(
    daemon: Daemon, window: Window
) -> None:
    run = daemon.submit(job("true", "exit 4", id="again-{run}"))
    daemon.ended(run)
    window.open(run)
    window.page.get_by_role("button", name="Do the failed tasks again").click()
    window.page.get_by_role("link", name=run).wait_for()
    window.page.get_by_role("heading", name="1 task failed").wait_for()
    # Only the one that failed.
    window.until("() => document.querySelectorAll('tr[data-task]').length === 1")
