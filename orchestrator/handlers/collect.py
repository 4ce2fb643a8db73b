"""Joins each task's end with its files into a result, and sees when the whole job is settled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

from orchestrator.events import (
    Event,
    JobSettled,
    OutputsDownloaded,
    Publish,
    RunInterrupted,
    SubmissionCompleted,
    TaskAbandoned,
    TaskCompleted,
    TaskFailed,
    TasksSubmitted,
)
from orchestrator.handlers.expectations import Expectations
from orchestrator.results import TaskResult
from orchestrator.spec.task_set import TaskNumbers, TaskSet
from orchestrator.states import RunOutcome


class CollectHandler:
    """Delivers one `TaskResult` for each accepted task, and publishes `JobSettled` exactly once.

    The job is settled when submission is over and every accepted task is either completed, with its files
    here or given up, or abandoned. A run that is interrupted settles in the same way: whoever interrupts it
    publishes `SubmissionCompleted` if that has not happened yet, and `TaskAbandoned` for each accepted task
    that has not completed. Events that come twice change nothing.

    Args:
        publish: for `JobSettled`.
        deliver: takes each result; it must not wait for whoever reads the results.
        expectations: for the results' `input_name`.
        numbers: of the run's tasks; by default their names are kept as they are met.

    Attributes:
        accepted: tasks that the service took; 0 until submission is over.
        rejected: tasks that it refused; 0 until submission is over.
        succeeded: tasks that ended well, whatever became of their files.
        failed: tasks that the service calls failures.
        abandoned: tasks given up before they ended.
        outputs: files on this disk.
        output_bytes: their sizes together.
        missing_outputs: files that were expected and could not be brought here.
    """

    name: ClassVar[str] = "collect"
    consumes: ClassVar[tuple[type[Event], ...]] = (
        TaskCompleted,
        OutputsDownloaded,
        TaskAbandoned,
        TasksSubmitted,
        SubmissionCompleted,
        RunInterrupted,
    )
    produces: ClassVar[tuple[type[Event], ...]] = (JobSettled,)

    def __init__(
        self,
        publish: Publish,
        deliver: Callable[[TaskResult], Awaitable[None]],
        expectations: Expectations,
        numbers: TaskNumbers | None = None,
    ) -> None:
        self._publish = publish
        self._deliver = deliver
        self._expectations = expectations
        self.accepted = 0
        self.rejected = 0
        self.succeeded = 0
        self.failed = 0
        self.abandoned = 0
        self.outputs = 0
        self.output_bytes = 0
        self.missing_outputs = 0
        self._ended: dict[str, TaskCompleted] = {}
        numbers = numbers or TaskNumbers()
        self._over = TaskSet(numbers)
        self._waiting = TaskSet(numbers)
        self._submission: SubmissionCompleted | None = None
        self._interruption: RunInterrupted | None = None
        self._settled = False

    async def handle(self, event: Event, /) -> None:
        """Count it, deliver the result that it completes, and publish `JobSettled` if it was the last."""
        try:
            await self.replay(event)
        finally:
            await self._settle(event)

    async def replay(self, event: Event) -> None:
        """Take in an event of the run's past: the same, but whether the job is settled is not looked at."""
        result: TaskResult | None = None
        match event:
            case TaskCompleted():
                if event.key.task_id not in self._over:
                    self._ended.setdefault(event.key.task_id, event)
            case OutputsDownloaded():
                result = self._completed(event)
            case TaskAbandoned():
                result = self._given_up(event)
            case TasksSubmitted():
                self._waiting.update(task_id for task_id in event.task_ids if task_id not in self._over)
            case SubmissionCompleted():
                if self._submission is None:
                    self._submission = event
                    self.accepted = event.accepted
                    self.rejected = event.rejected
            case RunInterrupted():
                self._interruption = self._interruption or event
            case JobSettled():
                self._settled = True  # told before the program died
            case _:
                return
        if result is not None:
            await self._deliver(result)

    async def resume(self, run_id: str) -> None:
        """After the run's past: publish `JobSettled` if nothing but that was missing."""
        if self._submission is not None and not self._waiting:
            await self.settle_now(run_id, self._submission.job_id)

    @property
    def outcome(self) -> RunOutcome:
        """How the run ends as far as is known now."""
        if self._interruption is not None:
            return self._interruption.outcome
        if self.failed or self.abandoned or self.rejected:
            return RunOutcome.TASKS_FAILED
        return RunOutcome.OUTPUTS_MISSING if self.missing_outputs else RunOutcome.SUCCEEDED

    def _completed(self, event: OutputsDownloaded) -> TaskResult | None:
        # The bus keeps the order of events, so the task's end came before its files.
        ended = self._ended.pop(event.key.task_id, None)
        if ended is None:
            return None
        self._end(event.key.task_id)
        failure = ended.failure if isinstance(ended, TaskFailed) else None
        if isinstance(ended, TaskFailed):
            self.failed += 1
        else:
            self.succeeded += 1
        self.outputs += len(event.outputs)
        self.output_bytes += event.size
        self.missing_outputs += len(event.missing)
        return TaskResult(
            key=event.key,
            exit_code=ended.exit_code,
            failure=failure,
            input_name=self._expectations(event.key.task_id).input_name,
            started_at=ended.started_at,
            ended_at=ended.ended_at,
            retry_count=ended.retry_count,
            outputs=event.outputs,
            missing=event.missing,
        )

    def _given_up(self, event: TaskAbandoned) -> TaskResult | None:
        if event.key.task_id in self._over or event.key.task_id in self._ended:
            return None
        self._end(event.key.task_id)
        self.abandoned += 1
        self.outputs += len(event.outputs)
        return TaskResult(
            key=event.key,
            abandoned=event.reason,
            outputs=event.outputs,
            input_name=self._expectations(event.key.task_id).input_name,
        )

    def _end(self, task_id: str) -> None:
        self._over.add(task_id)
        self._waiting.discard(task_id)

    async def _settle(self, event: Event) -> None:
        if self._submission is not None and not self._waiting:
            await self.settle_now(event.run_id, self._submission.job_id)

    async def settle_now(self, run_id: str, job_id: str) -> None:
        """Publish `JobSettled`, once, whatever is still missing: clean-up must not depend on the rest."""
        if self._settled:
            return
        self._settled = True
        settled = JobSettled(
            run_id=run_id,
            job_id=job_id,
            outcome=self.outcome,
            accepted=self.accepted,
            succeeded=self.succeeded,
            failed=self.failed,
            abandoned=self.abandoned,
            missing_outputs=self.missing_outputs,
        )
        try:
            await self._publish(settled)
        except BaseException:
            self._settled = False  # nobody was told, so the next one to ask has to tell
            raise
