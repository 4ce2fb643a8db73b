"""A run whose program was killed goes on where it was, and every event of it is told at least once."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator import (
    ConfigError,
    Event,
    JobSettled,
    JournalError,
    Orchestrator,
    RunFinished,
    RunHeldError,
    RunOutcome,
    RunResumed,
    SpecError,
    TaskCompleted,
    TaskStarted,
    load_job,
)
from tests.acceptance.jobs import standing, write_job
from tests.acceptance.program import Running, orchestrator
from tests.flow.conftest import FAST

# Commands write into `ran`, so that what ran twice shows; the third input makes a task that takes a while.
COMMAND = "echo ran >> '{ran}'/$AZ_BATCH_TASK_ID; wc -w {{file}} > words.out; {rest}"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "ran").mkdir()
    return tmp_path


def job_file(home: Path, *, rest: str = "true", top: str = "", files: int = 3) -> Path:
    """A job that is called the same each time."""
    path = write_job(home, command=COMMAND.format(ran=home / "ran", rest=rest), files=files, top=top)
    fixed = (
        path.read_text().replace("job-{run}", home.name.replace("_", "-")).replace("pool-{run}", home.name)
    )
    path.write_text(fixed)
    return path


def killed(home: Path, service: Path, job: Path, *, at: str) -> list[dict[str, object]]:
    """Run a job in a program of its own, which is killed at its first event of that class."""
    events = []
    with Running("run", job, "--output", "json", "--env-file", service, home=home) as program:
        while (event := program.event()) is not None:
            events.append(event)
            if event["event"] == at:
                program.signal(signal.SIGKILL)
                return events
    raise AssertionError(f"it ended without {at}")


@contextlib.contextmanager
def refusing(path: Path, event: str) -> Iterator[None]:
    """Let a journal refuse to write down one class of events."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as journal:
        journal.execute(
            f"CREATE TRIGGER refusing BEFORE INSERT ON events WHEN NEW.event = '{event}'"
            " BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        )
        yield
        journal.execute("DROP TRIGGER refusing")


def ran(home: Path) -> dict[str, int]:
    return {path.name: path.read_text().count("\n") for path in (home / "ran").iterdir()}


def mine(home: Path, service: Path, run_id: str) -> list[str]:
    """What the service still holds of a run."""
    names = (home.name, home.name.replace("_", "-"), run_id)
    return [one for held in standing(service).values() for one in held if any(name in one for name in names)]


def opened(home: Path, service: Path) -> Orchestrator:
    """An orchestrator with the journal that the killed program wrote."""
    return Orchestrator.local(env_file=service, limits=FAST, journal_dir=home / "state" / "orchestrator")


@pytest.mark.parametrize(
    "moment",
    [
        "RunStarted",
        "StagingStarted",
        "InputStaged",
        "PoolCreated",
        "JobCreated",
        "TasksSubmitted",
        "SubmissionCompleted",
        "TaskSucceeded",
        "OutputDownloaded",
        "OutputsDownloaded",
        "JobSettled",
        "ResourceDeleted",
        "CleanupCompleted",
    ],
)
async def test_a_run_that_is_killed_at_any_moment_comes_to_its_end(
    home: Path, service: Path, moment: str
) -> None:
    before = killed(home, service, job_file(home), at=moment)
    seen: list[Event] = []
    async with opened(home, service) as again:
        again.on(Event, seen.append)
        (run,) = await again.resume()
        result = await run.wait()
        assert await again.unfinished() == ()
    assert (result.outcome, result.succeeded, result.leftovers) == (RunOutcome.SUCCEEDED, 3, ())
    assert ran(home) == {"t-0": 1, "t-1": 1, "t-2": 1}
    assert mine(home, service, result.run_id) == []
    assert [event.sequence for event in seen] == list(range(1, len(seen) + 1))
    # What the dead program told has its number still.
    assert [event["sequence"] for event in before] == [event.sequence for event in seen[: len(before)]]
    ended = Counter(event.key.task_id for event in seen if isinstance(event, TaskCompleted))
    assert ended == {"t-0": 1, "t-1": 1, "t-2": 1}
    assert [type(event) for event in seen if isinstance(event, JobSettled | RunFinished)] == [
        JobSettled,
        RunFinished,
    ]
    assert any(isinstance(event, RunResumed) for event in seen)


async def test_the_same_job_file_goes_on_with_the_run_that_was_killed(home: Path, service: Path) -> None:
    job = job_file(home)
    before = killed(home, service, job, at="TasksSubmitted")
    again = orchestrator("run", job, "--output", "text", "--env-file", service, home=home)
    assert again.returncode == 0, again.stderr
    assert f"goes on with run {before[0]['run_id']}" in again.stderr
    assert ran(home) == {"t-0": 1, "t-1": 1, "t-2": 1}


async def test_the_same_job_with_other_inputs_is_refused_with_the_remedy(home: Path, service: Path) -> None:
    job = job_file(home)
    run_id = str(killed(home, service, job, at="TasksSubmitted")[0]["run_id"])
    (home / "data/0.txt").write_text("changed")
    async with opened(home, service) as again:
        with pytest.raises(SpecError, match=f"orchestrator resume {run_id}"):
            await again.submit(load_job(job))
        (run,) = await again.resume(run_id)
        assert (await run.wait()).outcome is RunOutcome.SUCCEEDED


async def test_a_run_that_another_program_drives_is_not_taken_from_it(home: Path, service: Path) -> None:
    job = job_file(home, rest="sleep 60")
    with Running("run", job, "--output", "json", "--env-file", service, home=home) as program:
        run_id = program.until("TasksSubmitted")["run_id"]
        async with opened(home, service) as other:
            assert await other.unfinished() == ()
            with pytest.raises(RunHeldError, match=f"process {program.process.pid}"):
                await other.resume(run_id)
            with pytest.raises(RunHeldError, match=f"process {program.process.pid}"):
                await other.submit(load_job(job))
        program.signal(signal.SIGINT)
        assert program.until("RunFinished")["result"]["leftovers"] == []


async def test_an_input_that_changed_and_was_not_uploaded_yet_is_named(home: Path, service: Path) -> None:
    killed(home, service, job_file(home, files=40), at="StagingStarted")
    for path in (home / "data").iterdir():
        os.utime(path, ns=(1, 1))
    async with opened(home, service) as again:
        (run,) = await again.resume()
        result = await run.wait()
    assert result.outcome is RunOutcome.ERROR
    assert ".txt: was changed after the run began" in str(result.error)
    assert result.leftovers == ()


@pytest.mark.parametrize("moment", ["SubmissionCompleted", "TaskStarted"])
async def test_a_time_that_no_program_saw_does_not_count_against_what_ended_in_it(
    home: Path, service: Path, moment: str
) -> None:
    killed(home, service, job_file(home, top='timeout = "1s"', rest="sleep 2"), at=moment)
    async with opened(home, service) as again:
        (run,) = await again.resume()
        result = await run.wait()
    assert (result.outcome, result.succeeded) == (RunOutcome.SUCCEEDED, 3)


async def test_a_run_that_was_given_up_when_it_was_killed_is_only_cleaned_up(
    home: Path, service: Path
) -> None:
    job = job_file(home, rest="sleep 60")
    with Running("run", job, "--output", "json", "--env-file", service, home=home) as program:
        run_id = program.until("TaskStarted")["run_id"]
        program.signal(signal.SIGINT)
        program.until("RunInterrupted")
        program.signal(signal.SIGKILL)
    async with opened(home, service) as again:
        (run,) = await again.resume()
        result = await run.wait()
    assert (result.outcome, result.abandoned, result.leftovers) == (RunOutcome.CANCELLED, 3, ())
    assert mine(home, service, run_id) == []


async def test_a_run_whose_service_died_with_its_program_is_closed_and_that_is_said(home: Path) -> None:
    job = job_file(home, rest="sleep 60")
    with Running("run", job, "--output", "json", home=home) as program:
        run_id = program.until("TasksSubmitted")["run_id"]
        program.signal(signal.SIGKILL)
    again = orchestrator("resume", "--output", "json", home=home)
    end = json.loads(again.stdout.splitlines()[-1])
    assert (end["event"], end["run_id"], end["result"]["leftovers"]) == ("RunFinished", run_id, [])
    assert "is gone from the service" in end["result"]["error"]
    listed = orchestrator("runs", "--output", "json", home=home)
    (told,) = map(json.loads, listed.stdout.splitlines())
    assert (told["run_id"], told["outcome"], told["owed"]) == (run_id, "error", [])


@pytest.mark.parametrize("moment", ["TaskFailed", "JobSettled"])
async def test_what_had_failed_before_the_program_died_is_listed_too(
    home: Path, service: Path, moment: str
) -> None:
    rest = "case $AZ_BATCH_TASK_ID in t-0) exit 3;; *) sleep 1;; esac"
    killed(home, service, job_file(home, rest=rest), at=moment)
    async with opened(home, service) as again:
        (run,) = await again.resume()
        result = await run.wait()
    assert (result.outcome, result.failed, result.succeeded) == (RunOutcome.TASKS_FAILED, 1, 2)
    (listed,) = (home / "results").glob("*/failed.json")
    assert [one["task"] for one in json.loads(listed.read_text())["failed"]] == ["t-0"]


async def test_a_run_that_can_not_even_be_begun_again_stays_to_be_taken_up(home: Path, service: Path) -> None:
    run_id = str(killed(home, service, job_file(home), at="JobCreated")[0]["run_id"])
    with refusing(home / "state" / "orchestrator" / "journal.sqlite", "RunResumed"):
        async with opened(home, service) as again:
            (run,) = await again.resume()
            await run.wait()
            assert isinstance(run.error, JournalError)
            assert [record.run_id for record in await again.unfinished()] == [run_id]
    async with opened(home, service) as again:
        (run,) = await again.resume()
        assert (await run.wait()).outcome is RunOutcome.SUCCEEDED
    assert mine(home, service, run_id) == []


@pytest.mark.parametrize(("event", "ended"), [("TaskSucceeded", (0, 3)), ("OutputsDownloaded", (0, 0))])
async def test_an_end_that_could_not_be_written_down_keeps_no_run_waiting(
    home: Path, service: Path, event: str, ended: tuple[int, int]
) -> None:
    async with opened(home, service) as here:
        with refusing(home / "state" / "orchestrator" / "journal.sqlite", event):
            run = await here.submit(load_job(job_file(home)))
            result = await run.wait()
    assert isinstance(run.error, JournalError)
    assert (result.succeeded, result.abandoned) == ended
    assert (result.leftovers, result.outcome is RunOutcome.SUCCEEDED) == ((), False)
    # What was on its way when it was given up stays in its container.
    assert [one for one in mine(home, service, run.run_id) if not one.startswith("out-")] == []


@pytest.mark.parametrize("event", ["JobSettled", "CleanupCompleted"])
async def test_a_clean_up_that_could_not_be_told_is_taken_up_again(
    home: Path, service: Path, event: str
) -> None:
    async with opened(home, service) as here:
        with refusing(home / "state" / "orchestrator" / "journal.sqlite", event):
            run = await here.submit(load_job(job_file(home)))
            await run.wait()
        assert isinstance(run.error, JournalError)
        (again,) = await here.resume()
        result = await again.wait()
    assert (again.run_id, result.outcome, result.leftovers) == (run.run_id, RunOutcome.SUCCEEDED, ())
    assert ran(home) == {"t-0": 1, "t-1": 1, "t-2": 1}
    assert mine(home, service, run.run_id) == []


async def test_a_run_that_is_over_or_unknown_can_not_be_taken_up(home: Path, service: Path) -> None:
    async with opened(home, service) as opened_here:
        run = await opened_here.submit(load_job(job_file(home)))
        await run.wait()
        with pytest.raises(ConfigError, match="it is over already"):
            await opened_here.resume(run.run_id)
        with pytest.raises(ConfigError, match="knows no such run"):
            await opened_here.resume("r-0")
        assert await opened_here.resume() == ()


async def test_a_new_run_says_that_others_are_unfinished_and_how_to_take_them_up(
    home: Path, service: Path
) -> None:
    run_id = str(killed(home, service, job_file(home), at="JobCreated")[0]["run_id"])
    (home / "other").mkdir()
    other = write_job(home / "other", command="true")
    told = orchestrator("run", other, "--output", "quiet", "--env-file", service, home=home)
    assert f"1 unfinished: {run_id}; `orchestrator resume`" in told.stderr
    assert ran(home) == {}
    resumed = orchestrator("resume", "--output", "quiet", "--env-file", service, home=home)
    assert resumed.returncode == 0, resumed.stderr
    assert ran(home) == {"t-0": 1, "t-1": 1, "t-2": 1}


async def test_a_run_that_lives_on_another_service_is_never_closed_for_it(home: Path, service: Path) -> None:
    job = job_file(home)
    run_id = str(killed(home, service, job, at="TasksSubmitted")[0]["run_id"])
    async with opened(home, service) as right:
        there = right.account.endpoint
    async with Orchestrator.local(
        environ={}, limits=FAST, journal_dir=home / "state" / "orchestrator"
    ) as wrong:
        both = f"(?s)(?=.*{there})(?=.*{wrong.account.endpoint}).*resume"
        with pytest.raises(ConfigError, match=both):
            await wrong.resume(run_id)
        with pytest.raises(ConfigError, match=both):
            await wrong.submit(load_job(job))
        assert await wrong.resume() == ()
    told = orchestrator("resume", home=home)
    assert (told.returncode, there in told.stderr) == (2, True)
    async with opened(home, service) as right:
        (run,) = await right.resume()
        assert (await run.wait()).outcome is RunOutcome.SUCCEEDED
    assert ran(home) == {"t-0": 1, "t-1": 1, "t-2": 1}


async def test_a_run_that_can_not_be_taken_up_keeps_no_other_from_going_on(home: Path, service: Path) -> None:
    run_id = str(killed(home, service, job_file(home), at="TasksSubmitted")[0]["run_id"])
    async with opened(home, service) as again:
        name = again.account.name
        await again.journal.begin_run("r-old", job_id="old", pool_id="old", account=name)
        (run,) = await again.resume()
        assert (run.run_id, (await run.wait()).outcome) == (run_id, RunOutcome.SUCCEEDED)
        assert [record.run_id for record in await again.unfinished()] == ["r-old"]
    told = orchestrator("resume", "--env-file", service, home=home)
    assert (told.returncode, "it has no plan of run r-old" in told.stderr) == (3, True)


async def test_what_a_run_that_is_over_has_left_is_deleted_later(home: Path, service: Path) -> None:
    async with opened(home, service) as first:
        run = await first.submit(load_job(job_file(home, rest="sleep 60")))
        await anext(run.events(TaskStarted))
        run.stop()
        left = (await run.wait()).leftovers
        assert sorted(one.split()[0] for one in left) == ["container", "container", "job", "pool"]
        assert await first.resume() == ()
    told = orchestrator("resume", "--env-file", service, home=home)
    assert (told.returncode, mine(home, service, run.run_id)) == (0, []), told.stderr
    async with opened(home, service) as later:
        assert await later.journal.owed() == ()
