"""From a job file that somebody handed in to a run that is written down: checked, confined, planned."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio.to_thread
import msgspec

from orchestrator.daemon.config import DaemonConfig
from orchestrator.daemon.confinement import check_plan, confined
from orchestrator.daemon.records import NewRun, Source
from orchestrator.daemon.refusals import wrong_job
from orchestrator.errors import SpecError
from orchestrator.runtime.few_threads import in_few_threads
from orchestrator.spec import JobSpec, RunPlan, encode_job, new_run_id, parse_job, plan_checked, plan_run


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks for.

    Args:
        document: the job file: text, or its plain values.
        where: the name with which messages begin; `.json` at its end makes the text JSON.
        body_hash: of everything that was sent.
        folder: of the input files that came with it.
        base: what the job's relative paths are relative to, below `folder`; or the inbox.
    """

    document: bytes | Mapping[str, Any]
    where: str = "job.toml"
    body_hash: str = ""
    idempotency_key: str | None = None
    submitter: str = ""
    priority: int = 0
    source: Source = Source.HTTP
    folder: Path | None = None
    base: Path | None = None


class Acceptance:
    """Checks what is handed in.

    Args:
        config: for the roots.
        environ: where secrets are looked up.
    """

    def __init__(self, config: DaemonConfig, environ: Mapping[str, str]) -> None:
        self._config = config
        self._environ = environ
        self._inputs = None if config.inputs_root is None else Path(os.path.realpath(config.inputs_root))

    async def check(self, wish: Wish) -> NewRun:
        """Make a run of a wish, if it can be right.

        Raises:
            DaemonError: it can't; the message names the place.
        """
        try:
            return await in_few_threads(self._check, wish)
        except SpecError as error:
            raise _refused(error) from error

    async def check_retry(self, job: JobSpec, *, parent: str, folder: Path | None, submitter: str) -> NewRun:
        """Make a run of a job that was made of an earlier one's failed tasks.

        Raises:
            DaemonError: its files are no longer there.
        """

        def work() -> NewRun:
            run_id = new_run_id()
            spec = msgspec.structs.replace(job, download_dir=str(self._config.results / run_id))
            plan = plan_run(spec, run_id, environ=self._environ)
            check_plan(plan, self._roots(folder, Path(job.base_dir)))
            return NewRun(
                run_id=run_id,
                job_id=plan.job_id,
                spec=encode_job(spec),
                name=job.source,
                submitter=submitter,
                source=Source.RETRY,
                parent=parent,
                folder=folder,
            )

        try:
            return await in_few_threads(work)
        except SpecError as error:
            raise _refused(error) from error

    def _check(self, wish: Wish) -> NewRun:
        run_id = new_run_id()
        base = wish.base or self._inputs or self._nowhere()
        roots = self._roots(wish.folder, wish.base)
        job = confined(
            parse_job(wish.document, base_dir=base, where=wish.where),
            base_dir=base,
            roots=roots,
            results=self._config.results / run_id,
            secrets=self._config.allowed_secrets,
        )
        plan: RunPlan = plan_checked(job, run_id, environ=self._environ)
        check_plan(plan, roots)
        return NewRun(
            run_id=run_id,
            job_id=plan.job_id,
            spec=encode_job(job),
            name=wish.where,
            submitter=wish.submitter,
            priority=wish.priority,
            source=wish.source,
            folder=wish.folder,
            idempotency_key=wish.idempotency_key,
            body_hash=wish.body_hash,
        )

    def _roots(self, *own: Path | None) -> tuple[Path, ...]:
        given = [Path(os.path.realpath(folder)) for folder in own if folder is not None]
        return tuple(given if self._inputs is None else [*given, self._inputs])

    def _nowhere(self) -> Path:
        """A folder with nothing in it, for jobs that come without files where there is no inputs_root."""
        folder = self._config.state / "nothing"
        folder.mkdir(exist_ok=True)
        return folder


async def discard(folder: Path | None) -> None:
    """Delete the files that came with a run."""
    if folder is not None:
        await anyio.to_thread.run_sync(lambda: shutil.rmtree(folder, ignore_errors=True))


def _refused(error: SpecError) -> Exception:
    message = str(error)
    prefix = f"{error.where}: "
    return wrong_job(message.removeprefix(prefix) if error.where else message, where=error.where)
