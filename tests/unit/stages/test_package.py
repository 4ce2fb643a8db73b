"""The application is packed the same everywhere, and what is packed runs."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import anyio
import pytest

from orchestrator.errors import StagingError
from orchestrator.stages.package import digest_path, pack_application


def make_package(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "__main__.py").write_text("import sys\nfrom tool.words import WORD\nprint(WORD, sys.argv[1])\n")
    (folder / "words.py").write_text("WORD = 'hello'\n")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "junk.pyc").write_bytes(b"junk")
    return folder


async def test_the_same_package_gives_the_same_folder_and_bytes_wherever_it_lies(tmp_path: Path) -> None:
    one = await pack_application([make_package(tmp_path / "one" / "tool")])
    other = await pack_application([make_package(tmp_path / "other" / "tool")])
    assert one is not None
    assert other is not None
    assert one.folder == other.folder is not None
    assert one.files[0].content == other.files[0].content
    assert one.files[0].name == "tool.pyz"


async def test_a_changed_source_gives_another_folder(tmp_path: Path) -> None:
    folder = make_package(tmp_path / "tool")
    before = await pack_application([folder])
    (folder / "words.py").write_text("WORD = 'goodbye'\n")
    after = await pack_application([folder])
    assert before is not None
    assert after is not None
    assert before.folder != after.folder


async def test_the_packed_package_runs(tmp_path: Path) -> None:
    packed = await pack_application([make_package(tmp_path / "tool")])
    assert packed is not None
    archive = tmp_path / "tool.pyz"
    archive.write_bytes(packed.files[0].content)
    with anyio.fail_after(30):
        told = await anyio.run_process([sys.executable, "-I", str(archive), "world"])
    assert told.stdout == b"hello world\n"


async def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.sh").write_text(folder)
    with pytest.raises(StagingError, match=r"two files of the application are called same\.sh"):
        await pack_application([tmp_path / "a" / "same.sh", tmp_path / "b" / "same.sh"])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StagingError, match=r"missing\.txt: can't be read"):
        digest_path(tmp_path / "missing.txt")


def test_digests_are_those_of_the_content(tmp_path: Path) -> None:
    content = b"some bytes" * 100_000
    (tmp_path / "file").write_bytes(content)
    digest, kept = digest_path(tmp_path / "file")
    assert kept is None
    assert digest.size == len(content)
    assert digest.md5 == hashlib.md5(content).digest()
    assert digest.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("content", [b"", b"tiny"])
def test_a_small_files_content_comes_with_its_digest(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    digest, kept = digest_path(tmp_path / "file")
    assert kept == content
    assert digest.md5 == hashlib.md5(content).digest()


async def test_nothing_to_pack_is_no_application() -> None:
    assert await pack_application([]) is None


async def test_files_of_the_start_task_are_kept_with_the_application_but_are_not_in_its_folder(
    tmp_path: Path,
) -> None:
    (tmp_path / "setup.sh").write_text("true")
    packed = await pack_application([], [(tmp_path / "setup.sh", "bin/setup.sh", "0755")])
    assert packed is not None
    assert packed.folder is None
    assert [(file.name, file.file_mode) for file in packed.files] == [("bin/setup.sh", "0755")]
