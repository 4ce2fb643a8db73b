"""Transfers of one node use its connections one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.local.batch.node import NodeProcess
from tests.conformance.local_node.conftest import Bench
from tests.conformance.local_node.storage import Storage


@pytest.fixture
async def storage() -> AsyncIterator[Storage]:
    """A server that runs and has one blob."""
    server = Storage()
    await server.start()
    server.blobs = {"a": b"one"}
    yield server
    await server.close()


@pytest.fixture
async def impatient(tmp_path: Path) -> AsyncIterator[Bench]:
    """A node that tries nothing twice."""
    node = await NodeProcess.start(tmp_path / "node", transfer_attempts=1, transfer_timeout=5)
    yield Bench(node)
    await node.close()


def down(storage: Storage, way: str = "c") -> tuple[dict[str, str], ...]:
    return ({"httpUrl": f"{storage.url}/{way}/a", "filePath": "a"},)


def up(storage: Storage, way: str = "c") -> tuple[dict[str, object], ...]:
    container = {"containerUrl": f"{storage.url}/{way}", "path": "b"}
    return ({"filePattern": "a", "destination": {"container": container}},)


async def test_all_transfers_of_a_node_share_a_connection(bench: Bench, storage: Storage) -> None:
    for task in ("one", "two", "three"):
        outcome = await bench.run("true", task=task, resource_files=down(storage), output_files=up(storage))
        assert outcome.failure is None
    assert len(storage.peers) == 6
    assert len(set(storage.peers)) == 1


async def test_one_that_its_server_ends_meanwhile_costs_no_try(impatient: Bench, storage: Storage) -> None:
    for task in ("one", "two"):
        outcome = await impatient.run(
            "true",
            task=task,
            resource_files=down(storage, "ended"),
            output_files=up(storage, "ended"),
        )
        assert outcome.failure is None
    assert storage.requests["ended"] == 3
    assert storage.blobs["b"] == b"one"


async def test_one_that_ended_before_is_not_used(impatient: Bench, storage: Storage) -> None:
    first = await impatient.run("true", task="one", resource_files=down(storage))
    assert first.failure is None
    await storage.close()
    other = Storage()
    await other.start(storage.port)
    other.blobs = {"a": b"two"}
    second = await impatient.run("true", task="two", resource_files=down(other))
    await other.close()
    assert second.failure is None
    assert (impatient.folder("two") / "wd" / "a").read_bytes() == b"two"


async def test_one_with_an_answer_that_was_not_read_is_not_used(bench: Bench, storage: Storage) -> None:
    broken = await bench.run(
        "true",
        task="one",
        resource_files=({"httpUrl": f"{storage.url}/short/x", "filePath": "a"},),
    )
    assert broken.failure is not None
    whole = await bench.run("true", task="two", resource_files=down(storage))
    assert whole.failure is None
    assert (bench.folder("two") / "wd" / "a").read_bytes() == b"one"
