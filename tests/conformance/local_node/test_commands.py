"""Commands run as they do on a compute node."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.local.batch.execution import Execution
from tests.conformance.local_node.conftest import Bench, code
from tests.conformance.waiting import alive, until, written_pid


def is_no_script(path: Path) -> bool:
    return not path.read_bytes().startswith(b"#!")


async def test_a_node_has_the_documented_folders(bench: Bench) -> None:
    names = {path.name for path in bench.node.root.iterdir()}
    assert names == {"applications", "fsmounts", "shared", "startup", "volatile", "workitems"}


async def test_a_command_that_succeeds(bench: Bench) -> None:
    before = datetime.now(UTC)
    outcome = await bench.run("sh -c 'echo out; echo err >&2; pwd'")
    assert (outcome.exit_code, outcome.failure, outcome.lost, outcome.succeeded) == (0, None, False, True)
    assert bench.text("stdout.txt") == f"out\n{bench.folder() / 'wd'}\n"
    assert bench.text("stderr.txt") == "err\n"
    assert bench.started == [outcome.started_at]
    assert before - timedelta(seconds=1) < outcome.started_at <= outcome.ended_at
    assert outcome.started_at.tzinfo is not None


@pytest.mark.parametrize(
    ("command_line", "exit_code", "expected"),
    [
        ("sh -c 'exit 3'", 3, "FailureExitCode"),
        ("sh -c 'kill -9 $$'", -9, "FailureExitCode"),
        ("sh -c 'kill -TERM $$'", -15, "FailureExitCode"),
        ("bash -c nosuch", 127, "FailureExitCode"),
        ("no-such-program", None, "CommandProgramNotFound"),
        ("./no-such-program", None, "CommandProgramNotFound"),
        ("/etc/passwd", None, "CommandLaunchFailed"),
        ("echo 'open", None, "CommandLaunchFailed"),
    ],
)
async def test_a_command_that_fails(
    bench: Bench, command_line: str, exit_code: int | None, expected: str
) -> None:
    outcome = await bench.run(command_line)
    assert (outcome.exit_code, code(outcome)) == (exit_code, expected)
    assert not outcome.succeeded
    assert (bench.folder() / "stdout.txt").read_bytes() == b""
    assert (bench.folder() / "stderr.txt").is_file()


async def test_a_script_whose_interpreter_is_missing_is_a_failed_launch(bench: Bench) -> None:
    script = bench.node.root / "shared" / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    assert code(await bench.run(str(script))) == "CommandLaunchFailed"


async def test_a_command_gets_its_environment_and_nothing_of_the_services(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.run("env", environment={"GREETING": "a $b\n'c'", "EMPTY": ""})
    names = {line.partition("=")[0] for line in bench.text("stdout.txt").splitlines() if "=" in line}
    batch = {"AZ_BATCH_NODE_ROOT_DIR", "AZ_BATCH_TASK_DIR", "AZ_BATCH_TASK_WORKING_DIR"}
    assert names == {"PATH", "LANG", "GREETING", "EMPTY"} | batch
    assert "GREETING=a $b\n'c'\n" in bench.text("stdout.txt")


async def test_python3_is_a_real_interpreter(bench: Bench) -> None:
    outcome = await bench.run("python3 -c 'import sys; print(sys.executable)'")
    assert outcome.exit_code == 0
    assert is_no_script(Path(bench.text("stdout.txt").strip()))


async def test_standard_input_is_empty_and_no_other_file_is_open(bench: Bench) -> None:
    outcome = await bench.run("sh -c 'cat; ls /proc/self/fd'")
    assert outcome.exit_code == 0
    # 3 is the folder that ls reads.
    assert bench.text("stdout.txt").split() == ["0", "1", "2", "3"]


async def test_signals_have_their_usual_meaning(bench: Bench) -> None:
    await bench.run("grep -E 'SigIgn|SigBlk' /proc/self/status")
    masks = [int(line.split()[1], 16) for line in bench.text("stdout.txt").splitlines()]
    # 32 and 33 are the C library's own; posix_spawn ignores them for its children.
    assert [mask & (1 << 31) - 1 for mask in masks] == [0, 0]


async def test_another_attempt_finds_an_empty_working_directory(bench: Bench) -> None:
    await bench.run("sh -c 'mkdir -p a/b; echo 1 > a/b/c; chmod 0 a; echo noise'")
    outcome = await bench.run("ls -A")
    assert outcome.exit_code == 0
    assert bench.text("stdout.txt") == ""


async def test_a_command_that_runs_too_long_is_ended(bench: Bench) -> None:
    outcome = await bench.run("sh -c 'echo $$ > pid; sleep 600'", max_wall_clock_seconds=0.3)
    assert (outcome.exit_code, code(outcome)) == (-9, "TaskEnded")
    assert outcome.ended_at - outcome.started_at >= timedelta(seconds=0.3)
    assert not alive(int(bench.text("wd/pid")))


async def test_a_killed_command_is_over_when_kill_returns(bench: Bench) -> None:
    running = asyncio.ensure_future(bench.run("sh -c 'echo $$ > pid; sleep 600'", execution_id="x"))
    pid = await written_pid(bench.folder() / "wd" / "pid")
    await bench.node.kill("x", code="TaskEnded", message="Task Was Ended by User Request")
    assert not alive(pid)
    outcome = await running
    assert outcome.exit_code == -9
    assert outcome.failure is not None
    assert (outcome.failure["category"], outcome.failure["code"]) == ("UserError", "TaskEnded")
    assert outcome.failure["message"] == "Task Was Ended by User Request"
    await bench.node.kill("x", code="TaskEnded", message="again")


async def test_a_cancelled_caller_leaves_nothing_running(bench: Bench) -> None:
    running = asyncio.ensure_future(bench.run("sh -c 'echo $$ > pid; sleep 600'"))
    pid = await written_pid(bench.folder() / "wd" / "pid")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await until(lambda: not alive(pid), "the command is dead")


async def test_many_at_a_time_do_not_mix(bench: Bench) -> None:
    outcomes = await asyncio.gather(
        *(bench.run(f"sh -c 'echo {n}; exit {n}'", task=f"task-{n}") for n in range(40))
    )
    assert [outcome.exit_code for outcome in outcomes] == list(range(40))
    assert [bench.text("stdout.txt", f"task-{n}") for n in range(40)] == [f"{n}\n" for n in range(40)]


async def test_a_folder_is_removed_whatever_its_permissions(bench: Bench) -> None:
    await bench.run("sh -c 'mkdir -p a/b; ln -s / root; echo 1 > a/b/c; chmod 0 a/b a'")
    await bench.node.remove("workitems/job/job-1/t")
    assert not bench.folder().exists()
    await bench.node.remove("workitems/job/job-1/t")
    for wrong in ("..", "/etc", "", "workitems/../.."):
        with pytest.raises(ValueError, match="path"):
            await bench.node.remove(wrong)


async def test_a_directory_outside_of_the_root_is_refused(bench: Bench) -> None:
    execution = Execution(execution_id="x", command_line="true", directory="../elsewhere")
    with pytest.raises(ValueError, match="climb"):
        await bench.node.execute(execution, on_started=bench.started.append)


async def test_a_task_keeps_the_usual_file_mode_mask(bench: Bench) -> None:
    before = os.umask(0o077)
    try:
        await bench.run("sh -c umask")
    finally:
        os.umask(before)
    assert bench.text("stdout.txt").strip() == "0022"
