"""The program `orchestrator`: its verbs, `--version`, and how an error ends it."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer

from orchestrator.cli.check import check
from orchestrator.cli.daemon import daemon
from orchestrator.cli.exit_codes import ExitCode, of_error, unwrapped
from orchestrator.cli.explain import explain
from orchestrator.cli.gc import gc
from orchestrator.cli.list import list_, show
from orchestrator.cli.local import local, local_token
from orchestrator.cli.render.escape import shown
from orchestrator.cli.resume import resume
from orchestrator.cli.run import run
from orchestrator.cli.runs import runs
from orchestrator.cli.schema import schema
from orchestrator.cli.steer import cancel, clean, logs, retry
from orchestrator.cli.streams import outlive_readers
from orchestrator.cli.submit import submit
from orchestrator.cli.watch import watch
from orchestrator.errors import OrchestratorError, error_text
from orchestrator.version import __version__

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Run work on Azure Batch: files in, results out; on this machine unless Azure is named.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"orchestrator {__version__}")
        raise typer.Exit


@app.callback()
def _orchestrator(
    _version_wanted: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end."),
    ] = False,
) -> None:
    pass


app.command()(run)
app.command()(resume)
app.command()(runs)
app.command()(check)
app.command()(explain)
app.command()(gc)
app.command()(local)
app.command()(local_token)
app.command()(schema)
app.command()(daemon)
app.command()(submit)
app.command("list")(list_)
app.command()(show)
app.command()(watch)
app.command()(logs)
app.command()(cancel)
app.command()(retry)
app.command()(clean)


def main() -> None:
    """Run the command line; an error is one line on stderr and an exit code (see `exit_codes`)."""
    outlive_readers()
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except (Exception, BaseExceptionGroup) as error:
        # The border: a traceback would end with 1, which says that a task failed.
        if os.environ.get("ORCHESTRATOR_DEBUG"):
            traceback.print_exc()
        print(f"orchestrator: {shown(told_as(unwrapped(error)))}", file=sys.stderr)
        sys.exit(of_error(error))


def told_as(error: BaseException) -> str:
    """How an error that ends the program is told, never as an empty text.

    Args:
        error: any; one that is neither ours nor the system's is a defect.
    """
    if isinstance(error, (OrchestratorError, OSError)):
        return error_text(error)
    what = ": ".join(filter(None, (type(error).__name__, str(error))))
    return f"{what} (a defect: ORCHESTRATOR_DEBUG=1 shows where)"
