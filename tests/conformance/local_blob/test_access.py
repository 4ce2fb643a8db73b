"""Who has no key gets nothing: no forged delegation, no page in a browser, nobody beyond loopback."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import aiohttp
import pytest
from azure.storage.blob import UserDelegationKey, generate_container_sas
from azure.storage.blob.aio import BlobServiceClient

from orchestrator.local.blob.endpoint import BlobEndpoint
from tests.conformance.waiting import listeners

PRINTED_SEED: Final = b"azurite-user-delegation-signing-seed-v1"
VERSION: Final = "2026-02-06"


def own_seed(account_key: str) -> bytes:
    accounts = f"local:{account_key}".encode()
    return hmac.new(accounts, b"user delegation", hashlib.sha256).hexdigest().encode()


def delegated(seed: bytes) -> str:
    """A container's SAS as a user delegation key signs it that was made with a seed."""
    now = datetime.now(UTC)
    key: Any = UserDelegationKey()  # type: ignore[no-untyped-call]  # its constructor has no annotations
    key.signed_oid, key.signed_tid = "someone", "somewhere"
    key.signed_start = (now - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    key.signed_expiry = (now + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    key.signed_service, key.signed_version = "b", VERSION
    signed = "\n".join(
        (key.signed_oid, key.signed_tid, key.signed_start, key.signed_expiry, "b", key.signed_version)
    )
    key.value = base64.b64encode(hmac.new(seed, signed.encode(), hashlib.sha256).digest()).decode()
    expiry = now + timedelta(hours=1)
    return generate_container_sas("local", "box", user_delegation_key=key, permission="rl", expiry=expiry)


@pytest.mark.parametrize(("printed", "status"), [(True, 403), (False, 200)])
async def test_a_delegation_that_anybody_could_sign_opens_nothing(
    endpoint: BlobEndpoint, account_key: str, *, printed: bool, status: int
) -> None:
    """The second case shows that the first is refused for its seed."""
    async with BlobServiceClient.from_connection_string(endpoint.connection_string) as service:
        await service.create_container("box")
    sas = delegated(PRINTED_SEED if printed else own_seed(account_key))
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{endpoint.url}/box?restype=container&comp=list&{sas}") as answer,
    ):
        assert answer.status == status


@pytest.mark.parametrize("method", ["OPTIONS", "GET", "PUT"])
async def test_a_page_in_a_browser_is_told_nothing(endpoint: BlobEndpoint, method: str) -> None:
    asked = {"Origin": "http://127.0.0.1:1", "Access-Control-Request-Method": "PUT"}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{endpoint.url}/box/blob", headers=asked) as answer,
    ):
        assert answer.status >= 400
        assert [name for name in answer.headers if name.lower().startswith("access-control-")] == []


async def test_nothing_of_it_listens_beyond_loopback(endpoint: BlobEndpoint) -> None:
    found = listeners(os.getpid())
    assert endpoint.port in {port for _, port in found}
    assert {address for address, _ in found} == {"127.0.0.1"}
