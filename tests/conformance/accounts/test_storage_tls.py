"""Blobs over https to a local service: its own authority is trusted where the settings name it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from orchestrator.accounts import Account, settings_from_environment
from orchestrator.errors import UnreachableError
from orchestrator.limits import Limits
from orchestrator.local import LocalService

_LIMITS = Limits(attempts=2, backoff=0.01, backoff_limit=0.02)


async def test_a_blob_goes_and_comes_over_https_of_a_known_authority(tmp_path: Path) -> None:
    async with LocalService(state_dir=tmp_path, tls=True) as service:
        settings = settings_from_environment(service.settings.as_environment())
        assert settings.local_ca_file is not None
        account = Account(settings, _LIMITS)
        await account.open()
        await account.storage.create_container("c-tls")
        await account.storage.upload_bytes("c-tls", "b", b"content")
        arrived: list[bytes] = []

        async def take(piece: bytes | memoryview) -> None:
            arrived.append(bytes(piece))

        await account.storage.download("c-tls", "b").bring(take)
        assert arrived == [b"content"]
        assert [blob.name async for blob in account.storage.list_blobs("c-tls")] == ["b"]
        await account.close()
        stranger = Account(msgspec.structs.replace(settings, local_ca_file=None), _LIMITS)
        await stranger.open()
        with pytest.raises(UnreachableError):
            await stranger.storage.upload_bytes("c-tls", "b", b"content")
        await stranger.close()
