"""Small files are kept and written together; what is wrong with one is no business of the others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import DownloadError
from orchestrator.file_threads import FileThreads
from orchestrator.handlers.arrival import FileArrival, KeptFiles
from orchestrator.handlers.result_files import ResultFiles, TaskFolder

pytestmark = pytest.mark.timeout(30)


class Arrivals:
    """Files of one task that arrive."""

    def __init__(self, folder: TaskFolder, threads: FileThreads) -> None:
        self.kept = KeptFiles(folder, threads)
        self.path = folder.path
        self._folder = folder
        self._threads = threads

    async def take(self, path: str, content: bytes) -> FileArrival:
        arrival = FileArrival(self._folder.claim(path), self._folder, self._threads)
        await arrival.take(content)
        return arrival

    async def keep(self, path: str, content: bytes, *, told: bytes | None = None) -> bool:
        md5 = hashlib.md5(content if told is None else told).digest()
        return self.kept.keep(await self.take(path, content), None, (md5,))

    def left(self) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in self.path.iterdir()} if self.path.exists() else {}


@pytest.fixture
def arrivals(tmp_path: Path) -> Iterator[Arrivals]:
    files, threads = ResultFiles(tmp_path, "j"), FileThreads(2)
    folder = files.task("t")
    yield Arrivals(folder, threads)
    folder.close()
    files.close()
    threads.close()


async def test_nothing_is_written_before_they_are_finished(arrivals: Arrivals) -> None:
    assert await arrivals.keep("a", b"1")
    assert await arrivals.keep("b", b"")
    assert arrivals.left() == {}
    assert await arrivals.kept.finish() == [("a", 1), ("b", 0)]
    assert arrivals.left() == {"a": b"1", "b": b""}
    assert await arrivals.kept.finish() == []


async def test_one_that_is_not_what_was_told_leaves_nothing_and_harms_no_other(arrivals: Arrivals) -> None:
    for path, told in (("a", None), ("b", b"other"), ("c", None)):
        assert await arrivals.keep(path, b"content", told=told)
    first, second, third = await arrivals.kept.finish()
    assert (first, third) == (("a", 7), ("c", 7))
    assert isinstance(second[1], DownloadError)
    assert "MD5" in str(second[1])
    assert arrivals.left() == {"a": b"content", "c": b"content"}


async def test_a_larger_file_is_not_kept(arrivals: Arrivals) -> None:
    assert not await arrivals.keep("a", bytes((64 << 10) + 1))
    assert arrivals.left() == {}


async def test_one_that_was_begun_to_be_written_is_not_kept(arrivals: Arrivals) -> None:
    arrival = await arrivals.take("a", bytes(1 << 20))
    assert not arrivals.kept.keep(arrival, None, ())
    assert await arrival.finish(1 << 20, ()) == 1 << 20
    await arrival.discard()
    assert arrivals.left() == {"a": bytes(1 << 20)}


@pytest.mark.parametrize(("count", "size"), [(64, 0), (8, 64 << 10)])
async def test_they_are_full_by_count_and_by_size(arrivals: Arrivals, count: int, size: int) -> None:
    for number in range(count):
        assert not arrivals.kept.full
        await arrivals.keep(f"{number}", bytes(size))
    assert arrivals.kept.full
    await arrivals.kept.finish()
    assert not arrivals.kept.full
