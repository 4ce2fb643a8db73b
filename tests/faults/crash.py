"""A run that is taken up again until it is done while something dies; and a look at what must hold then."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path

from orchestrator.events import Event, InputStaged, OutputDownloaded
from orchestrator.journal import Journal, RunRecord
from orchestrator.states import RunOutcome
from tests.acceptance.jobs import standing
from tests.acceptance.program import Running, user_environment
from tests.faults.blob_traffic import BlobTraffic
from tests.faults.crash_checks import (
    Reruns,
    commands_problem,
    events_problem,
    files_problem,
    handler_problem,
    requests_problem,
    traffic_problem,
)

INPUTS = 50
EVENTS_PER_TASK = 7
LIMIT = 300.0
"""Seconds that a program which nobody kills may take."""
HANDLING = Path(__file__).with_name("handling_run.py")
JOB = """
id = "{job_id}"
download_dir = "results"
{top}

[pool]
id = "{job_id}"
vm_size = "standard_d2s_v3"
image = {{ publisher = "canonical", offer = "ubuntu-24_04-lts", sku = "server" }}
target_dedicated_nodes = 2
task_slots_per_node = 8

[task_factory]
per_file = "data/*.txt"
id = "t-{{index:03}}"
command_line = "echo ran >> '{ran}'/$AZ_BATCH_TASK_ID; sleep {seconds}; cat {{file}} {{file}} > out.txt"
output_files = ["out.txt"]

[cleanup]
containers = "always"
job = "always"
pool = "always"
"""


class Driver(Enum):
    """Whose program drives a run."""

    COMMAND_LINE = "command line"
    LIBRARY = "library"


class Trial:
    """One job in a folder and a state directory of its own.

    Args:
        home: made here.
        env_file: settings of the service.
        tasks: how many the job has.
        seconds: that each takes at least.
        top: more lines at the top of the job file.
        source: of all chances.
    """

    def __init__(
        self,
        home: Path,
        env_file: Path,
        *,
        source: random.Random,
        tasks: int,
        seconds: float = 0,
        top: str = "",
    ) -> None:
        self.home = home
        self.strikes = 0
        self.told: list[str] = []
        self._kills = 0
        self._env_file = env_file
        self._tasks = {f"t-{number:03}" for number in range(tasks)}
        self._source = source
        self._driver = source.choice(list(Driver))
        self._job = home / "job.toml"
        (home / "data").mkdir(parents=True)
        (home / "ran").mkdir(mode=0o777)
        for number in range(tasks):
            (home / f"data/{number:03}.txt").write_text(f"input {number % INPUTS}\n" * (number % INPUTS + 1))
        self._job.write_text(JOB.format(job_id=home.name, ran=home / "ran", seconds=seconds, top=top))

    # --- what is done to it -------------------------------------------------------------------------------

    def kill_until_done(self, *, most: int, span: float, traffic: BlobTraffic) -> None:
        """Begin the job, kill its program, and take it up again until it comes to its end.

        Args:
            most: kills.
            span: seconds that a run takes, about.
            traffic: counts what is asked of storage.
        """
        wanted = self._source.randint(1, most)
        while not self.finished():
            staged, brought = self._done()
            before = traffic.asked()
            self._once(span if self._kills < wanted else None)
            problem = traffic_problem(before, traffic.asked(), staged=staged, brought=brought)
            assert problem is None, f"{problem}: {self.told}"
        self.strikes = self._kills
        staged, brought = self._done()
        problem = requests_problem(traffic.asked(), staged=staged, brought=brought, kills=self._kills)
        assert problem is None, f"{problem}: {self.told}"

    def strike_while_running(self, strike: Callable[[], None], *, most: int, span: float) -> None:
        """Begin the job and let its program come to its end, whatever is struck meanwhile.

        Args:
            strike: what happens, and is over when it returns.
            most: strikes.
            span: seconds that a run takes, about.
        """
        wanted = self._source.randint(1, most)
        with self._program() as program:
            while not self._known():  # a program that finds no service does not begin
                assert not _ended(program, within=0.05), (self.home / "said.txt").read_text()
            while self.strikes < wanted:
                moment = self._random_moment(program, span)
                if moment is None:
                    break
                strike()
                self.strikes += 1
                self.told.append(f"struck after {moment}")
            self._let_end(program)

    def _once(self, span: float | None) -> None:
        """Start a program, and kill it at a random moment or, without a span, let it end."""
        with self._program() as program:
            moment = None if span is None else self._random_moment(program, span)
            if moment is None:
                self._let_end(program)
                return
            program.signal(signal.SIGKILL)
            program.process.wait(LIMIT)
            self._kills += 1
            self.told.append(f"killed after {moment}")

    def _random_moment(self, program: Running, span: float) -> str | None:
        """Wait for it, by the clock or by how far the run is; None if the program has ended before.

        By the clock most moments are those when the run waits, by the events those when much happens at once.
        """
        if self._source.random() < 0.5:
            delay = self._source.uniform(0, span)
            return None if _ended(program, within=delay) else f"{delay:.3f} s"
        so_far, all_of_them = self._events_told(), EVENTS_PER_TASK * len(self._tasks)
        wanted = self._source.randint(so_far, max(so_far, all_of_them))
        while self._events_told() < wanted:
            if _ended(program, within=0.002):
                return None
        return f"{wanted} events"

    def _events_told(self) -> int:
        name = "handled" if self._driver is Driver.LIBRARY else "events.jsonl"
        path = self.home / name
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def _let_end(self, program: Running) -> None:
        code = program.process.wait(LIMIT)
        self.told.append("to its end")
        assert code == 0, f"{self.told}: exit code {code}: {(self.home / 'said.txt').read_text()}"

    def _program(self) -> Running:
        with (self.home / "events.jsonl").open("ab") as out, (self.home / "said.txt").open("ab") as said:
            if self._driver is Driver.LIBRARY:
                self.told.append("library")
                return _HandlingRun(
                    *(self._env_file, self._job, self.home / "handled"),
                    home=self.home,
                    stderr=said.fileno(),
                )
            verb: list[object] = ["run", self._job]
            if self._known() and self._source.random() < 0.5:
                verb = ["resume"]
            self.told.append(str(verb[0]))
            return Running(
                *(*verb, "--output", "json", "--env-file", self._env_file),
                home=self.home,
                stdout=out.fileno(),
                stderr=said.fileno(),
            )

    # --- what must hold at the end ------------------------------------------------------------------------

    def check(self, reruns: Reruns) -> None:
        """Look at everything: the service, the disk and the journal.

        Args:
            reruns: whether a command may have begun more than once.
        """
        (record,) = self._known()
        events, owed = asyncio.run(_events(self._journal, record.run_id))
        ran = {path.name: path.read_text().count("\n") for path in (self.home / "ran").iterdir()}
        again = sum(ran.values()) - len(ran)
        self.told.append(f"{again} commands ran again")
        results = self.home / "results" / self.home.name
        here = {
            str(path) for path in results.rglob("*") if path.is_file() and ".orchestrator" not in path.parts
        }
        problem = (
            commands_problem(ran, self._tasks, reruns)
            or events_problem(events, self._tasks)
            or files_problem(events, here)
            or self._handler_problem(events)
        )
        assert problem is None, f"{problem}: {self.told}"
        assert (record.outcome, owed) == (RunOutcome.SUCCEEDED, ()), self.told
        for number, task in enumerate(sorted(self._tasks)):
            wanted = hashlib.md5((self.home / f"data/{number:03}.txt").read_bytes() * 2).hexdigest()
            found = hashlib.md5((results / task / "out.txt").read_bytes()).hexdigest()
            assert found == wanted, f"output of {task}: {self.told}"
        left = standing(self._env_file)
        assert {kind: ids for kind, ids in left.items() if ids} == {}, self.told

    def _handler_problem(self, events: Sequence[Event]) -> str | None:
        if self._driver is not Driver.LIBRARY:
            return None
        lines = (self.home / "handled").read_text().splitlines()
        return handler_problem((int(line.split()[0]) for line in lines), events)

    # --- the journal --------------------------------------------------------------------------------------

    @property
    def _journal(self) -> Path:
        return self.home / "state" / "orchestrator" / "journal.sqlite"

    def finished(self) -> bool:
        """Whether the run has come to its end."""
        return any(record.ended_at is not None for record in self._known())

    def _known(self) -> tuple[RunRecord, ...]:
        return asyncio.run(_runs(self._journal)) if self._journal.exists() else ()

    def _done(self) -> tuple[set[str], set[str]]:
        """Blobs known to be uploaded, and those known to be on this disk, as `container/blob`."""
        staged: set[str] = set()
        brought: set[str] = set()
        for record in self._known():
            folder = self.home / "results" / self.home.name
            events, _ = asyncio.run(_events(self._journal, record.run_id))
            for event in events:
                if isinstance(event, InputStaged):
                    staged.add(f"{event.container}/{event.blob}")
                elif isinstance(event, OutputDownloaded):
                    brought.add(f"out-{record.run_id}/{event.path.relative_to(folder)}")
        return staged, brought


class _HandlingRun(Running):
    """The program of a user who has a handler."""

    def __init__(self, *arguments: object, home: Path, stderr: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(HANDLING), *map(str, arguments)],
            cwd=home,
            env=user_environment(home),
            stdin=subprocess.DEVNULL,
            stderr=stderr,
        )
        self._buffer = b""


def _ended(program: Running, *, within: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        program.process.wait(within)
    return program.process.poll() is not None


async def _runs(path: Path) -> tuple[RunRecord, ...]:
    journal = await Journal.open(path)
    try:
        return await journal.runs()
    finally:
        await journal.close()


async def _events(path: Path, run_id: str) -> tuple[tuple[Event, ...], tuple[object, ...]]:
    journal = await Journal.open(path)
    try:
        return await journal.events(run_id, limit=1_000_000), await journal.owed()
    finally:
        await journal.close()
