"""`requests_per_second` against the local service: all callers of one account share one budget."""

from __future__ import annotations

import anyio
import pytest

from orchestrator.accounts import Account, settings_from_environment
from orchestrator.errors import NotFoundError
from orchestrator.limits import Limits
from orchestrator.local import LocalService

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_requests_of_all_kinds_keep_to_one_rate_and_time_in_the_queue_is_no_time_out(
    service: LocalService,
) -> None:
    limits = Limits(requests_per_second=20, operation_timeout=1.0)
    account = Account(settings_from_environment(service.settings.as_environment()), limits)
    await account.open()
    try:
        began = anyio.current_time()
        async with anyio.create_task_group() as group:
            for number in range(60):
                group.start_soon(_look, account, number)
        took = anyio.current_time() - began
        sent = account.batch.rate.requests
    finally:
        await account.close()
    # A second's worth at once, and two seconds for the other forty, which is longer than a call may take.
    assert sent == 60
    assert took >= 1.9


async def _look(account: Account, number: int) -> None:
    look = account.batch.get_job if number % 2 else account.batch.get_pool
    with pytest.raises(NotFoundError):
        await look("there-is-none")
