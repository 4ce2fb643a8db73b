from __future__ import annotations

from pathlib import Path

from orchestrator.daemon.task_tables import TaskTables
from orchestrator.events import Event, TasksSubmitted
from orchestrator.journal import Journal


async def test_tables_together_have_no_more_tasks_than_they_may_but_for_the_last(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "journal.sqlite")
    try:
        for run_id in ("a", "b"):
            await journal.begin_run(run_id, job_id="job", pool_id="pool", account="account")
            events: list[Event] = [
                TasksSubmitted(run_id=run_id, job_id="job", task_ids=("1", "2", "3"), sequence=1)
            ]
            await journal.record(events)
        tables = TaskTables(journal, kept=10, tasks=3)
        first = await tables.of("a")
        assert len(first) == 3
        assert await tables.of("a") is first
        assert len(await tables.of("b")) == 3
        assert await tables.of("a") is not first
        small = TaskTables(journal, kept=10, tasks=1)
        assert len(await small.of("a")) == 3
    finally:
        await journal.close()
