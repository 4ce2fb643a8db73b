"""The manifest, which the orchestrator reads: its form is a contract."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path

import pytest

from node_task.checksum import content_md5
from node_task.errors import ExitCode, UsageError
from node_task.manifest import FileEntry, describe, manifest_path, to_json

NOTHING = FileEntry(path="nothing", size=0, md5="1B2M2Y8AsgTpgAmY7PhCfg==")


def test_the_manifest_has_the_form_that_is_agreed() -> None:
    entry = FileEntry(path="données/a b.txt", size=12, md5="XrY7u+Ae7tCTyyK7j1rNww==")
    assert json.loads(to_json([entry])) == {
        "version": 1,
        "files": [{"path": "données/a b.txt", "size": 12, "md5": "XrY7u+Ae7tCTyyK7j1rNww=="}],
    }


def test_the_manifest_is_ascii_and_ordered_by_path() -> None:
    files = [FileEntry(path="b\n", size=0, md5=""), FileEntry(path="a é", size=0, md5="")]
    assert to_json(files).isascii()
    assert [file["path"] for file in json.loads(to_json(files))["files"]] == ["a é", "b\n"]
    assert to_json(files) == to_json(reversed(files))


def test_a_file_is_described_by_its_size_and_md5(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "file").write_bytes(content)
    md5 = base64.b64encode(hashlib.md5(content).digest()).decode()
    assert describe(tmp_path / "file", "some/name") == FileEntry(path="some/name", size=3_000_000, md5=md5)
    assert content_md5(content) == md5


def test_an_empty_file_is_described_too(tmp_path: Path) -> None:
    (tmp_path / "nothing").touch()
    assert describe(tmp_path / "nothing", "nothing") == NOTHING


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.txt", "a.txt"),
        ("./-x", "-x"),
        ("sub/../sub/a b", "sub/a b"),
        ("..hidden", "..hidden"),
        ("new\nline", "new\nline"),
        ("日本", "日本"),
        ("back\\slash", "back\\slash"),
        ("sub/manifest.json", "sub/manifest.json"),
    ],
)
def test_a_path_is_relative_to_the_working_directory(tmp_path: Path, path: str, name: str) -> None:
    assert manifest_path(tmp_path / path, tmp_path) == name


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("../elsewhere.txt", "it is not below the working directory"),
        (".", "it is not below the working directory"),
        ("..", "it is not below the working directory"),
        ("sub/../../other", "it is not below the working directory"),
        ("bad\udcff.txt", "a blob's name has to be Unicode"),
        ("manifest.json", "that is the manifest's own name"),
    ],
)
def test_an_output_that_can_be_no_blob_is_refused_by_name(tmp_path: Path, path: str, complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        manifest_path(tmp_path / path, tmp_path)
    assert str(caught.value) == f"cannot upload {str(tmp_path / path)!r}: {complaint}"
    assert caught.value.exit_code == ExitCode.USAGE
