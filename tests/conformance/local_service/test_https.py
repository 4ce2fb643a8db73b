"""Both endpoints over https, with an authority of their own: clients, tasks and transfers."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest
from azure.batch.aio import BatchClient
from azure.batch.models import (
    BatchJobCreateOptions,
    BatchPoolCreateOptions,
    BatchPoolInfo,
    BatchTaskCreateOptions,
    BatchVmImageReference,
    OutputFile,
    OutputFileBlobContainerDestination,
    OutputFileDestination,
    OutputFileUploadConfiguration,
    ResourceFile,
    VirtualMachineConfiguration,
)
from azure.core.credentials import AccessToken, AzureNamedKeyCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError
from azure.storage.blob import generate_container_sas
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from orchestrator.local import LocalService, LocalSettings
from orchestrator.local.wire import times
from orchestrator.local.wire.bearer import BearerTokens

PYTHON = """python3 -c '
import os, ssl, urllib.request, urllib.error
try:
    urllib.request.urlopen(os.environ["AZ_BATCH_ACCOUNT_URL"] + "jobs")
except urllib.error.HTTPError as refusal:
    print(refusal.code)
'"""


class Token:
    """A credential as an application of its own would write it; see docs/local-service.md."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        assert scopes == ("https://batch.core.windows.net//.default",)
        return AccessToken(self._token, int(datetime.now(UTC).timestamp()) + 3600)

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("https")


@pytest.fixture
async def settings(state: Path) -> AsyncIterator[LocalSettings]:
    """Of a service that speaks https."""
    async with LocalService(state_dir=state, tls=True) as service:
        yield service.settings


def batch_client(settings: LocalSettings, credential: Any = None) -> BatchClient:
    key = AzureNamedKeyCredential(settings.account_name, settings.batch_key)
    return BatchClient(
        settings.batch_endpoint, credential or key, connection_verify=str(settings.ca_file), retry_total=0
    )


def token(settings: LocalSettings, *, seconds: int = 3600) -> str:
    return BearerTokens(settings.batch_key).make(at=times.now(), seconds=seconds)


async def completed(batch: BatchClient, task: str) -> Any:
    async with asyncio.timeout(30):
        while (found := await batch.get_task("job", task)).state != "completed":  # noqa: ASYNC110  # it can't be waited for
            await asyncio.sleep(0.05)
    return found


async def text(read: Callable[..., Awaitable[AsyncIterator[bytes]]], *name: str) -> str:
    return b"".join([piece async for piece in await read(*name)]).decode()


async def test_a_task_with_inputs_and_outputs_runs_over_https(settings: LocalSettings) -> None:
    assert urlsplit(settings.batch_endpoint).scheme == urlsplit(settings.blob_endpoint).scheme == "https"
    image = BatchVmImageReference(publisher="canonical", offer="ubuntu-24_04-lts", sku="server")
    machine = VirtualMachineConfiguration(image_reference=image, node_agent_sku_id="batch.node.ubuntu 24.04")
    storage = BlobServiceClient.from_connection_string(
        settings.storage_connection_string, connection_verify=str(settings.ca_file)
    )
    async with batch_client(settings) as batch, storage:
        box = await storage.create_container("box")
        await box.upload_blob("in.txt", b"over https\n")
        sas = generate_container_sas(
            settings.account_name,
            "box",
            account_key=storage.credential.account_key,
            permission="rwl",
            expiry=datetime.now(UTC) + timedelta(hours=1),
        )
        await batch.create_pool(
            BatchPoolCreateOptions(
                id="pool",
                vm_size="standard_d2s_v3",
                target_dedicated_nodes=1,
                virtual_machine_configuration=machine,
            )
        )
        await batch.create_job(BatchJobCreateOptions(id="job", pool_info=BatchPoolInfo(pool_id="pool")))
        container = OutputFileBlobContainerDestination(container_url=f"{box.url}?{sas}")
        await batch.create_task(
            "job",
            BatchTaskCreateOptions(
                id="copy",
                command_line="sh -c 'cp in.txt out.txt'",
                resource_files=[ResourceFile(http_url=f"{box.url}/in.txt?{sas}", file_path="in.txt")],
                output_files=[
                    OutputFile(
                        file_pattern="out.txt",
                        destination=OutputFileDestination(container=container),
                        upload_options=OutputFileUploadConfiguration(upload_condition="tasksuccess"),
                    )
                ],
            ),
        )
        await batch.create_task("job", BatchTaskCreateOptions(id="ask", command_line=PYTHON))
        assert (await completed(batch, "copy")).execution_info.result == "success"
        assert await (await box.download_blob("out.txt")).readall() == b"over https\n"
        await completed(batch, "ask")
        # Refused for want of a signature, so the certificate was trusted.
        assert await text(batch.download_task_file, "job", "ask", "stdout.txt") == "403\n"


async def test_who_does_not_know_the_authority_does_not_trust_it(settings: LocalSettings) -> None:
    key = AzureNamedKeyCredential(settings.account_name, settings.batch_key)
    async with BatchClient(settings.batch_endpoint, key, retry_total=0) as batch:
        with pytest.raises(ServiceRequestError, match="certificate verify failed"):
            await batch.get_pool("p")


async def test_the_same_authority_comes_back_with_the_state_directory(state: Path) -> None:
    found = set()
    for _ in range(2):
        async with LocalService(state_dir=state, tls=True) as service:
            assert service.settings.ca_file is not None
            found.add(service.settings.ca_file.read_bytes())
    assert len(found) == 1


async def test_blobs_answer_under_the_accounts_own_name(settings: LocalSettings) -> None:
    port = urlsplit(settings.blob_endpoint).port or 0
    context = ssl.create_default_context(cafile=settings.ca_file)
    name = f"{settings.account_name}.blob.core.localhost"
    raw = socket.create_connection(("127.0.0.1", port), timeout=5)
    with raw, await asyncio.to_thread(context.wrap_socket, raw, server_hostname=name) as secure:
        assert secure.version() in {"TLSv1.2", "TLSv1.3"}


async def test_a_token_opens_the_batch_endpoint(settings: LocalSettings) -> None:
    async with batch_client(settings, Token(token(settings))) as batch:
        assert [pool.id async for pool in batch.list_pools() if pool.id == "none"] == []


@pytest.mark.parametrize("what", ["expired", "tampered", "another key's", "unsigned"])
async def test_any_other_token_is_401(settings: LocalSettings, what: str) -> None:
    good = token(settings)
    bad = {
        "expired": token(settings, seconds=-1),
        "tampered": good[:-8] + ("AAAAAAAA" if not good.endswith("AAAAAAAA") else "BBBBBBBB"),
        "another key's": BearerTokens("b3RoZXI=").make(at=times.now(), seconds=60),
        "unsigned": good.rpartition(".")[0] + ".",
    }[what]
    async with batch_client(settings, Token(bad)) as batch:
        with pytest.raises(ClientAuthenticationError) as refusal:
            await batch.get_pool("p")
    assert refusal.value.status_code == 401
    answer: Any = refusal.value.response
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert bad not in str(refusal.value)


class StorageToken(Token):
    """What nobody signed: a client that wants to be let in writes it itself."""

    async def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken(self._token, int(datetime.now(UTC).timestamp()) + 3600)


def unsigned_token() -> str:
    from tests.unit.local.wire.test_bearer import encoded  # noqa: PLC0415

    now = int(datetime.now(UTC).timestamp())
    claims = {
        "aud": "https://storage.azure.com",
        "iss": "https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/",
        "nbf": now - 60,
        "iat": now - 60,
        "exp": now + 3600,
        "oid": "11059fcc-5514-4800-b5f8-49808b9cfab6",
        "tid": "ab1f708d-50f6-404c-a006-d71b2ac7a606",
    }
    return f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{encoded(claims)}.x"


async def test_no_token_opens_blobs_unless_that_is_asked_for(settings: LocalSettings) -> None:
    storage = BlobServiceClient(
        settings.blob_endpoint,
        StorageToken(unsigned_token()),
        connection_verify=str(settings.ca_file),
        retry_total=0,
    )
    async with storage:
        with pytest.raises(HttpResponseError):
            await storage.create_container("taken")


async def test_with_blob_oauth_a_user_delegation_opens_a_container(tmp_path: Path) -> None:
    async with LocalService(state_dir=tmp_path, tls=True, blob_oauth=True) as service:
        settings = service.settings
        storage = BlobServiceClient(
            settings.blob_endpoint, StorageToken(unsigned_token()), connection_verify=str(settings.ca_file)
        )
        async with storage:
            now = datetime.now(UTC)
            key = await storage.get_user_delegation_key(now, now + timedelta(hours=1))
            box = await storage.create_container("box")
            await box.upload_blob("a", b"content")
            sas = generate_container_sas(
                settings.account_name,
                "box",
                user_delegation_key=key,
                permission="r",
                expiry=now + timedelta(hours=1),
            )
            url = f"{box.url}?{sas}"
        async with ContainerClient.from_container_url(url, connection_verify=str(settings.ca_file)) as reader:
            assert await (await reader.download_blob("a")).readall() == b"content"


def test_blob_oauth_without_https_is_refused() -> None:
    with pytest.raises(ValueError, match="https"):
        LocalService(blob_oauth=True)
