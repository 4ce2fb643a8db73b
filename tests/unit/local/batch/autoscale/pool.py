"""A pool for formulas to run on: what was sampled, and what it has now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from orchestrator.local.batch.autoscale import Current, Evaluation, Metrics, evaluate

BORN = datetime(2024, 3, 4, 9, 0, tzinfo=UTC)
"""A Monday."""

NOW = BORN + timedelta(hours=1)

POOL = Current(target_dedicated=2, target_low_priority=0, dedicated=2, low_priority=1, task_slots_per_node=4)
UNCHANGED = "$TargetDedicatedNodes=2;$TargetLowPriorityNodes=0;$NodeDeallocationOption=requeue"


def sampled(values: dict[str, float], since: datetime = BORN, **options: timedelta) -> Metrics:
    metrics = Metrics(BORN, **options)
    for name, value in values.items():
        metrics.record(name, since, value)
    return metrics


def run(
    formula: str, metrics: Metrics | None = None, *, now: datetime = NOW, pool: Current = POOL
) -> Evaluation:
    return evaluate(formula, now=now, metrics=metrics or Metrics(BORN), current=pool)


def value(expression: str, metrics: Metrics | None = None, *, now: datetime = NOW) -> str:
    """Give what the expression is, as `results` write it."""
    evaluation = run(f"answer = {expression}", metrics, now=now)
    assert evaluation.error is None, evaluation.error
    return evaluation.results.rpartition("answer=")[2]


def failure(formula: str, metrics: Metrics | None = None, *, now: datetime = NOW) -> str:
    """Give why the formula fails, and see that it changes nothing."""
    evaluation = run(formula, metrics, now=now)
    assert evaluation.error is not None, evaluation.results
    assert evaluation.results == UNCHANGED
    assert evaluation.target_dedicated is None
    assert evaluation.target_low_priority is None
    [(name, text)] = evaluation.error.values
    assert name == "Message"
    return text
