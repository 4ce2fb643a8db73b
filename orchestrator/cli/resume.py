"""`orchestrator resume [RUN]`: take up runs whose program died, and bring them to their end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import Account, EnvFile, Output

if TYPE_CHECKING:
    from orchestrator.runtime.job_run import JobRun
    from orchestrator.runtime.orchestrator import Orchestrator


def resume(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="The run's id; by default every unfinished run of the account that no program drives.",
            show_default=False,
        ),
    ] = None,
    account: Annotated[
        Account, typer.Option(help="Where it runs; Azure is never touched unless named.")
    ] = Account.LOCAL,
    output: Annotated[Output, typer.Option(help="What is shown meanwhile.")] = Output.TEXT,
    env_file: EnvFile = None,
) -> None:
    """Take up runs whose program died: nothing is uploaded, added or downloaded twice; then clean up."""
    from orchestrator.cli.logs import configure_logs
    from orchestrator.cli.session import Session, remark

    configure_logs()

    async def begin(orchestrator: Orchestrator) -> AsyncIterator[JobRun]:
        from orchestrator.errors import CleanupError, OrchestratorError, RunHeldError

        if run is not None:
            for job_run in await orchestrator.resume(run):
                yield job_run
            return
        records = await orchestrator.unfinished()
        if not records:
            remark("no run of this account is unfinished")
        failed: OrchestratorError | None = None
        for record in records:
            try:
                (job_run,) = await orchestrator.resume(record.run_id)
            except RunHeldError as error:
                remark(str(error))  # another program was faster
            except OrchestratorError as error:
                # One that can't be taken up must not keep the others from going on.
                if failed is not None:
                    remark(str(failed))
                failed = error
            else:
                yield job_run
        left = await orchestrator.finish_clean_up()
        for one in left:
            remark(f"left behind: {one}")
        if failed is not None:
            raise failed
        if left:
            raise CleanupError("what runs that are over have left could not be deleted", leftovers=left)

    raise typer.Exit(Session(account=account, output=output, env_file=env_file).run(begin))
