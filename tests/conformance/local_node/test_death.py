"""Whatever dies, no process is left, and lost work is told as lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.local.batch.node import NodeProcess, NodeStartError
from tests.conformance.local_node.conftest import Bench
from tests.conformance.waiting import alive, running_with, until, written_pid

HIDING = "bash -c '(setsid sh -c \"echo \\$\\$ > hidden; exec sleep 600\" &) & echo $$ > pid; sleep 600'"

SERVICE = """
import asyncio, sys
from pathlib import Path
from orchestrator.local.batch.execution import Execution
from orchestrator.local.batch.node import NodeProcess

async def main():
    node = await NodeProcess.start(Path(sys.argv[1]))
    execution = Execution(execution_id="x", command_line=sys.argv[2], directory="workitems/job/job-1/t")
    (node.root / "agent").write_text(f"{node.pid}\\n")
    await node.execute(execution, on_started=print)

asyncio.run(main())
"""


def start_service(root: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", SERVICE, str(root), HIDING]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_when_the_agent_is_killed_its_work_is_lost_and_its_processes_dead(
    bench: Bench, number: signal.Signals
) -> None:
    running = asyncio.ensure_future(bench.run(HIDING))
    pids = [await written_pid(bench.folder() / "wd" / name) for name in ("pid", "hidden")]
    os.kill(bench.node.pid, number)
    outcome = await asyncio.wait_for(running, 10)
    assert outcome.lost
    assert not outcome.succeeded
    assert bench.started == [outcome.started_at]
    assert not any(map(alive, pids))
    await asyncio.wait_for(bench.node.lost.wait(), 10)


async def test_a_lost_node_answers_everything_at_once(bench: Bench) -> None:
    os.kill(bench.node.pid, signal.SIGKILL)
    await asyncio.wait_for(bench.node.lost.wait(), 10)
    assert (await bench.run("true")).lost
    await bench.node.kill("anything", code="TaskEnded", message="x")
    (bench.folder() / "wd").mkdir(parents=True)
    await bench.node.remove("workitems/job")
    assert not bench.folder().exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_when_the_service_dies_the_node_and_its_processes_end(
    tmp_path: Path, number: signal.Signals
) -> None:
    root = tmp_path / "node"
    service = start_service(root)
    try:
        folder = root / "workitems" / "job" / "job-1" / "t" / "wd"
        pids = [await written_pid(path) for path in (folder / "pid", folder / "hidden", root / "agent")]
        service.send_signal(number)
        await until(lambda: not any(map(alive, pids)), f"{pids} are dead")
    finally:
        service.kill()
        service.wait()


async def test_a_new_node_on_the_root_of_one_that_was_killed_with_its_service_clears_up(
    tmp_path: Path,
) -> None:
    root = tmp_path / "node"
    service = start_service(root)
    try:
        folder = root / "workitems" / "job" / "job-1" / "t" / "wd"
        pids = [await written_pid(path) for path in (folder / "pid", folder / "hidden", root / "agent")]
        os.kill(service.pid, signal.SIGSTOP)  # it can't clean up after the agent
        os.kill(pids[-1], signal.SIGKILL)
    finally:
        service.kill()
        service.wait()
    node = await NodeProcess.start(root)
    assert not any(map(alive, pids))
    await node.close()


async def test_closing_ends_everything_and_can_be_repeated(bench: Bench) -> None:
    running = asyncio.ensure_future(bench.run(HIDING))
    pids = [await written_pid(bench.folder() / "wd" / name) for name in ("pid", "hidden")]
    agent = bench.node.pid
    await bench.node.close()
    assert not any(map(alive, [*pids, agent]))
    assert (await running).lost
    assert not bench.node.lost.is_set()
    await bench.node.close()


async def test_a_node_may_be_started_and_closed_in_different_tasks(tmp_path: Path) -> None:
    node = await asyncio.create_task(NodeProcess.start(tmp_path))
    await asyncio.create_task(node.close())
    assert not alive(node.pid)


async def test_a_root_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NodeStartError, match=r"Not a directory|File exists"):
        await NodeProcess.start(tmp_path / "file")


@pytest.mark.parametrize("turns", [1, 2, 3, 5, 10, 20, 50, 100])
async def test_a_start_that_is_cancelled_anywhere_leaves_no_process(tmp_path: Path, turns: int) -> None:
    starting = asyncio.create_task(NodeProcess.start(tmp_path / "node"))
    for _ in range(turns):
        await asyncio.sleep(0)
    starting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        node = await starting
        await node.close()
    assert not running_with(str(tmp_path / "node"))
