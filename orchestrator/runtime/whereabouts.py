"""Whether a run that is to be taken up lives where the account is, or on another service.

A local service is called `local` whichever it is, and a run that is looked for on the wrong one seems to have
lost its job: it would be closed, and what it holds where it lives would be forgotten.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import anyio

from orchestrator.accounts.account import Account
from orchestrator.accounts.settings import is_loopback
from orchestrator.errors import ConfigError, NotFoundError
from orchestrator.journal import RunRecord
from orchestrator.limits import Limits
from orchestrator.runtime.embedded import reach
from orchestrator.spec.marks import RUN_KEY


async def refuse_elsewhere(record: RunRecord, account: Account, limits: Limits) -> None:
    """Make sure that a run may be taken up here.

    It may where it was begun, where its own job is (a local service that was started again has other ports),
    and anywhere once the local service that it was begun on is no more.

    Args:
        record: of the run.
        account: where it would be taken up.
        limits: for `operation_timeout`.

    Raises:
        ConfigError: it lives elsewhere; both endpoints are named.
        ServiceError, UnreachableError: the account refused or did not answer.
    """
    there = record.endpoint
    if not there or same_endpoint(there, account.endpoint) or await _has_its_job(record, account):
        return
    if not is_loopback(there):
        way = f"name that endpoint in AZURE_BATCH_ENDPOINT and `orchestrator resume {record.run_id}`"
    elif await _answers(there, limits):
        way = (
            f"name that service (--env-file, or its settings in the environment) and `orchestrator resume "
            f"{record.run_id}`, or, if it is no local service that listens there now, end it"
        )
    else:
        return
    raise ConfigError(
        f"it was begun at {there}, and this is {account.endpoint}, where its job is not: {way}",
        where=f"run {record.run_id}",
    )


def same_endpoint(one: str, other: str) -> bool:
    """Whether two addresses are of one service, however they are written. Pure.

    Args:
        one: with its scheme.
        other: with its scheme.
    """
    return _place(one) == _place(other)


def _place(endpoint: str) -> tuple[str, int]:
    parts = urlsplit(endpoint)
    host = "localhost" if is_loopback(endpoint) else (parts.hostname or "").rstrip(".")
    return host, parts.port or (443 if parts.scheme == "https" else 80)


async def _has_its_job(record: RunRecord, account: Account) -> bool:
    try:
        found = await account.batch.get_job(record.job_id)
    except NotFoundError:
        return False
    return dict(found.metadata).get(RUN_KEY) == record.run_id


async def _answers(endpoint: str, limits: Limits) -> bool:
    try:
        with anyio.fail_after(limits.operation_timeout):
            await reach(endpoint)
    except TimeoutError:
        return True  # nobody has said that there is nothing
    except OSError:
        return False
    return True
