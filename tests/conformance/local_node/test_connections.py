"""Transfers of one node use its connections one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from orchestrator.local.batch.node import NodeProcess
from orchestrator.local.node_agent.block_blobs import SMALL
from tests.conformance.local_node.conftest import Bench, code
from tests.conformance.local_node.storage import Storage
from tests.conformance.waiting import until


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


def each_to(storage: Storage, ways: Mapping[str, str]) -> tuple[dict[str, object], ...]:
    """An output file for each name, which goes that way."""
    return tuple(
        {
            "filePattern": name,
            "destination": {"container": {"containerUrl": f"{storage.url}/{way}", "path": name}},
        }
        for name, way in ways.items()
    )


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


async def test_small_output_files_are_under_way_together(impatient: Bench, storage: Storage) -> None:
    for task in ("one", "two"):
        outcome = await impatient.run(
            f"sh -c 'for name in x y z; do echo {task} > $name; done'",
            task=task,
            output_files=each_to(storage, dict.fromkeys("xyz", "together/3")),
        )
        assert outcome.failure is None
        assert [storage.blobs[name] for name in "xyz"] == [f"{task}\n".encode()] * 3
    assert storage.requests["together"] == 6
    assert len(set(storage.peers)) == 3, "kept for the next task"


@pytest.mark.parametrize("way", ["status/403", "slow", "flaky/1"])
async def test_trouble_with_one_of_them_is_its_own(bench: Bench, storage: Storage, way: str) -> None:
    names = [f"f{number:02}" for number in range(20)]
    ways = {name: way if name == "f03" else "c" for name in names}
    outcome = await bench.run(
        f"sh -c 'for name in {' '.join(names)}; do echo $name > $name; done'",
        output_files=each_to(storage, ways),
    )
    assert code(outcome) == {"status/403": "FileUploadAccessDenied", "slow": "FileUploadTimedOut"}.get(way)
    there = {name for name in names if name != "f03" or way == "flaky/1"}
    assert {name: storage.blobs[name] for name in there} == {name: f"{name}\n".encode() for name in there}
    if way != "slow":
        assert {storage.requests[name] for name in names if name != "f03"} == {1}, "what is there stays"
    again = await bench.run("true", task="two", resource_files=down(storage))
    assert again.failure is None
    assert (bench.folder("two") / "wd" / "a").read_bytes() == b"one", "no late answer was taken for another"


@pytest.mark.parametrize(
    "url", ["http://[x/c?sig=SECRET", "http://a..b/c?sig=SECRET", "ftp://x/c?sig=SECRET"]
)
async def test_an_address_that_is_none_fails_its_own_file_alone(
    bench: Bench, storage: Storage, url: str
) -> None:
    wrong = {"filePattern": "x", "destination": {"container": {"containerUrl": url, "path": "x"}}}
    files = (wrong, *each_to(storage, dict.fromkeys("yz", "c")))
    outcome = await bench.run("touch x y z", output_files=files)
    assert code(outcome) == "FileUploadMiscError"
    assert set(storage.blobs) >= {"y", "z"}
    told = bench.text("fileuploaderr.txt")
    assert told.count("\n") == 1
    assert "SECRET" not in told + bench.text("fileuploadout.txt") + str(outcome.failure)


async def test_a_header_that_cannot_be_sent_fails_its_own_file_alone(bench: Bench, storage: Storage) -> None:
    headers = [{"name": "x-ms-meta-a", "value": "\u20ac"}]
    wrong = {"containerUrl": f"{storage.url}/c", "path": "x", "uploadHeaders": headers}
    files = (
        {"filePattern": "x", "destination": {"container": wrong}},
        *each_to(storage, dict.fromkeys("yz", "c")),
    )
    outcome = await bench.run("touch x y z", output_files=files)
    assert code(outcome) == "FileUploadMiscError"
    assert set(storage.blobs) >= {"y", "z"}


async def test_they_can_be_broken_off(bench: Bench, storage: Storage) -> None:
    running = asyncio.ensure_future(
        bench.run(
            "touch x y z", output_files=each_to(storage, dict.fromkeys("xyz", "slow")), execution_id="x"
        )
    )
    await until(lambda: storage.requests["slow"] >= 3, "their requests are there")
    await bench.node.kill("x", code="TaskEnded", message="over")
    outcome = await running
    assert (outcome.exit_code, code(outcome)) == (0, "TaskEnded")


async def test_large_files_and_small_ones_go_up(bench: Bench, storage: Storage) -> None:
    sizes = {"none": 0, "small": SMALL, "larger": SMALL + 1}
    await bench.run(
        "sh -c '" + "; ".join(f"head -c {size} /dev/zero > {name}" for name, size in sizes.items()) + "'",
        output_files=each_to(storage, dict.fromkeys(sizes, "c")),
    )
    assert {name: len(storage.blobs[name]) for name in sizes} == sizes
