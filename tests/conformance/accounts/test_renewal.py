"""Keeping addresses open while storage misbehaves: tried again, told in time, and over when it is over."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest
from structlog.testing import capture_logs

from orchestrator.accounts import Account
from orchestrator.accounts.access import Access
from orchestrator.errors import ServiceError
from orchestrator.events import AccessExtensionFailed, Event
from orchestrator.limits import Limits
from orchestrator.stages.renewal import AccessRenewal, Opened, worth_telling
from tests.conformance.accounts.batch_stub import Reply
from tests.conformance.accounts.storage_stub import StorageStub, refusal
from tests.conformance.waiting import until

_LIMITS = Limits(attempts=1, backoff=0.01, backoff_limit=0.02, access_check_interval=0.02)
_NONE = Reply(200, b"<?xml version='1.0'?><SignedIdentifiers/>", {"Content-Type": "application/xml"})


@pytest.fixture
async def stub() -> AsyncIterator[StorageStub]:
    served = StorageStub()
    await served.start()
    yield served
    await served.stop()


class Kept:
    """The renewal of one container, with what it tells."""

    def __init__(self, account: Account, *, lifetime: float) -> None:
        self.told: list[Event] = []
        self.renewal = AccessRenewal(
            run_id="r",
            storage=account.storage,
            publish=self._publish,
            limits=_LIMITS,
            containers={"box": Opened(access=Access.READ, lifetime=lifetime)},
        )

    async def _publish(self, *events: Event) -> None:
        self.told.extend(events)


@pytest.fixture
async def account(stub: StorageStub) -> AsyncIterator[Account]:
    opened = Account(stub.storage_settings, _LIMITS)
    await opened.open()
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    ("left", "told"), [(None, True), (-5.0, True), (24.9, True), (25.0, False), (90.0, False)]
)
def test_a_failed_extension_is_a_danger_once_a_quarter_is_left(left: float | None, told: bool) -> None:
    assert worth_telling(left, 100.0) is told


async def test_a_container_that_can_not_be_opened_is_an_error_before_anything_counts_on_it(
    stub: StorageStub, account: Account
) -> None:
    stub.says(refusal(403, "AuthorizationFailure"))
    with pytest.raises(ServiceError, match="set access of container box was refused"):
        await Kept(account, lifetime=100).renewal.open()


async def test_a_failing_extension_is_tried_again_told_once_and_named_as_a_reason_until_it_succeeds(
    stub: StorageStub, account: Account
) -> None:
    kept = Kept(account, lifetime=100)
    stub.says(refusal(500, "InternalError"))
    with capture_logs() as lines:
        async with anyio.create_task_group() as group:
            group.start_soon(kept.renewal.run)
            await until(lambda: len(stub.seen) >= 3, "three tries")
            (reason,) = kept.renewal.reasons()
            stub.says(Reply(200), _NONE, Reply(200))
            await until(lambda: not kept.renewal.reasons(), "an extension")
            group.cancel_scope.cancel()
    assert "container box were never seen to work" in reason
    (event,) = kept.told
    assert isinstance(event, AccessExtensionFailed)
    assert (event.container, event.expiry) == ("box", None)
    assert "InternalError" in event.reason
    named = [line["event"] for line in lines if line["event"].startswith("access.")]
    assert named.count("access.not_extended") >= 3
    assert named[-1] == "access.extended_again"


async def test_a_failure_long_before_the_end_is_logged_but_no_event(
    stub: StorageStub, account: Account
) -> None:
    kept = Kept(account, lifetime=100)
    stub.says(Reply(200), _NONE, Reply(200), refusal(500, "InternalError"))
    await kept.renewal.open()
    async with anyio.create_task_group() as group:
        group.start_soon(kept.renewal.run)
        await until(kept.renewal.reasons, "a failure")
        group.cancel_scope.cancel()
    assert kept.told == []
    assert "work for 100 s more" in kept.renewal.reasons()[0]


async def test_what_somebody_else_changes_between_the_look_and_the_setting_is_looked_at_again(
    stub: StorageStub, account: Account
) -> None:
    taken = refusal(412, "ConditionNotMet")
    stub.says(Reply(200), _NONE, taken, Reply(200), _NONE, Reply(200))
    limits = Limits(attempts=2, backoff=0.01, backoff_limit=0.02)
    patient = Account(stub.storage_settings, limits)
    await patient.open()
    try:
        grant = await patient.storage.keep_open("box", Access.READ, lifetime=100, least=50)
    finally:
        await patient.close()
    assert grant is not None
    assert len(stub.seen) == 6
