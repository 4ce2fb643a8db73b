"""Runs the stub beside a measurement."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp

from orchestrator.accounts import AccountSettings
from orchestrator.spec.secret import SecretText

KEY = "a2V5IG9mIHRoZSBiZW5jaA=="


@contextmanager
def stub(*, delay: float = 0.0, faults: float = 0.0) -> Iterator[str]:
    """A running stub; gives its address."""
    command = [sys.executable, "-m", "tests.bench.stub", f"--delay={delay}", f"--faults={faults}"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        process.wait(30)


def settings(address: str) -> AccountSettings:
    """What reaches it; there is no storage."""
    blobs = f"AccountName=acc;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:1/acc"
    return AccountSettings(
        batch_account="acc",
        batch_endpoint=address,
        batch_key=SecretText(KEY),
        storage_connection_string=SecretText(blobs),
    )


async def reset(address: str) -> None:
    """Let it forget what it saw."""
    async with aiohttp.ClientSession() as session, session.post(f"{address}/bench/reset"):
        pass


async def stats(address: str) -> dict[str, Any]:
    """What it saw."""
    async with aiohttp.ClientSession() as session, session.get(f"{address}/bench/stats") as answer:
        told: dict[str, Any] = await answer.json()
        return told
