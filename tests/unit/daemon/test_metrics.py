from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from orchestrator.daemon.config import DaemonConfig
from orchestrator.daemon.service import DaemonService
from orchestrator.events import TaskFailed, TaskRequeued, TasksSubmitted, TaskSucceeded, utc_now
from orchestrator.states import TaskKey, TaskState

KEY = TaskKey(job_id="job", task_id="t")


def figures(service: DaemonService) -> dict[str, float]:
    text = service.metrics.exposition().decode()
    return {
        f"{sample.name}{''.join(f'[{value}]' for value in sample.labels.values())}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_how_tasks_end_is_the_service_s_word_and_not_their_exit_code(tmp_path: Path) -> None:
    service = DaemonService(DaemonConfig(state_dir=str(tmp_path)), environ={})
    now = utc_now()
    told = {"key": KEY, "run_id": "r", "previous": None}
    ended = {**told, "state": TaskState.COMPLETED, "ended_at": now, "time": now}
    service.metrics.count(TaskSucceeded(exit_code=3, **ended))  # type: ignore[arg-type]
    late = {**ended, "time": now + timedelta(seconds=3)}
    service.metrics.count(TaskFailed(exit_code=0, **late))  # type: ignore[arg-type]
    service.metrics.count(TasksSubmitted(run_id="r", job_id="job", task_ids=("a", "b")))
    service.metrics.count(TaskRequeued(key=KEY, run_id="r", state=TaskState.ACTIVE, previous=None))
    found = figures(service)
    assert found["orchestrator_tasks_ended_total[succeeded]"] == 1
    assert found["orchestrator_tasks_ended_total[failed]"] == 1
    assert found["orchestrator_tasks_submitted_total"] == 2
    assert found["orchestrator_tasks_retried_total"] == 1
    assert found["orchestrator_task_detection_delay_seconds_bucket[2.0]"] == 1
    assert found["orchestrator_task_detection_delay_seconds_sum"] == 3


def test_a_scrape_before_the_daemon_is_open_tells_what_was_counted(tmp_path: Path) -> None:
    found = figures(DaemonService(DaemonConfig(state_dir=str(tmp_path)), environ={}))
    assert found["orchestrator_tasks_submitted_total"] == 0
    assert "orchestrator_runs_waiting" not in found
