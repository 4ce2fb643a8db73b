"""A run that is killed at random moments and taken up again until it is done; and what must hold then."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from orchestrator.events import (
    Event,
    InputStaged,
    JobSettled,
    OutputDownloaded,
    OutputsDownloaded,
    RunFinished,
    TaskCompleted,
    TasksSubmitted,
)
from orchestrator.journal import Journal, RunRecord
from orchestrator.states import RunOutcome
from tests.acceptance.jobs import standing
from tests.acceptance.program import Running

INPUTS = 50
JOB = """
id = "{job_id}"
download_dir = "results"

[pool]
id = "{job_id}"
vm_size = "standard_d2s_v3"
image = {{ publisher = "canonical", offer = "ubuntu-24_04-lts", sku = "server" }}
target_dedicated_nodes = 2
task_slots_per_node = 8

[task_factory]
per_file = "data/*.txt"
id = "t-{{index:03}}"
command_line = "echo ran >> '{ran}'/$AZ_BATCH_TASK_ID; cat {{file}} {{file}} > out.txt"
output_files = ["out.txt"]

[cleanup]
containers = "always"
job = "always"
pool = "always"
"""


class Trial:
    """One job in a folder and a state directory of its own.

    Args:
        home: made here.
        env_file: settings of the service.
        tasks: how many the job has.
        source: of all chances.
    """

    def __init__(self, home: Path, env_file: Path, *, tasks: int, source: random.Random) -> None:
        self.home = home
        self.kills = 0
        self.told: list[str] = []
        self._env_file = env_file
        self._tasks = tasks
        self._source = source
        self._job = home / "job.toml"
        (home / "data").mkdir(parents=True)
        (home / "ran").mkdir(mode=0o777)
        for number in range(tasks):
            (home / f"data/{number:03}.txt").write_text(f"input {number % INPUTS}\n" * (number % INPUTS + 1))
        self._job.write_text(JOB.format(job_id=home.name, ran=home / "ran"))

    def run_until_done(self, *, most: int, span: float) -> None:
        """Begin the job, kill it, and take it up again until it comes to its end.

        Args:
            most: kills.
            span: seconds within which a kill comes after each start.
        """
        wanted = self._source.randint(1, most)
        while self.kills < wanted and not self._finished():
            self._once(self._source.uniform(0, span))
        while not self._finished():
            self._once(None)

    def _once(self, delay: float | None) -> None:
        """Start a program and let it end, or kill it after so many seconds if it has not ended by then."""
        arguments: list[object] = ["run", self._job]
        if self._known() and self._source.random() < 0.5:
            arguments = ["resume"]
        verb = arguments[0]
        arguments += ["--output", "json", "--env-file", self._env_file]
        with (
            (self.home / "events.jsonl").open("ab") as events,
            Running(*arguments, home=self.home, stdout=events.fileno()) as program,
        ):
            if delay is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    program.process.wait(delay)
                if program.process.poll() is None:
                    program.signal(signal.SIGKILL)
                    self.kills += 1
            code, said = program.end()
            killed = code == -signal.SIGKILL
            self.told.append(f"{verb} killed after {delay:.3f} s" if killed else f"{verb} to its end")
            if not killed:
                assert code == 0, f"{self.told}: exit code {code}: {said}"

    # --- what must hold at the end ------------------------------------------------------------------------

    def check(self) -> None:
        """Look at everything: the service, the disk and the journal."""
        story = "; ".join(self.told)
        (record,) = self._known()
        events, owed = asyncio.run(_events(self._journal, record.run_id))
        wanted = {f"t-{number:03}" for number in range(self._tasks)}
        ran = {path.name: path.read_text().count("\n") for path in (self.home / "ran").iterdir()}
        assert ran == dict.fromkeys(wanted, 1), f"each task runs once: {story}"
        assert _events_problem(events, wanted) is None, f"{_events_problem(events, wanted)}: {story}"
        assert (record.outcome, owed) == (RunOutcome.SUCCEEDED, ()), story
        self._check_files(events, story)
        left = standing(self._env_file)
        assert {kind: ids for kind, ids in left.items() if ids} == {}, story

    def _check_files(self, events: Sequence[Event], story: str) -> None:
        results = self.home / "results" / self.home.name
        for number in range(self._tasks):
            wanted = hashlib.md5((self.home / f"data/{number:03}.txt").read_bytes() * 2).hexdigest()
            found = hashlib.md5((results / f"t-{number:03}/out.txt").read_bytes()).hexdigest()
            assert found == wanted, f"output of t-{number:03}: {story}"
        here = {
            str(path) for path in results.rglob("*") if path.is_file() and ".orchestrator" not in path.parts
        }
        told = Counter(str(event.path) for event in events if isinstance(event, OutputDownloaded))
        assert told == dict.fromkeys(here, 1), f"each file is told once: {story}"

    # --- the journal --------------------------------------------------------------------------------------

    @property
    def _journal(self) -> Path:
        return self.home / "state" / "orchestrator" / "journal.sqlite"

    def _known(self) -> tuple[RunRecord, ...]:
        return asyncio.run(_runs(self._journal)) if self._journal.exists() else ()

    def _finished(self) -> bool:
        return any(record.ended_at is not None for record in self._known())


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


def _events_problem(events: Sequence[Event], tasks: set[str]) -> str | None:
    """What is wrong with the events of a run that came to a good end; None if nothing is."""
    once: dict[object, int] = dict.fromkeys(tasks, 1)
    inputs: dict[object, int] = dict.fromkeys(range(len(tasks)), 1)
    added = (one for event in events if isinstance(event, TasksSubmitted) for one in event.task_ids)
    ended = (event.key.task_id for event in events if isinstance(event, TaskCompleted))
    brought = (event.key.task_id for event in events if isinstance(event, OutputsDownloaded))
    staged = (event.index for event in events if isinstance(event, InputStaged))
    settled = ("settled" for event in events if isinstance(event, JobSettled))
    finished = (event.sequence for event in events if isinstance(event, RunFinished))
    numbers = (event.sequence for event in events)
    return (
        _difference("number", numbers, dict.fromkeys(range(1, len(events) + 1), 1))
        or _difference("accepted", added, once)
        or _difference("completed", ended, once)
        or _difference("downloaded", brought, once)
        or _difference("staged", staged, inputs)
        or _difference("job", settled, {"settled": 1})
        or _difference("run finished", finished, {len(events): 1})
    )


def _difference(what: str, came: Iterable[object], wanted: Mapping[object, int]) -> str | None:
    found = Counter(came)
    wrong = sorted(str(name) for name in found.keys() | wanted if found[name] != wanted.get(name, 0))
    return f"{what}: {len(wrong)} not once, such as {', '.join(wrong[:5])}" if wrong else None
