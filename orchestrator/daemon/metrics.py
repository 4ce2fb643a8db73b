"""What a monitoring system sees: counted as events come, or looked up when it asks."""

from __future__ import annotations

import asyncio
from collections import Counter as Counts
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from orchestrator.errors import NotOpenError
from orchestrator.events import (
    Event,
    InputStaged,
    OutputDownloaded,
    TaskAbandoned,
    TaskCompleted,
    TaskRequeued,
    TasksRejected,
    TasksSubmitted,
    TaskSucceeded,
)

if TYPE_CHECKING:
    from orchestrator.daemon.service import DaemonService


_DELAYS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
_LAGS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


class Metrics:
    """One registry a daemon, so that several may live in one program.

    Args:
        service: whose state is looked up when somebody asks.
    """

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, service: DaemonService) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_State(service))
        self._submitted = self._counter("tasks_submitted", "Tasks that the service accepted.")
        self._ended = Counter(
            "orchestrator_tasks_ended", "Tasks that ended.", ["result"], registry=self._registry
        )
        self._rejected = self._counter("tasks_rejected", "Tasks that the service refused.")
        self._abandoned = self._counter("tasks_abandoned", "Tasks that were given up.")
        self._retried = self._counter("tasks_retried", "Times that a task had to run again.")
        self._delay = Histogram(
            "orchestrator_task_detection_delay_seconds",
            "From a task's end, by the service's clock, to its being noticed, by this machine's.",
            buckets=_DELAYS,
            registry=self._registry,
        )
        self.lag = Histogram(
            "orchestrator_loop_beat_lag_seconds",
            "Seconds by which beats of the loop were late.",
            buckets=_LAGS,
            registry=self._registry,
        )
        self._staged = self._counter("staged_bytes", "Bytes of inputs that were staged.")
        self._downloaded = self._counter("downloaded_bytes", "Bytes of outputs that were downloaded.")
        self.requests = Counter(
            "orchestrator_http_requests", "Answers by status.", ["method", "status"], registry=self._registry
        )
        self._deliveries = Counter(
            "orchestrator_webhook_deliveries",
            "Tries to tell a receiver, by how they ended.",
            ["host", "result"],
            registry=self._registry,
        )
        self.cut_off = self._counter("listeners_cut_off", "Event streams that were ended as too slow.")

    def count(self, event: Event) -> None:
        """Count an event of any run."""
        match event:
            case TasksSubmitted():
                self._submitted.inc(len(event.task_ids))
            case TasksRejected():
                self._rejected.inc(len(event.rejections))
            case TaskAbandoned():
                self._abandoned.inc()
            case TaskRequeued():
                self._retried.inc()
            case TaskCompleted():
                self._ended.labels("succeeded" if isinstance(event, TaskSucceeded) else "failed").inc()
                if event.ended_at is not None:
                    self._delay.observe(max((event.time - event.ended_at).total_seconds(), 0.0))
            case InputStaged():
                self._staged.inc(event.size)
            case OutputDownloaded():
                self._downloaded.inc(event.size)
            case _:
                pass

    def delivered(self, host: str, *, ok: bool) -> None:
        """Count a try to tell a webhook's receiver."""
        self._deliveries.labels(host, "confirmed" if ok else "failed").inc()

    def exposition(self) -> bytes:
        """Everything, in the text form of Prometheus. Nothing is waited for."""
        return generate_latest(self._registry)

    def _counter(self, name: str, told: str) -> Counter:
        return Counter(f"orchestrator_{name}", told, registry=self._registry)


class _State(Collector):
    """What is there at this moment."""

    def __init__(self, service: DaemonService) -> None:
        self._service = service

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        service = self._service
        if (desk := getattr(service, "desk", None)) is None:
            return  # it is not open yet
        told = "Runs by phase, or by outcome where they are over."
        yield _family("runs", told, "state", service.intake.counts)
        tasks: Counts[str] = Counts()
        for job_run in desk.job_runs():
            for state, count in job_run.progress.tasks_by_state:
                tasks[state.value] += count
        yield _family("tasks", "Tasks of the runs under way, by state.", "state", tasks)
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
        yield GaugeMetricFamily(
            "orchestrator_loop_lag_p99_seconds",
            "The same for all but the worst hundredth of them.",
            value=service.heartbeat.usual_lag,
        )
        yield GaugeMetricFamily(
            "orchestrator_loop_tasks", "Tasks of the loop that are not over.", value=len(asyncio.all_tasks())
        )
        yield GaugeMetricFamily("orchestrator_listeners", "Open event streams.", value=service.listeners)
        yield GaugeMetricFamily(
            "orchestrator_events_head", "Number of the newest event.", value=service.feed.head
        )
        yield GaugeMetricFamily(
            "orchestrator_ready", "1 where runs are taken and the account answers.", value=int(ready(service))
        )
        yield _family(
            "cleanup_owed", "What runs have created and not deleted yet.", "kind", service.owing.told
        )
        yield from _of_the_account(service)


def _of_the_account(service: DaemonService) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
    try:
        account = service.orchestrator.account
        batch, storage = account.batch, account.storage
    except NotOpenError:
        return  # it has been closed already
    told = {
        "requests": ("Requests to the Batch account, tries included.", batch.rate.requests),
        "requests_retried": ("Those of them that were not the first try.", batch.rate.repeated),
        "requests_throttled": ("Those that the service put off.", batch.rate.put_off),
        "requests_waited_seconds": ("How long they waited for requests_per_second.", batch.rate.waited),
        "looks_waited_seconds": ("How long looks waited for looks_per_second.", batch.looks.waited),
    }
    for name, (what, value) in told.items():
        yield CounterMetricFamily(f"orchestrator_account_{name}", what, value=value)
    yield GaugeMetricFamily(
        "orchestrator_quota_waiting", "Runs that wait for room under a quota.", value=len(batch.waiting)
    )
    yield GaugeMetricFamily(
        "orchestrator_transfer_bytes_free",
        "How much of transfer_bytes no transfer holds.",
        value=storage.memory_free,
    )


def ready(service: DaemonService) -> bool:
    """Whether runs are taken and the account answers."""
    return service.desk.taking and service.account.problem is None


def _family(name: str, told: str, label: str, values: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"orchestrator_{name}", told, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family
