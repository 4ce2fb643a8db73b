"""What a caller holds of a run: its results, its events, its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from orchestrator.events import Event
from orchestrator.handlers.progress import Progress
from orchestrator.results import JobResult, TaskResult
from orchestrator.spec.task_set import TaskNumbers

if TYPE_CHECKING:
    from orchestrator.runtime.run import Run


class JobRun:
    """A run that was submitted; made by `Orchestrator.submit`."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._numbers = TaskNumbers(run.plan.tasks)

    @property
    def run_id(self) -> str:
        """The run's own id, fresh for each run."""
        return self._run.plan.run_id

    @property
    def resumed(self) -> bool:
        """Whether its program had died, and this one goes on with it."""
        return self._run.resumed

    @property
    def job_id(self) -> str:
        """The id of the job on the service."""
        return self._run.plan.job_id

    @property
    def progress(self) -> Progress:
        """Where the run is now: counts, for showing."""
        return self._run.progress

    def input_name(self, task_id: str) -> str | None:
        """The local name of the file that a task was made for; None where it has none."""
        task = self._numbers.task(task_id)
        return None if task is None else task.input_name

    @property
    def error(self) -> Exception | None:
        """What ended the run before its tasks had ended, None if nothing did."""
        return self._run.error

    def results(self) -> AsyncIterator[TaskResult]:
        """The tasks' results, each as its task ends and its files are here.

        Each result is given once, to whoever reads; leaving early is fine, and the run goes on.

        Raises:
            OrchestratorError: what ended the run early, after the last result.
        """
        return self._run.results.read()

    def events(self, *types: type[Event]) -> AsyncIterator[Event]:
        """The run's events from now on, to `RunFinished`, of the given classes (all by default).

        Subscribes at once, so that nothing is missed between this call and the first `async for` step.
        """
        return self._run.listen(types or (Event,))

    async def wait(self) -> JobResult:
        """Wait until the run is over, clean-up included.

        Returns:
            Counts, places, and what is left; failed tasks and errors are told there, not raised.
        """
        return await self._run.wait()

    def cancel(self, reason: str = "cancelled") -> None:
        """End the run: unfinished tasks are given up, and clean-up goes by the job's policy.

        Args:
            reason: shown in each `TaskAbandoned` and in the result.
        """
        self._run.cancel(reason)

    def stop(self) -> None:
        """End everything at once, without clean-up; `JobResult.leftovers` names what may cost money."""
        self._run.stop()
