"""The program as a process: what it writes, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.acceptance.node_task.programs import (
    LIMIT,
    PACKAGE,
    Ended,
    end_of,
    names_in,
    run,
    started,
    topwords,
    zipped,
)

TEXT = 'The cat, the dog; "the" bird: cat! The end.\n'
TABLE = (
    "Word\tCount\n------------------------------\nThe:\t2\ncat:\t2\nthe:\t2\n------------------------------\n"
)
NASTY_NAMES = [
    "sp ace.txt",
    " lead and trail ",
    "new\nline.txt",
    "-dash.txt",
    "--numwords",
    "$(touch pwned).txt",
    "q'uo\"te`s`.txt",
    "per%20cent%2F%.txt",
    "que?ry&a=b#c.txt",
    "back\\slash.txt",
    "日本語.txt",
    "e\u0301 \u202egnp.txt",
    "\x01\x1b[31m\x7f.txt",
    "trailing.",
    "日" * 85,
]


async def test_the_output_is_written_beside_the_input(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text(TEXT)
    ids = {
        "AZ_BATCH_NODE_ID": "node-1",
        "AZ_BATCH_TASK_ID": "task-1",
        "AZ_BATCH_JOB_ID": "job-1",
        "AZ_BATCH_POOL_ID": "pool-1",
    }
    ended = await topwords("data/a.txt", cwd=tmp_path, environ=ids)
    assert ended == Ended(exit_code=0, stdout="wrote 'data/a_OUTPUT.txt': 9 words, 6 different\n", stderr="")
    output = (tmp_path / "data" / "a_OUTPUT.txt").read_text()
    assert output == TABLE + "Node: node-1\nTask: task-1\nJob: job-1\nPool: pool-1\n"


async def test_outside_batch_the_ids_are_dashes(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    assert (await topwords("a.txt", cwd=tmp_path)).exit_code == 0
    assert (tmp_path / "a_OUTPUT.txt").read_text() == TABLE + "Node: -\nTask: -\nJob: -\nPool: -\n"


async def test_case_folds_on_demand(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    assert (await topwords("a.txt", "--casefold", cwd=tmp_path)).exit_code == 0
    assert "\nthe:\t4\ncat:\t2\ndog:\t1\n-" in (tmp_path / "a_OUTPUT.txt").read_text()


async def test_it_runs_from_a_zip_and_leaves_nothing_else_behind(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    archive = zipped(tmp_path)
    # No PYTHONPATH: everything has to come from the zip.
    ended = await run(
        str(archive), "topwords", "./a.txt", "--numwords", "3", cwd=tmp_path, environ={"PYTHONPATH": ""}
    )
    assert ended == Ended(exit_code=0, stdout="wrote 'a_OUTPUT.txt': 9 words, 6 different\n", stderr="")
    assert names_in(tmp_path) == {"a.txt", "a_OUTPUT.txt", "node_task.pyz"}


@pytest.mark.parametrize("name", NASTY_NAMES, ids=ascii)
async def test_any_name_works_and_is_only_a_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("word")
    ended = await topwords(f"./{name}", cwd=tmp_path)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout.count("\n") == 1
    outputs = names_in(tmp_path) - {name}
    assert len(outputs) == 1
    assert "\nword:\t1\n" in (tmp_path / outputs.pop()).read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no undecodable names")
@pytest.mark.parametrize(
    "environ", [{}, {"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}]
)
async def test_an_undecodable_name_works_in_any_locale(tmp_path: Path, environ: dict[str, str]) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9 \xe6\x97\xa5.txt")).write_text("word")
    ended = await topwords(b"./caf\xe9 \xe6\x97\xa5.txt", cwd=tmp_path, environ=environ)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert (tmp_path / os.fsdecode(b"caf\xe9 \xe6\x97\xa5_OUTPUT.txt")).exists()


async def test_bytes_that_are_no_utf_8_are_counted_and_written_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfcaf\xe9 caf\xe8 caf\xe9")
    assert (await topwords("a", cwd=tmp_path)).exit_code == 0
    assert b"\ncaf\xe9:\t2\ncaf\xe8:\t1\n" in (tmp_path / "a_OUTPUT").read_bytes()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc to know its own size")
async def test_a_long_line_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    word = b"w" * 59 + b" "
    with (tmp_path / "a").open("wb") as file:
        for _ in range(64):
            file.write(word * 17_000)
    size = (tmp_path / "a").stat().st_size
    assert size > 64_000_000
    limited = (
        "import resource, sys\n"
        "from node_task.__main__ import main\n"
        "with open('/proc/self/statm') as file:\n"
        "    limit = int(file.read().split()[0]) * resource.getpagesize() + 32_000_000\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    ended = await run("-c", limited, "topwords", "a", "--numwords", "1", cwd=tmp_path)
    assert ended == Ended(exit_code=0, stdout="wrote 'a_OUTPUT': 1088000 words, 1 different\n", stderr="")


async def test_a_delay_is_added_to_the_work(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    assert (await topwords("a", "--delay", "0.05", cwd=tmp_path)).exit_code == 0


async def test_a_missing_input_is_one_clear_line_and_exit_code_1(tmp_path: Path) -> None:
    ended = await topwords("./missing\n.txt", "--delay", "3600", cwd=tmp_path)
    line = "node_task: cannot read 'missing\\n.txt': No such file or directory\n"
    assert ended == Ended(exit_code=1, stdout="", stderr=line)
    assert names_in(tmp_path) == set()


async def test_an_output_that_cannot_be_written_is_one_clear_line_and_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "a_OUTPUT").mkdir()
    ended = await topwords("a", cwd=tmp_path)
    assert ended == Ended(
        exit_code=1, stdout="", stderr="node_task: cannot write 'a_OUTPUT': Is a directory\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["unknown"],
        ["topwords", "a"],
        ["topwords", "--numwords", "3"],
        ["topwords", "a", "--numwords", "0"],
        ["topwords", "a", "--numwords", "-1"],
        ["topwords", "a", "--numwords", "many"],
        ["topwords", "a", "--num", "3"],
        ["topwords", "a", "b", "--numwords", "3"],
        ["topwords", "a", "--numwords", "3", "--delay", "-1"],
        ["topwords", "a", "--numwords", "3", "--delay", "nan"],
        ["topwords", "a", "--numwords", "3", "--upload-timeout", "inf"],
    ],
    ids=" ".join,
)
async def test_a_wrong_command_line_is_exit_code_2_and_does_nothing(
    tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "a").write_text("a")
    ended = await run("-m", "node_task", *arguments, cwd=tmp_path)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("usage: node_task")
    assert names_in(tmp_path) == {"a"}


async def test_an_interruption_is_one_clear_line_and_exit_code_130(tmp_path: Path) -> None:
    # A pipe as the input: who could write more than it holds knows that the program has begun to read.
    os.mkfifo(tmp_path / "a")
    # Where the tests themselves run in the background, Ctrl-C is ignored, and children inherit that.
    program = (
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from node_task.__main__ import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    async with started("-c", program, "topwords", "a", "--numwords", "1", cwd=tmp_path) as process:
        writer = await asyncio.wait_for(asyncio.to_thread(os.open, tmp_path / "a", os.O_WRONLY), LIMIT)
        try:
            await asyncio.wait_for(asyncio.to_thread(os.write, writer, bytes(200_000)), LIMIT)
            process.send_signal(signal.SIGINT)
        finally:
            # Python looks at signals before and after a read: one that comes in between waits for its end.
            os.close(writer)
        ended = await end_of(process)
    assert ended == Ended(exit_code=130, stdout="", stderr="node_task: interrupted\n")


async def test_the_help_names_the_exit_codes(tmp_path: Path) -> None:
    ended = await run("-m", "node_task", "topwords", "--help", cwd=tmp_path)
    assert ended.exit_code == 0
    assert "0 done, 1 failed, 2 wrong command line" in " ".join(ended.stdout.split())


async def test_the_package_is_the_one_of_this_repository(tmp_path: Path) -> None:
    ended = await run("-c", "import node_task; print(node_task.__file__)", cwd=tmp_path)
    assert Path(ended.stdout.strip()).parent == PACKAGE
