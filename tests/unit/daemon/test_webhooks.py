from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.daemon.config import load_config
from orchestrator.daemon.outbound import refused_because
from orchestrator.daemon.webhook_config import networks, wanted_events
from orchestrator.daemon.webhook_delivery import body_of, first_part, matches, signed_headers
from orchestrator.errors import ConfigError
from orchestrator.journal.records import StoredEvent
from orchestrator.spec.secret import SecretText

HOOK = "[[webhooks]]\nurl = '{url}'\nsecret = {{ secret = '{secret}' }}\n{more}"


def row(number: int, *, run: str = "r-1", event: str = "TaskFailed", size: int = 2) -> StoredEvent:
    body = b"{%s}" % (b" " * (size - 2))
    return StoredEvent(number=number, run_id=run, sequence=number, event=event, body=body)


@pytest.mark.parametrize(
    ("url", "secret", "more", "told"),
    [
        ("https://b.example/x", "env:S", "", "webhooks[0].url: b.example is not in webhook_hosts"),
        ("ftp://a/x", "env:S", "", "webhooks[0].url: must be https"),
        ("https://u:p@a/x", "env:S", "", "webhooks[0].url: must not hold a password"),
        ("https://a:x/", "env:S", "", "webhooks[0].url: is no address"),
        ("https://a/x", "plain", "", "webhooks[0].secret: "),
        ("https://a/x", "env:S", "events = ['X']", "webhooks[0].events: there is no event 'X'"),
        (
            "https://a/x",
            "env:S",
            "[[webhooks]]\nurl = 'https://a/x'\nsecret = { secret = 'env:S' }",
            "webhooks[1].url: another webhook has the same",
        ),
    ],
)
def test_a_webhook_that_can_not_be_meant_is_refused_with_its_place(
    tmp_path: Path, url: str, secret: str, more: str, told: str
) -> None:
    path = tmp_path / "daemon.toml"
    path.write_text(f"webhook_hosts = ['A']\n{HOOK.format(url=url, secret=secret, more=more)}")
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    assert told in str(caught.value)


def test_a_range_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "daemon.toml"
    path.write_text("webhook_networks = ['10.0.0.1/8']")
    with pytest.raises(ConfigError, match=r"webhook_networks\[0\]"):
        load_config(path, {})


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "192.168.1.1",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
    ],
)
def test_what_is_no_public_address_is_not_sent_to_unless_its_range_is_named(address: str) -> None:
    assert refused_because(address, secure=True, allowed=()) is not None
    everything = networks(("0.0.0.0/0", "::/0"))
    assert refused_because(address, secure=False, allowed=everything) is None


def test_a_public_address_is_sent_to_by_https_only() -> None:
    assert refused_because("93.184.216.34", secure=True, allowed=()) is None
    assert refused_because("93.184.216.34", secure=False, allowed=()) is not None


def test_a_receiver_can_tell_who_sent_it_and_which_events_it_holds() -> None:
    rows = [row(7), row(9)]
    body = body_of(rows)
    headers = signed_headers(body, secret=SecretText("key"), timestamp=1234, rows=rows)
    expected = hmac.new(b"key", b"1234." + body, hashlib.sha256).hexdigest()
    assert headers["X-Orchestrator-Signature"] == f"v1={expected}"
    assert headers["X-Orchestrator-Timestamp"] == "1234"
    assert headers["X-Orchestrator-Delivery"] == "7-9"
    assert [told["number"] for told in msgspec.json.decode(body)["events"]] == [7, 9]


def test_a_class_stands_for_those_below_it_and_none_for_all() -> None:
    assert {"TaskFailed", "TaskSucceeded"} <= wanted_events(["TaskCompleted"])
    assert "RunFinished" not in wanted_events(["TaskCompleted"])
    assert wanted_events([]) == frozenset()


def test_runs_are_chosen_by_their_own_id_or_their_job_s() -> None:
    one = row(1, run="r-1")
    assert matches(one, events=(), runs=(), job_id="")
    assert matches(one, events=(), runs=("nightly-*",), job_id="nightly-7")
    assert matches(one, events=(), runs=("r-?",), job_id="")
    assert not matches(one, events=(), runs=("nightly-*",), job_id="daily")
    assert not matches(one, events=("RunFinished",), runs=(), job_id="")


@given(st.lists(st.integers(2, 400), min_size=1), st.integers(1, 5), st.integers(1, 1000))
def test_parts_are_small_and_together_everything(sizes: list[int], most: int, size: int) -> None:
    rows = [row(number, size=length) for number, length in enumerate(sizes)]
    left, sent = rows, list[StoredEvent]()
    while left:
        part = first_part(left, most=most, size=size)
        assert 1 <= len(part) <= most
        assert len(part) == 1 or sum(len(each.body) for each in part) <= size
        sent += part
        left = left[len(part) :]
    assert sent == rows
