from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from orchestrator import events
from orchestrator.cli.render.console import plain_console
from orchestrator.cli.render.json_lines import JsonLines, as_line
from orchestrator.cli.render.lines import line, trouble
from orchestrator.cli.render.quiet import Quiet
from orchestrator.cli.render.text import Text
from orchestrator.handlers.progress import Progress
from orchestrator.states import FailureInfo, RunOutcome, TaskState
from tests.unit.cli.runs import BEGAN, RUN, key, result

FAILURE = FailureInfo(category="usererror", code="FailureExitCode", message="The task exited with 3")
FAILED = events.TaskFailed(
    run_id=RUN,
    key=key("t-3"),
    previous=TaskState.RUNNING,
    state=TaskState.COMPLETED,
    exit_code=3,
    failure=FAILURE,
)
FILES = events.OutputsDownloaded(
    run_id=RUN,
    key=key("t-3"),
    outputs=(Path("/results/job-1/t-3/stdout.txt"), Path("/results/job-1/t-3/stderr.txt")),
    size=9,
)


class FlushCounter(io.BytesIO):
    flushes = 0

    def flush(self) -> None:
        self.flushes += 1
        super().flush()


def text_of(*told: events.Event, finished: object = None) -> str:
    stream = io.StringIO()
    with Text(plain_console(stream)) as renderer:
        for event in told:
            renderer.show(event)
        if isinstance(finished, events.RunFinished):
            renderer.finish(finished.result)
    return stream.getvalue()


def test_json_is_one_event_a_line_with_its_class_name_and_each_is_flushed() -> None:
    stream = FlushCounter()
    renderer = JsonLines(stream)
    renderer.show(FAILED)
    assert stream.flushes == 1
    renderer.show(events.RunFinished(run_id=RUN, result=result(tasks=1)))
    assert stream.flushes == 2
    first, last = map(json.loads, stream.getvalue().splitlines())
    assert first["event"] == "TaskFailed"
    assert first["failure"]["code"] == "FailureExitCode"
    assert last["event"] == "RunFinished"
    assert last["result"]["tasks"] == 1
    assert last["result"]["download_dir"] == "/results"


def test_a_newline_in_a_name_does_not_break_a_line_of_json() -> None:
    written = as_line(events.DownloadFailed(run_id=RUN, key=key("t"), name="two\nlines", reason="x"))
    assert written.count(b"\n") == 1
    assert json.loads(written)["name"] == "two\nlines"


def test_the_summary_says_when_how_many_and_where() -> None:
    told = text_of(finished=events.RunFinished(run_id=RUN, result=result()))
    for word in ("start", "end", "elapsed  0:01:15", "results: /results/job-1"):
        assert word in told


def test_the_summary_names_a_failed_task_with_its_code_and_its_stderr() -> None:
    ended = events.RunFinished(run_id=RUN, result=result(RunOutcome.TASKS_FAILED, failed=1))
    table = text_of(FAILED, FILES, finished=ended).split("elapsed")[1]
    row = next(row for row in table.splitlines() if row.startswith("t-3"))
    assert "exit code 3" in row
    assert "FailureExitCode" in row
    assert row.split()[-1] == "/results/job-1/t-3/stderr.txt"


def test_a_place_below_the_current_folder_is_named_from_there() -> None:
    here = Path.cwd() / "results/job-1/t-3/stderr.txt"
    files = events.OutputsDownloaded(run_id=RUN, key=key("t-3"), outputs=(here,), size=9)
    ended = events.RunFinished(run_id=RUN, result=result(RunOutcome.TASKS_FAILED, failed=1))
    table = text_of(FAILED, files, finished=ended).split("elapsed")[1]
    row = next(row for row in table.splitlines() if row.startswith("t-3"))
    assert row.split()[-1] == "results/job-1/t-3/stderr.txt"


def test_the_summary_lists_what_is_kept_and_what_is_left() -> None:
    kept = events.ResourceKept(run_id=RUN, kind="job", id="job-1", reason="policy never")
    ended = events.RunFinished(run_id=RUN, result=result(leftovers=("pool small",)))
    told = text_of(kept, finished=ended)
    assert "kept: job job-1 (policy never)" in told
    assert "left behind, and may cost money: pool small" in told


def test_the_summary_does_not_grow_with_the_job() -> None:
    many = [
        events.TaskAbandoned(run_id=RUN, key=key(f"t-{number}"), reason="time limit") for number in range(500)
    ]
    ended = events.RunFinished(run_id=RUN, result=result(RunOutcome.TIMED_OUT, abandoned=500))
    summary = text_of(*many, finished=ended).split("elapsed")[1]
    assert "... and 480 more" in summary
    assert len(summary.splitlines()) < 40


@pytest.mark.parametrize("hostile", ["\x1b[31m", "[red]", ":smile:", "a\nb"])
def test_a_hostile_name_is_shown_and_not_obeyed(hostile: str) -> None:
    failed = events.DownloadFailed(run_id=RUN, key=key("t-1"), name=hostile, reason=hostile, time=BEGAN)
    (told,) = text_of(failed).splitlines()
    assert "\x1b" not in told
    assert hostile.replace("\x1b", "\\x1b").replace("\n", "\\n") in told


def test_trouble_is_part_of_the_lines_and_success_is_not_trouble() -> None:
    done = events.TaskSucceeded(
        run_id=RUN, key=key("t-1"), previous=TaskState.RUNNING, state=TaskState.COMPLETED, exit_code=0
    )
    assert line(FAILED) == trouble(FAILED) == "task t-3 failed: exit code 3, usererror/FailureExitCode"
    assert trouble(done) is None
    assert line(done) == "task t-1 succeeded"


def test_quiet_says_only_what_somebody_has_to_act_on() -> None:
    stream = io.StringIO()
    quiet = Quiet(stream)
    quiet.show(FAILED)
    quiet.finish(result())
    assert stream.getvalue() == ""
    quiet.finish(result(error="refused", leftovers=("pool small",)))
    assert stream.getvalue() == "orchestrator: refused\nleft behind: pool small\n"


def test_quiet_says_how_many_failed_and_where_to_look() -> None:
    stream = io.StringIO()
    Quiet(stream).finish(result(RunOutcome.TASKS_FAILED, succeeded=2, failed=1, missing_outputs=4))
    assert stream.getvalue().splitlines() == [
        "orchestrator: 1 of 3 tasks failed; their stderr.txt is below /results/job-1",
        "orchestrator: 4 outputs are missing below /results/job-1",
    ]


def test_the_summary_names_the_input_of_a_failed_task_and_the_outputs_that_are_missing() -> None:
    missing = events.OutputsDownloaded(
        run_id=RUN, key=key("t-1"), outputs=(), size=0, missing=(("a.txt", "no such blob"),)
    )
    stream = io.StringIO()
    with Text(plain_console(stream)) as renderer:
        renderer.follow(Progress, {"t-3": "chapter 3.txt"}.get)
        for event in (FAILED, missing):
            renderer.show(event)
        renderer.finish(result(RunOutcome.TASKS_FAILED, failed=1, missing_outputs=22))
    rows = stream.getvalue().split("elapsed")[1].splitlines()
    assert any(row.startswith("t-3") and "chapter 3.txt" in row for row in rows)
    assert any(row.split() == ["t-1", "a.txt", "no", "such", "blob"] for row in rows)
    assert any(row.startswith("... and 21 more") for row in rows)
