"""Handlers of what an account can have and this one never has: packages, billed usage, extensions.

Sources of facts: recorded (the names of the lists); the REST page "Batch Status and Error Codes". The code of
a missing extension is a guess.
"""

from __future__ import annotations

from orchestrator.local.batch.account import Account
from orchestrator.local.batch.errors import application_not_found
from orchestrator.local.wire.api_error import resource_not_found
from orchestrator.local.wire.call import Call, Reply, listing
from orchestrator.local.wire.paging import page_size


def _nothing(call: Call, metadata: str) -> Reply:
    page_size(call.query.get("maxresults"))
    return listing(call, metadata, [])


async def list_applications(_account: Account, call: Call) -> Reply:
    """GET /applications: packages are refused, so none is there."""
    return _nothing(call, "listapplicationsummariesresponses")


async def get_application(_account: Account, _call: Call) -> Reply:
    """GET /applications/{applicationId}."""
    raise application_not_found()


async def list_usage_metrics(_account: Account, call: Call) -> Reply:
    """GET /poolusagemetrics: nothing is billed here."""
    return _nothing(call, "poolusagemetrics")


async def list_extensions(account: Account, call: Call) -> Reply:
    """GET /pools/{poolId}/nodes/{nodeId}/extensions: extensions are refused, so none is there."""
    account.machine(call.parameters["poolId"], call.parameters["nodeId"])
    return _nothing(call, "extensions")


async def get_extension(account: Account, call: Call) -> Reply:
    """GET /pools/{poolId}/nodes/{nodeId}/extensions/{extensionName}."""
    account.machine(call.parameters["poolId"], call.parameters["nodeId"])
    raise resource_not_found()
