"""With users told apart: who runs what, who can read what, and nobody escapes an end."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from orchestrator.local.batch.execution import POOL_USER, TASK_USER
from orchestrator.local.batch.isolation import UserRange
from orchestrator.local.batch.node import NodeProcess
from tests.conformance.local_node.conftest import Bench, code
from tests.conformance.local_node.storage import Storage
from tests.conformance.waiting import alive, descendants, until, written_pid

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give tasks users of their own")

HIDER = (
    "(cd /; setsid env -i /bin/sh -c 'echo $$ > {pid}; exec sleep 600' &) & while ! [ -s {pid} ]; do :; done"
)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody may enter, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="isolation-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def bench(place: Path) -> AsyncIterator[Bench]:
    """A node that tells users apart."""
    node = await NodeProcess.start(
        place / "node", isolate_users=True, transfer_attempts=1, transfer_timeout=2.0
    )
    yield Bench(node)
    await node.close()


@pytest.fixture
async def storage() -> AsyncIterator[Storage]:
    """A server that runs and is empty."""
    server = Storage()
    await server.start()
    yield server
    await server.close()


async def uid_of(bench: Bench, task: str, user: str = POOL_USER, *, elevated: bool = False) -> int:
    outcome = await bench.run("id -u", task=task, user=user, elevated=elevated)
    assert outcome.exit_code == 0
    return int(bench.text("stdout.txt", task))


async def test_who_is_no_administrator_has_an_id_of_the_nodes_own_and_no_right_at_all(bench: Bench) -> None:
    await bench.run("sh -c 'id -u; id -G; cat /proc/self/status'")
    uid, groups, *status = bench.text("stdout.txt").splitlines()
    facts = dict(line.split(":\t", 1) for line in status if ":\t" in line)
    assert int(uid) >= 60_000
    assert groups.split() == [facts["Gid"].split()[0]]
    assert facts["Uid"].split() == [uid] * 4
    assert facts["Groups"].split() == []
    assert {int(facts[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    assert facts["NoNewPrivs"] == "1"


async def test_scopes_share_users_as_they_say(bench: Bench) -> None:
    pool = {await uid_of(bench, "one"), await uid_of(bench, "two")}
    tasks = {await uid_of(bench, "three", TASK_USER), await uid_of(bench, "four", TASK_USER)}
    accounts = [await uid_of(bench, f"five-{name}", f"account:{name}") for name in ("ann", "bob", "ann")]
    assert (len(pool), len(tasks), len(set(accounts))) == (1, 2, 2)
    assert accounts[0] == accounts[2]
    assert len(pool | tasks | set(accounts)) == 5
    assert await uid_of(bench, "six", elevated=True) == 0


async def test_a_task_keeps_its_user_when_it_runs_again(bench: Bench) -> None:
    assert await uid_of(bench, "t", TASK_USER) == await uid_of(bench, "t", TASK_USER)


async def test_two_nodes_have_no_user_in_common(bench: Bench, place: Path) -> None:
    other = await NodeProcess.start(place / "other", isolate_users=True)
    try:
        assert await uid_of(bench, "t") != await uid_of(Bench(other), "t")
    finally:
        await other.close()


async def test_a_restarted_node_knows_its_users_again(bench: Bench, place: Path) -> None:
    before = await uid_of(bench, "pool"), await uid_of(bench, "own", TASK_USER)
    await bench.node.close()
    again = await NodeProcess.start(place / "node", isolate_users=True)
    try:
        assert await uid_of(Bench(again), "pool") == before[0]
        assert await uid_of(Bench(again), "other", TASK_USER) not in before
        assert await uid_of(Bench(again), "own", TASK_USER) == before[1]
    finally:
        await again.close()


async def test_a_task_may_write_to_its_own_folders_and_to_the_shared_one(bench: Bench) -> None:
    shared = bench.node.root / "shared"
    for task, user in (("p", "pool"), ("t", TASK_USER)):
        script = f"sh -c 'touch in-wd ../beside {shared}/{task} && ls {shared}'"
        assert (await bench.run(script, task=task, user=user)).exit_code == 0, bench.text("stderr.txt", task)
    assert bench.text("stdout.txt", "t").split() == ["p", "t"]


async def test_others_folders_can_be_read_by_nobody_but_shared_ones(bench: Bench) -> None:
    await bench.run("sh -c 'echo secret > file'", task="private", user=TASK_USER)
    await bench.run("sh -c 'echo tool > file'", task="open", readable=True)
    for user in ("pool", TASK_USER):
        task = f"reader-{user}"
        look = f"sh -c 'cat {bench.folder('private')}/wd/file; ls {bench.folder('private')}'"
        assert (await bench.run(look, task=task, user=user)).exit_code != 0
        assert bench.text("stdout.txt", task) == ""
        assert (await bench.run(f"cat {bench.folder('open')}/wd/file", task=task, user=user)).exit_code == 0
    for path in (bench.node.root, bench.node.root / "workitems", bench.folder().parent):
        assert (await bench.run(f"touch {path}/x", task="writer")).exit_code != 0


async def test_an_administrators_folder_is_the_administrators(bench: Bench) -> None:
    await bench.run("sh -c 'echo secret > file'", task="admin", elevated=True)
    assert (await bench.run(f"cat {bench.folder('admin')}/wd/file")).exit_code != 0


@pytest.mark.parametrize("user", ["pool", TASK_USER])
async def test_resource_files_are_the_users_and_outputs_are_read_as_the_user(
    bench: Bench, storage: Storage, user: str
) -> None:
    storage.blobs = {"a": b"one"}
    files = (
        {"httpUrl": f"{storage.url}/c/a", "filePath": "in/plain"},
        {"httpUrl": f"{storage.url}/c/a", "filePath": "locked", "fileMode": "0400"},
    )
    outputs = tuple(
        {"filePattern": pattern, "destination": {"container": {"containerUrl": f"{storage.url}/c"}}}
        for pattern in ("out.txt", "../std*.txt")
    )
    outcome = await bench.run(
        "sh -c 'stat -c \"%u %a\" in/plain locked; id -u; cat locked > out.txt; chmod 600 out.txt'",
        resource_files=files,
        output_files=outputs,
        user=user,
    )
    assert outcome.succeeded
    owner, mode, other, locked, uid = bench.text("stdout.txt").split()
    assert (owner, other) == (uid, uid)
    assert (mode, locked) == ("770", "400")
    assert storage.blobs["out.txt"] == b"one"
    assert storage.blobs["stdout.txt"] == bench.text("stdout.txt").encode()


async def test_the_agent_uploads_nothing_that_the_task_could_not_read(
    bench: Bench, storage: Storage, place: Path
) -> None:
    (place / "secret").write_text("secret")
    (place / "secret").chmod(0o600)
    container = {"container": {"containerUrl": f"{storage.url}/c"}}
    outcome = await bench.run(
        f"ln -s {place}/secret out.txt", output_files=({"filePattern": "*.txt", "destination": container},)
    )
    assert storage.blobs == {}
    assert code(outcome) == "FileUploadMiscError"


async def test_a_link_that_an_attempt_leaves_leads_the_next_one_nowhere(bench: Bench, place: Path) -> None:
    victim = place / "victim"
    victim.mkdir()
    (victim / "file").write_text("kept")
    links = f"rm -r ../wd; ln -s {victim} ../wd; ln -sf {victim}/file ../stdout.txt"
    traps = f"{links}; mkfifo ../x; mv ../x ../stderr.txt"
    await bench.run(f"sh -c '{traps}'")
    assert (await bench.run("sh -c 'echo fine; touch here'")).exit_code == 0
    assert bench.text("stdout.txt") == "fine\n"
    assert not (bench.folder() / "wd").is_symlink()
    assert [path.name for path in victim.iterdir()] == ["file"]
    assert (victim / "file").read_text() == "kept"
    assert victim.stat().st_uid == 0


async def test_a_program_that_the_user_may_not_run_is_a_failed_launch(bench: Bench, place: Path) -> None:
    program = place / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    assert code(await bench.run(str(program))) == "CommandLaunchFailed"
    assert (await bench.run(str(program), task="admin", elevated=True)).exit_code == 0


async def test_a_kill_reaches_across_users(bench: Bench) -> None:
    running = asyncio.ensure_future(
        bench.run("sh -c 'trap \"\" TERM; echo $$ > pid; sleep 600'", execution_id="x", user=TASK_USER)
    )
    pid = await written_pid(bench.folder() / "wd" / "pid")
    await bench.node.kill("x", code="TaskEnded", message="over")
    assert code(await running) == "TaskEnded"
    assert not alive(pid)


async def test_a_hider_without_a_trace_is_known_by_its_user(bench: Bench) -> None:
    """Its session, its environment and its working directory are others; the other task goes on."""
    other = asyncio.ensure_future(
        bench.run("sh -c 'echo $$ > pid; exec sleep 600'", task="other", execution_id="other")
    )
    pid = await written_pid(bench.folder("other") / "wd" / "pid")
    script = bench.node.root / "shared" / "script"
    script.write_text(HIDER.format(pid=bench.folder() / "wd" / "pid"))
    await bench.run(f"sh {script}", user=TASK_USER)
    assert not alive(int(bench.text("wd/pid")))
    assert alive(pid)
    await bench.node.kill("other", code="TaskEnded", message="over")
    await other


async def test_when_the_agent_is_killed_a_hider_without_a_trace_dies_too(bench: Bench) -> None:
    script = bench.node.root / "shared" / "script"
    script.write_text(HIDER.format(pid=bench.folder() / "wd" / "pid") + "; sleep 600")
    running = asyncio.ensure_future(bench.run(f"sh {script}", user=TASK_USER))
    pid = await written_pid(bench.folder() / "wd" / "pid")
    agent = bench.node.pid
    os.kill(agent, signal.SIGKILL)
    assert (await asyncio.wait_for(running, 10)).lost
    await until(lambda: not alive(pid), "the hider is dead")
    assert descendants(agent) == set()


async def test_a_folder_of_a_user_can_be_removed_whatever_its_modes(bench: Bench) -> None:
    await bench.run("sh -c 'mkdir a; touch a/b; chmod 0 a .'")
    await bench.node.remove("workitems/job/job-1/t")
    assert not bench.folder().exists()


def test_a_range_of_users_is_taken_once_on_a_machine() -> None:
    first = UserRange.take(7)
    second = UserRange.take(7)
    assert first.number == 7
    assert second.number != 7
    assert not set(first.uids) & set(second.uids)
    first.close()
    third = UserRange.take(7)
    assert third.number == 7
    second.close()
    third.close()
