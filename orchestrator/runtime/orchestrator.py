"""The front door: opens an account, takes jobs, runs them, and leaves nothing behind unsaid."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import anyio
import structlog

from orchestrator.accounts.account import Account
from orchestrator.accounts.settings import AccountSettings, settings_from_environment
from orchestrator.errors import NotOpenError, OrchestratorError, error_text
from orchestrator.events import Event
from orchestrator.file_threads import FileThreads
from orchestrator.journal import Journal, RunHold, RunRecord
from orchestrator.limits import Limits
from orchestrator.runtime.embedded import EmbeddedService, must_answer, named_service
from orchestrator.runtime.few_threads import in_few_threads
from orchestrator.runtime.horizon import refuse_beyond
from orchestrator.runtime.job_run import JobRun
from orchestrator.runtime.journal_place import default_journal_dir
from orchestrator.runtime.logs import log_quietly_by_default
from orchestrator.runtime.owed_clean_up import OwedCleanUp
from orchestrator.runtime.owner import Owner
from orchestrator.runtime.planned import planned
from orchestrator.runtime.result_folder import refuse_unwritable
from orchestrator.runtime.retaken import Retaken, read_past, read_plan
from orchestrator.runtime.reunion import named_run, run_of_job, without_a_program
from orchestrator.runtime.run import Listener, Run
from orchestrator.runtime.shared import Ask, Shared
from orchestrator.runtime.whereabouts import refuse_elsewhere
from orchestrator.spec.ids import new_run_id
from orchestrator.spec.job import JobSpec
from orchestrator.spec.plan import RunPlan

E = TypeVar("E", bound=Event)

log = structlog.get_logger()


class Orchestrator:
    """Runs jobs on one account: `async with Orchestrator.local() as orchestrator: ...`.

    Made by `local()` or `from_env()`. It may be entered and left from different tasks. Leaving it normally
    waits for the runs that are under way; leaving it by an exception or a cancellation cancels them, and
    waits for their clean-up.
    """

    def __init__(
        self,
        *,
        settings: AccountSettings | None,
        embedded: EmbeddedService | None,
        named_by: str | None = None,
        environ: Mapping[str, str],
        limits: Limits,
        journal_dir: Path | None,
        ask: Ask | None,
    ) -> None:
        self._settings = settings
        self._embedded = embedded
        self._named_by = named_by
        self._environ = environ
        self._limits = limits
        self._journal_dir = journal_dir or default_journal_dir()
        self._ask = ask
        self._owner = Owner()
        self._file_threads = FileThreads(limits.downloads)
        self._account: Account | None = None
        self._journal: Journal | None = None
        self._listeners: list[Listener] = []
        self._runs: list[Run] = []
        self._leaving = True

    @classmethod
    def local(
        cls,
        *,
        state_dir: Path | None = None,
        env_file: Path | None = None,
        environ: Mapping[str, str] | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        journal_dir: Path | None = None,
        ask: Ask | None = None,
    ) -> Self:
        """An orchestrator on the local service; Azure is never touched.

        Joins the service that `env_file` or the environment names, else starts one that lives as long as the
        orchestrator is open.

        Args:
            state_dir: of a service that is started; a temporary folder by default.
            env_file: written by `orchestrator local --env-file`.
            environ: where a running service and the job files' secrets are looked up; this process's
                environment by default.
            limits: concurrency, intervals, sizes.
            journal_dir: where the journal is kept; the user's state folder by default.
            ask: answers the clean-up policy `ask`, given the kind and the id.

        Raises:
            ConfigError: `env_file` can't be read or names a service that is not on this machine.
        """
        environ = os.environ if environ is None else environ
        settings = named_service(environ, env_file)
        return cls(
            settings=settings,
            embedded=EmbeddedService(state_dir, limits=limits) if settings is None else None,
            named_by=str(env_file or "the environment"),
            environ=environ,
            limits=limits,
            journal_dir=journal_dir,
            ask=ask,
        )

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        config: Path | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        journal_dir: Path | None = None,
        ask: Ask | None = None,
    ) -> Self:
        """An orchestrator on the account that the environment or `orchestrator.toml` names.

        Args:
            environ: `AZURE_BATCH_ACCOUNT`, `AZURE_BATCH_ENDPOINT`, and keys, or a credential for
                `DefaultAzureCredential`; this process's environment by default.
            config: a TOML file with an `[account]` table; the environment wins over it.
            limits: concurrency, intervals, sizes.
            journal_dir: where the journal is kept; the user's state folder by default.
            ask: answers the clean-up policy `ask`, given the kind and the id.

        Raises:
            ConfigError: a setting is missing or can't be right; the message names it.
        """
        environ = os.environ if environ is None else environ
        return cls(
            settings=settings_from_environment(environ, config=config),
            embedded=None,
            environ=environ,
            limits=limits,
            journal_dir=journal_dir,
            ask=ask,
        )

    def on(self, event_type: type[E], handler: Callable[[E], Awaitable[None] | None]) -> None:
        """Call a function, sync or async, for every event of a class, in the order of each task.

        A handler may do anything, also submit another run: it never makes a run wait. What it raises becomes
        `HandlerFailed` and harms nobody. Applies to runs under way and to all that follow.

        Args:
            event_type: any class of `orchestrator.events`; a base class takes everything below it.
            handler: given the event.
        """
        name = getattr(handler, "__qualname__", type(handler).__name__)
        listener: Listener = ((event_type,), handler, name)
        self._listeners.append(listener)
        for run in self._runs:
            if not run.finished:
                run.subscribe(*listener)

    async def __aenter__(self) -> Self:
        log_quietly_by_default()
        await self._owner.open()
        try:
            self._journal = await Journal.open(self._journal_dir / "journal.sqlite", limits=self._limits)
            self._account = Account(await self._connect(), self._limits)
            await self._account.open()
        except BaseException:
            await self._owner.finish(self._release)
            raise
        self._leaving = False
        return self

    async def __aexit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        try:
            if error is not None:
                self._cancel_all("the program left the orchestrator by an exception")
            await self._wait_for_runs()
        except BaseException:
            self._cancel_all("the program was cancelled")
            await self._owner.finish(self._wait_for_clean_up)
            raise
        finally:
            self._leaving = True
            await self._owner.finish(self._release)

    async def detach(self) -> None:
        """Leave the runs under way to the journal, untouched on the service: `resume` goes on with them.

        No more runs begin here; results and events of those that were left end, and so does `wait`.
        """
        self._leaving = True
        for run in self._runs:
            run.left = True
        await self._owner.finish(self._owner.close)

    @property
    def account(self) -> Account:
        """The open account, for who looks at the service beside the runs.

        Raises:
            NotOpenError: the orchestrator is not open.
        """
        if self._account is None:
            raise NotOpenError
        return self._account

    @property
    def journal(self) -> Journal:
        """The open journal, for who reads of runs beside them.

        Raises:
            NotOpenError: the orchestrator is not open.
        """
        if self._journal is None:
            raise NotOpenError
        return self._journal

    async def submit(
        self, spec: JobSpec, *, run_id: str | None = None, only_failed: Path | None = None
    ) -> JobRun:
        """Check a job against the files here, and start its run.

        If this very job, with the same inputs, was begun here and its program died, that run is taken up.

        Args:
            spec: from `load_job`, or made in code.
            run_id: made earlier by `new_run_id`, by who has to know it before; a fresh one by default.
            only_failed: a `failed.json` that an earlier run left: only its tasks are run.

        Returns:
            The run, under way.

        Raises:
            SpecError: the job can't be right, may outlive its addresses, or is under way with other inputs;
                nothing was created.
            RunHeldError: this very job is under way, in the program that the error names.
            ConfigError: this very job is under way on another local service, which the error names.
            NotOpenError: the orchestrator is not open.
        """
        if self._leaving:
            raise NotOpenError
        plan = await in_few_threads(
            lambda: planned(spec, run_id or new_run_id(), environ=self._environ, only=only_failed)
        )
        if (begun := await run_of_job(self.journal, plan, self.account)) is not None:
            return await self._take_up(begun)
        await in_few_threads(refuse_unwritable, plan)
        refuse_beyond(self.account.storage.longest_address, plan, self._limits)
        return self._drive(plan, await self.journal.hold(plan.run_id))

    async def resume(self, run_id: str | None = None) -> tuple[JobRun, ...]:
        """Take up runs whose program died, from where the journal and the service say they are.

        Nothing is uploaded, added or downloaded twice. A handler gets every event that it had not dealt with,
        so register handlers before this.

        Args:
            run_id: of one run; by default all unfinished runs of this account that no program drives. One
                of those that can't be taken up stays as it is, and the log says why.

        Returns:
            The runs, under way; those that had come to their end but for the telling among them.

        Raises:
            RunHeldError: another program drives that run.
            ConfigError: there is no such run, it is over, or it runs on another account or local service.
            JournalError: the journal, or that run's plan in it, can't be read.
            ServiceError, UnreachableError: whether it runs here could not be found out.
            NotOpenError: the orchestrator is not open.
        """
        if run_id is not None:
            return (await self._take_up(await named_run(self.journal, run_id, self.account)),)
        # All are read before the first one begins: whatever is raised meanwhile must not end those under way.
        retaken: list[tuple[RunHold, RunPlan, Retaken]] = []
        try:
            for record in await self.unfinished():
                try:
                    retaken.append(await self._retake(record))
                except OrchestratorError as error:
                    log.warning("resume.not_taken_up", run=record.run_id, error=error_text(error))
        except BaseException:
            for hold, _, _ in retaken:
                hold.release()
            raise
        return tuple([self._drive(plan, hold, past) for hold, plan, past in retaken])

    async def unfinished(self) -> tuple[RunRecord, ...]:
        """The runs of this account whose program died before their end was written down.

        Raises:
            JournalError: the journal can't be read.
            NotOpenError: the orchestrator is not open.
        """
        return await without_a_program(self.journal, self.account.name)

    async def finish_clean_up(self) -> tuple[str, ...]:
        """Delete what runs that are over have left, each by its own policy; nobody is asked.

        Returns:
            What is left and may cost money, as `kind id: reason`.

        Raises:
            JournalError: the journal can't be read or written.
            ServiceError, UnreachableError: the account refused or did not answer.
            NotOpenError: the orchestrator is not open.
        """
        return await OwedCleanUp(self.journal, self.account, limits=self._limits).run()

    async def _take_up(self, record: RunRecord) -> JobRun:
        hold, plan, past = await self._retake(record)
        return self._drive(plan, hold, past)

    async def _retake(self, record: RunRecord) -> tuple[RunHold, RunPlan, Retaken]:
        hold = await self.journal.hold(record.run_id)
        try:
            await refuse_elsewhere(record, self.account, self._limits)
            plan = await read_plan(self.journal, record.run_id)
            return hold, plan, await read_past(self.journal, record.run_id)
        except BaseException:
            hold.release()
            raise

    def _drive(self, plan: RunPlan, hold: RunHold, retaken: Retaken | None = None) -> JobRun:
        # Looked at after all waits: a run that begins now is one that leaving waits for.
        if self._leaving:
            hold.release()
            raise NotOpenError
        shared = Shared(
            account=self.account,
            journal=self.journal,
            limits=self._limits,
            start=self._owner.start,
            ask=self._ask,
            environ=self._environ,
            threads=self._file_threads,
        )
        run = Run(
            plan=plan,
            shared=shared,
            hold=hold,
            retaken=retaken,
            listeners=tuple(self._listeners),
        )
        self._runs = [known for known in self._runs if not known.finished]
        self._runs.append(run)
        self._owner.start(run.drive, f"run {plan.run_id}")
        return JobRun(run)

    async def _wait_for_runs(self) -> None:
        """Wait until no run is left, those included that a handler submits meanwhile."""
        while under_way := [run for run in self._runs if not run.finished]:
            for run in under_way:
                await run.ended()
        self._leaving = True  # in one step with having seen that none is left

    async def _wait_for_clean_up(self) -> None:
        self._leaving = True
        grace = self._limits.cleanup_timeout + 2 * self._limits.close_grace
        with anyio.move_on_after(grace):
            await self._wait_for_runs()

    async def _connect(self) -> AccountSettings:
        if self._settings is not None:
            if self._named_by is not None:
                await must_answer(self._settings, named_by=self._named_by, limits=self._limits)
            return self._settings
        if self._embedded is None:
            raise NotOpenError
        return await self._embedded.start()

    def _cancel_all(self, reason: str) -> None:
        for run in self._runs:
            run.cancel(reason)

    async def _release(self) -> None:
        """Close everything in the order in which it depends on each other; each whatever the others do."""
        account, self._account = self._account, None
        journal, self._journal = self._journal, None
        try:
            try:
                await self._owner.close()
            finally:
                self._file_threads.close()
                if account is not None:
                    await account.close()
        finally:
            try:
                if self._embedded is not None:
                    await self._embedded.stop()
            finally:
                if journal is not None:
                    await journal.close()
