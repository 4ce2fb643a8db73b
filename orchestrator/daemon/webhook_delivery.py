"""What a webhook's receiver is sent, and how it can tell who sent it. Pure."""

from __future__ import annotations

import fnmatch
import hashlib
import hmac
from collections.abc import Collection, Sequence

import msgspec

from orchestrator.journal.records import StoredEvent
from orchestrator.spec.secret import SecretText

SIGNATURE = "X-Orchestrator-Signature"
TIMESTAMP = "X-Orchestrator-Timestamp"
DELIVERY = "X-Orchestrator-Delivery"


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    run_id: str
    event: str
    data: msgspec.Raw


def body_of(rows: Sequence[StoredEvent]) -> bytes:
    """Events as the receiver gets them: `{"events": [{"number", "run_id", "event", "data"}]}`.

    Args:
        rows: of the journal.
    """
    told = [
        _Told(number=row.number, run_id=row.run_id, event=row.event, data=msgspec.Raw(row.body))
        for row in rows
    ]
    return msgspec.json.encode({"events": told})


def signed_headers(
    body: bytes, *, secret: SecretText, timestamp: int, rows: Sequence[StoredEvent]
) -> dict[str, str]:
    """What goes with a body: when it was sent, which events it holds, and the proof that it is ours.

    Args:
        body: as it is sent.
        secret: shared with the receiver.
        timestamp: seconds since 1970; signed too, so that an old delivery can't be sent again later.
        rows: what the body holds.
    """
    return {
        "Content-Type": "application/json",
        TIMESTAMP: str(timestamp),
        DELIVERY: f"{rows[0].number}-{rows[-1].number}",
        SIGNATURE: f"v1={signature(body, secret=secret, timestamp=timestamp)}",
    }


def signature(body: bytes, *, secret: SecretText, timestamp: int) -> str:
    """HMAC-SHA256 of the timestamp, a dot and the body, in hexadecimal digits."""
    return hmac.new(secret.reveal().encode(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()


def matches(row: StoredEvent, *, events: Collection[str], runs: Collection[str], job_id: str) -> bool:
    """Whether a webhook wants an event.

    Args:
        row: the event.
        events: names of classes; empty for all.
        runs: patterns; empty for all.
        job_id: of the event's run; empty where it is not known.
    """
    if events and row.event not in events:
        return False
    names = (row.run_id, job_id)
    return not runs or any(fnmatch.fnmatchcase(name, pattern) for pattern in runs for name in names)


def first_part(rows: Sequence[StoredEvent], *, most: int, size: int) -> Sequence[StoredEvent]:
    """As many events as one delivery may have; one at least.

    Args:
        rows: in order, not empty.
        most: events.
        size: bytes of their bodies together.
    """
    taken, total = 0, 0
    for row in rows[:most]:
        total += len(row.body)
        if taken and total > size:
            break
        taken += 1
    return rows[:taken]
