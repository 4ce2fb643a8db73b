"""Inputs are read in their order, tiny ones many at a time, and what must not be used is refused."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import StagingError
from orchestrator.file_threads import FileThreads
from orchestrator.spec.plan import InputFile
from orchestrator.stages.package import KEPT
from orchestrator.stages.reading import InputReader, Read, refuse_changed


@pytest.fixture
def threads() -> Iterator[FileThreads]:
    made = FileThreads(2)
    yield made
    made.close()


def written(folder: Path, *sizes: int) -> list[InputFile]:
    """Files of those sizes, as a plan has them."""
    files = []
    for index, size in enumerate(sizes):
        path = folder / f"{index:03}"
        path.write_bytes(bytes([index % 256]) * size)
        status = path.stat()
        files.append(
            InputFile(
                index=index, path=path, name=path.name, size=status.st_size, modified_ns=status.st_mtime_ns
            )
        )
    return files


async def all_of(reader: InputReader) -> list[tuple[InputFile, Read | None]]:
    found = []
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(reader.run())
        while (taken := await reader.next()) is not None:
            found.append(taken)
        assert await reader.next() is None
        await reading
    return found


async def test_every_input_comes_once_in_its_order_and_tiny_ones_with_their_content(
    tmp_path: Path, threads: FileThreads
) -> None:
    files = written(tmp_path, *([100] * 40), KEPT + 1, 0, *([KEPT] * 20))
    found = await all_of(InputReader(files, threads=threads, skip=lambda _: False))
    assert [file for file, _ in found] == files
    for file, read in found:
        if file.size > KEPT:
            assert read is None
        else:
            assert read is not None
            digest, content = read
            assert content == file.path.read_bytes()
            assert digest.md5 == hashlib.md5(content).digest()


async def test_one_that_is_skipped_is_given_and_not_read(tmp_path: Path, threads: FileThreads) -> None:
    files = written(tmp_path, 1, 2, 3)
    files[1].path.unlink()
    found = await all_of(InputReader(files, threads=threads, skip=lambda file: file.index == 1))
    assert [(file.index, read is None) for file, read in found] == [(0, False), (1, True), (2, False)]


async def test_one_that_was_changed_is_refused_by_name(tmp_path: Path, threads: FileThreads) -> None:
    files = written(tmp_path, 1, 2, KEPT + 1)
    files[1].path.write_bytes(b"longer now")
    reader = InputReader(files, threads=threads, skip=lambda _: False, check=refuse_changed)
    with pytest.raises(StagingError, match="changed") as raised:
        await reader.run()
    assert raised.value.path == str(files[1].path)
    files[2].path.unlink()
    with pytest.raises(StagingError, match="not there any more"):
        await reader.read(files[2])
