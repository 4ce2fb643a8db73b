from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.daemon.daemons import Daemon, job, until
from tests.acceptance.daemon.receivers import SECRET, Receiver

CONFIG = """
webhook_hosts = ["127.0.0.1"]
webhook_networks = [{networks}]
[[webhooks]]
url = "{url}"
secret = {{ secret = "file:hook.secret" }}
events = ["RunStarted", "TaskCompleted", "RunFinished"]
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def told(tmp_path: Path, env_file: Path, receiver: Receiver) -> Iterator[Daemon]:
    """A daemon that tells the receiver."""
    with _daemon(tmp_path, env_file, receiver, networks='"127.0.0.0/8"') as running:
        yield running


def _daemon(home: Path, env_file: Path, receiver: Receiver, *, networks: str) -> Daemon:
    (home / "state").mkdir(mode=0o700)
    (home / "state/hook.secret").write_text(SECRET)
    limits = {"webhook_backoff": 0.1, "webhook_backoff_limit": 0.2, "webhook_timeout": 0.5}
    config = CONFIG.format(url=receiver.url, networks=networks)
    return Daemon(home, env_file, config, daemon_limits=limits)


def has(receiver: Receiver, run_id: str, event: str) -> Callable[[], bool]:
    return lambda: any(one["run_id"] == run_id and one["event"] == event for one in receiver.events)


def in_order(receiver: Receiver, run_id: str) -> list[str]:
    """What a receiver that knows events by their numbers was told of a run."""
    known = {one["number"]: one["event"] for one in receiver.events if one["run_id"] == run_id}
    assert list(known) == sorted(known)
    return list(known.values())


EXPECTED = ["RunStarted", "TaskSucceeded", "RunFinished"]


def test_events_are_told_signed_in_order_and_only_those_that_are_wanted(
    told: Daemon, receiver: Receiver
) -> None:
    run_id = told.submit(job("true"))
    until(has(receiver, run_id, "RunFinished"), "the end is told")
    assert in_order(receiver, run_id) == EXPECTED
    assert receiver.problems == []
    assert {one["data"]["event"] for one in receiver.events} == set(EXPECTED)


def test_a_receiver_that_fails_is_slow_or_away_is_told_later_and_harms_nobody(
    told: Daemon, receiver: Receiver
) -> None:
    receiver.status = 500
    first = told.submit(job("true"))
    assert told.ended(first)["outcome"] == "succeeded"
    receiver.pause = 1.0
    until(lambda: any("no answer within" in line["error"] for line in not_delivered(told)), "it is slow")
    receiver.stop()
    second = told.submit(job("true"))
    assert told.ended(second)["outcome"] == "succeeded"
    before = len(not_delivered(told))
    until(lambda: len(not_delivered(told)) > before + 2, "it is tried again while it is away")
    assert receiver.events == []
    receiver.status, receiver.pause = 204, 0.0
    receiver.start()
    until(has(receiver, second, "RunFinished"), "the end of the second is told")
    assert in_order(receiver, first) == EXPECTED
    assert in_order(receiver, second) == EXPECTED
    log = (told.home / "log").read_text()
    assert "hidden" not in log
    assert SECRET not in log


def test_what_was_not_confirmed_is_told_after_kill_9(told: Daemon, receiver: Receiver) -> None:
    receiver.status = 503
    run_id = told.submit(job("true"))
    until(lambda: receiver.tries, "the receiver refuses")
    told.kill()
    receiver.status = 204
    told.start()
    until(has(receiver, run_id, "RunFinished"), "the end is told")
    assert in_order(receiver, run_id) == EXPECTED
    confirmed = len(receiver.events)
    told.kill()
    told.start()
    later = told.submit(job("true"))
    until(has(receiver, later, "RunFinished"), "the end of another is told")
    assert len(receiver.events) == confirmed + len(EXPECTED)


def test_where_it_is_redirected_to_nothing_is_sent(told: Daemon, receiver: Receiver) -> None:
    receiver.status = 307
    told.submit(job("true"))
    until(lambda: any(line["error"] == "answered 307" for line in not_delivered(told)), "it is no success")
    assert receiver.events == []


def test_a_private_address_is_not_sent_to_unless_its_range_is_named(
    tmp_path: Path, env_file: Path, receiver: Receiver
) -> None:
    with _daemon(tmp_path, env_file, receiver, networks="") as daemon:
        run_id = daemon.submit(job("true"))
        until(lambda: not_delivered(daemon), "it is refused")
        assert daemon.ended(run_id)["outcome"] == "succeeded"
        assert "no public address" in not_delivered(daemon)[0]["error"]
    assert receiver.tries == 0


def not_delivered(daemon: Daemon) -> list[dict[str, str]]:
    return [line for line in daemon.said() if line["event"] == "webhook.not_delivered"]
