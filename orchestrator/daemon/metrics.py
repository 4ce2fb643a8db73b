"""What a monitoring system sees: counted as events come, or looked up when it asks."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from orchestrator.events import Event, InputStaged, OutputDownloaded, TaskCompleted, TasksSubmitted

if TYPE_CHECKING:
    from orchestrator.daemon.service import DaemonService


class Metrics:
    """One registry a daemon, so that several may live in one program.

    Args:
        service: whose state is looked up when somebody asks.
    """

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, service: DaemonService) -> None:
        self._registry = CollectorRegistry()
        self._state = _State(service)
        self._registry.register(self._state)
        self._submitted = self._counter("tasks_submitted", "Tasks that the service accepted.")
        self._ended = Counter(
            "orchestrator_tasks_ended", "Tasks that ended.", ["result"], registry=self._registry
        )
        self._staged = self._counter("staged_bytes", "Bytes of inputs that were staged.")
        self._downloaded = self._counter("downloaded_bytes", "Bytes of outputs that were downloaded.")
        self.requests = Counter(
            "orchestrator_http_requests", "Answers by status.", ["method", "status"], registry=self._registry
        )
        self.cut_off = self._counter("listeners_cut_off", "Event streams that were ended as too slow.")

    def count(self, event: Event) -> None:
        """Count an event of any run."""
        match event:
            case TasksSubmitted():
                self._submitted.inc(len(event.task_ids))
            case TaskCompleted():
                self._ended.labels("succeeded" if event.exit_code == 0 else "failed").inc()
            case InputStaged():
                self._staged.inc(event.size)
            case OutputDownloaded():
                self._downloaded.inc(event.size)
            case _:
                pass

    def exposition(self, runs: dict[str, int]) -> bytes:
        """Everything, in the text form of Prometheus.

        Args:
            runs: how many runs there are, by outcome or phase.
        """
        self._state.runs = runs
        return generate_latest(self._registry)

    def _counter(self, name: str, told: str) -> Counter:
        return Counter(f"orchestrator_{name}", told, registry=self._registry)


class _State(Collector):
    """What is there at this moment."""

    def __init__(self, service: DaemonService) -> None:
        self._service = service
        self.runs: dict[str, int] = {}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        service = self._service
        yield _family("runs", "Runs by phase, or by outcome where they are over.", "state", self.runs)
        tasks: Counts[str] = Counts()
        desk = getattr(service, "desk", None)
        for job_run in desk.job_runs() if desk is not None else ():
            for state, count in job_run.progress.tasks_by_state:
                tasks[state.value] += count
        yield _family("tasks", "Tasks of the runs under way, by state.", "state", tasks)
        if desk is None:
            return
        yield GaugeMetricFamily("orchestrator_runs_waiting", "Runs in line.", value=desk.waiting)
        yield GaugeMetricFamily("orchestrator_runs_under_way", "Runs under way.", value=desk.under_way)
        yield GaugeMetricFamily(
            "orchestrator_loop_lag_seconds",
            "By how much the last beat was late.",
            value=service.heartbeat.lag,
        )
        yield GaugeMetricFamily(
            "orchestrator_loop_lag_worst_seconds",
            "The same for the worst of the last few hundred beats.",
            value=service.heartbeat.worst_lag,
        )
        yield GaugeMetricFamily("orchestrator_listeners", "Open event streams.", value=service.listeners)
        yield GaugeMetricFamily(
            "orchestrator_events_head", "Number of the newest event.", value=service.feed.head
        )
        yield GaugeMetricFamily(
            "orchestrator_ready", "1 where runs are taken and the account answers.", value=int(ready(service))
        )


def ready(service: DaemonService) -> bool:
    """Whether runs are taken and the account answers."""
    return service.desk.taking and service.account.problem is None


def _family(name: str, told: str, label: str, values: dict[str, int] | Counts[str]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"orchestrator_{name}", told, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family
