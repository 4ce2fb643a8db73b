"""Outputs on their way to the container, and every way in which they may not arrive."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest

from tests.acceptance.node_task.programs import Ended, names_in, topwords
from tests.acceptance.node_task.storage import SECRET, Fault, Storage, answers, md5, resets
from tests.acceptance.node_task.test_topwords import NASTY_NAMES


def blobs_in_order(storage: Storage) -> list[str]:
    return [request.blob for request in storage.requests]


def assert_not_uploaded(ended: Ended, message: str) -> None:
    assert ended.exit_code == 3
    assert ended.stderr.startswith("node_task: cannot upload http://127.0.0.1:")
    assert ended.stderr.count("\n") == 1
    assert message in ended.stderr
    assert SECRET not in ended.stdout + ended.stderr
    assert "sig=" not in ended.stdout + ended.stderr


async def test_the_output_goes_up_and_the_manifest_after_it(
    tmp_path: Path, storage: Storage, upload_environment: dict[str, str]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("b a b")
    ended = await topwords("./data/a.txt", cwd=tmp_path, environ=upload_environment)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert SECRET not in ended.stdout
    assert blobs_in_order(storage) == ["task-1/data/a_OUTPUT.txt", "task-1/manifest.json"]
    output = (tmp_path / "data" / "a_OUTPUT.txt").read_bytes()
    assert b"Task: task-1\n" in output
    assert storage.blobs["task-1/data/a_OUTPUT.txt"] == output
    assert storage.properties["task-1/data/a_OUTPUT.txt"]["md5"] == md5(output)
    assert storage.properties["task-1/manifest.json"]["type"] == "application/json"
    assert json.loads(storage.blobs["task-1/manifest.json"]) == {
        "version": 1,
        "files": [{"path": "data/a_OUTPUT.txt", "size": len(output), "md5": md5(output)}],
    }


async def test_an_input_named_by_its_full_path_has_the_same_blob(
    tmp_path: Path, storage: Storage, upload_environment: dict[str, str]
) -> None:
    (tmp_path / "a.txt").write_text("a")
    assert (await topwords(str(tmp_path / "a.txt"), cwd=tmp_path, environ=upload_environment)).exit_code == 0
    assert set(storage.blobs) == {"task-1/a_OUTPUT.txt", "task-1/manifest.json"}


@pytest.mark.parametrize("name", NASTY_NAMES, ids=ascii)
async def test_any_name_arrives_unchanged(
    tmp_path: Path, storage: Storage, upload_environment: dict[str, str], name: str
) -> None:
    (tmp_path / name).write_text("word")
    ended = await topwords(f"./{name}", cwd=tmp_path, environ=upload_environment)
    assert (ended.exit_code, ended.stderr) == (0, "")
    (output,) = (tmp_path / other for other in names_in(tmp_path) - {name})
    assert storage.blobs[f"task-1/{output.name}"] == output.read_bytes()
    assert [file["path"] for file in json.loads(storage.blobs["task-1/manifest.json"])["files"]] == [
        output.name
    ]


async def test_a_name_in_latin_1_locale_arrives_by_its_bytes(
    tmp_path: Path, storage: Storage, upload_environment: dict[str, str]
) -> None:
    (tmp_path / "日本.txt").write_text("word")
    environ = {**upload_environment, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    assert (await topwords("日本.txt".encode(), cwd=tmp_path, environ=environ)).exit_code == 0
    assert "task-1/日本_OUTPUT.txt" in storage.blobs


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        (
            b"caf\xe9.txt",
            "node_task: cannot upload 'caf\\udce9_OUTPUT.txt': a blob's name has to be Unicode\n",
        ),
        (b"../a.txt", "node_task: cannot upload '../a_OUTPUT.txt': it is not below the working directory\n"),
    ],
)
async def test_an_output_that_can_be_no_blob_is_refused_before_the_work(
    tmp_path: Path, storage: Storage, upload_environment: dict[str, str], name: bytes, complaint: str
) -> None:
    ended = await topwords(name, "--delay", "3600", cwd=tmp_path, environ=upload_environment)
    assert ended == Ended(exit_code=2, stdout="", stderr=complaint)
    assert storage.requests == []


async def test_a_url_that_is_none_is_refused_before_the_work_and_not_shown(tmp_path: Path) -> None:
    environ = {"ORCHESTRATOR_OUTPUT_URL": f"nonsense?{SECRET}", "ORCHESTRATOR_OUTPUT_PREFIX": "t"}
    ended = await topwords("missing", cwd=tmp_path, environ=environ)
    assert ended.exit_code == 2
    assert ended.stderr.startswith("node_task: ORCHESTRATOR_OUTPUT_URL is not the URL of a container")
    assert SECRET not in ended.stderr


@pytest.mark.parametrize(
    "faults",
    [
        *([answers(status, "Busy")] for status in (408, 429, 500, 502, 503, 504)),
        [resets],
        [answers(503, "ServerBusy", **{"Retry-After": "0"}), resets, answers(500, "InternalError")],
    ],
)
async def test_passing_faults_are_survived(
    tmp_path: Path, storage: Storage, upload_environment: dict[str, str], faults: list[Fault]
) -> None:
    (tmp_path / "a").write_text("a")
    storage.faults.extend(faults)
    ended = await topwords("a", cwd=tmp_path, environ=upload_environment)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert blobs_in_order(storage) == ["task-1/a_OUTPUT"] * (len(faults) + 1) + ["task-1/manifest.json"]


async def test_a_server_that_asks_for_time_gets_it(
    tmp_path: Path, storage: Storage, upload_environment: dict[str, str]
) -> None:
    (tmp_path / "a").write_text("a")
    storage.faults.append(answers(503, "ServerBusy", **{"Retry-After": "2"}))
    assert (await topwords("a", cwd=tmp_path, environ=upload_environment)).exit_code == 0
    first, second = storage.requests[:2]
    assert second.at - first.at >= 2


async def test_a_server_that_asks_for_more_time_than_there_is_ends_the_upload_at_once(
    tmp_path: Path, storage: Storage, upload_environment: dict[str, str]
) -> None:
    (tmp_path / "a").write_text("a")
    storage.faults.append(answers(503, "ServerBusy", **{"Retry-After": "3600"}))
    ended = await topwords("a", cwd=tmp_path, environ=upload_environment)
    assert_not_uploaded(ended, "/account/outputs/task-1/a_OUTPUT: 503 ServerBusy (request 00000000-0001)")
    assert len(storage.requests) == 1


async def test_the_time_to_upload_begins_when_the_work_is_done(
    tmp_path: Path, storage: Storage, upload_environment: dict[str, str]
) -> None:
    (tmp_path / "a").write_text("a")
    ended = await topwords(
        "a", "--delay", "2.2", "--upload-timeout", "2", cwd=tmp_path, environ=upload_environment
    )
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert set(storage.blobs) == {"task-1/a_OUTPUT", "task-1/manifest.json"}


async def test_faults_that_do_not_pass_end_with_the_time(
    tmp_path: Path, storage: Storage, upload_environment: dict[str, str]
) -> None:
    (tmp_path / "a").write_text("a")
    storage.always = answers(500, "InternalError")
    ended = await topwords("a", "--upload-timeout", "1.5", cwd=tmp_path, environ=upload_environment)
    assert_not_uploaded(ended, "500 InternalError")
    assert len(storage.requests) >= 2
    assert storage.blobs == {}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (answers(400, "Md5Mismatch"), "400 Md5Mismatch (request 00000000-0001)"),
        (answers(403, "AuthorizationPermissionMismatch"), "403 AuthorizationPermissionMismatch"),
        (answers(404, "ContainerNotFound"), "404 ContainerNotFound"),
        (answers(400, f"https://host?sig={SECRET}"), "a_OUTPUT: 400"),
        (answers(307, "Moved", Location="http://127.0.0.1:1/elsewhere"), "307 Moved"),
    ],
)
async def test_a_refusal_is_not_repeated(
    tmp_path: Path, storage: Storage, upload_environment: dict[str, str], fault: Fault, message: str
) -> None:
    (tmp_path / "a").write_text("a")
    storage.faults.append(fault)
    ended = await topwords("a", cwd=tmp_path, environ=upload_environment)
    assert_not_uploaded(ended, message)
    assert blobs_in_order(storage) == ["task-1/a_OUTPUT"]
    assert (tmp_path / "a_OUTPUT").exists()


async def test_a_wrong_sas_is_a_refusal(
    tmp_path: Path, storage: Storage, upload_environment: dict[str, str]
) -> None:
    (tmp_path / "a").write_text("a")
    wrong = {**upload_environment, "ORCHESTRATOR_OUTPUT_URL": storage.url.replace(SECRET, "d3Jvbmc%3D")}
    ended = await topwords("a", cwd=tmp_path, environ=wrong)
    assert_not_uploaded(ended, "403 AuthenticationFailed")
    assert "d3Jvbmc" not in ended.stderr


async def test_a_failed_manifest_is_a_failed_upload(
    tmp_path: Path, storage: Storage, upload_environment: dict[str, str]
) -> None:
    (tmp_path / "a").write_text("a")
    storage.faults.extend([None, answers(403, "AuthenticationFailed")])
    ended = await topwords("a", cwd=tmp_path, environ=upload_environment)
    assert_not_uploaded(ended, "/task-1/manifest.json: 403 AuthenticationFailed")
    assert set(storage.blobs) == {"task-1/a_OUTPUT"}


async def test_a_server_that_is_not_there_is_tried_until_the_time_is_over(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    with socket.socket() as taken:  # bound but not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        environ = {
            "ORCHESTRATOR_OUTPUT_URL": f"http://127.0.0.1:{taken.getsockname()[1]}/account/outputs?sig={SECRET}",
            "ORCHESTRATOR_OUTPUT_PREFIX": "t",
        }
        ended = await topwords("a", "--upload-timeout", "0.6", cwd=tmp_path, environ=environ)
    assert_not_uploaded(ended, "Connection refused; attempts: ")


async def test_a_server_that_says_nothing_is_given_up_when_the_time_is_over(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    done = asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        environ = {
            "ORCHESTRATOR_OUTPUT_URL": f"http://127.0.0.1:{port}/account/outputs?sig={SECRET}",
            "ORCHESTRATOR_OUTPUT_PREFIX": "t",
        }
        ended = await topwords("a", "--upload-timeout", "0.5", cwd=tmp_path, environ=environ)
        done.set()
    assert_not_uploaded(ended, "timed out; attempts: 1")
