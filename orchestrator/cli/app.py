"""The program `orchestrator`: its verbs, `--version`, and how an error ends it."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer

from orchestrator.cli.check import check
from orchestrator.cli.exit_codes import ExitCode, of_error
from orchestrator.cli.local import local
from orchestrator.cli.render.escape import shown
from orchestrator.cli.run import run
from orchestrator.cli.schema import schema
from orchestrator.errors import OrchestratorError
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
app.command()(check)
app.command()(local)
app.command()(schema)


def main() -> None:
    """Run the command line; an error is one line on stderr and an exit code (see `exit_codes`)."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output has gone, as `head` does; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.WRONG)
    except Exception as error:
        # The border: a traceback would end with 1, which says that a task failed.
        if os.environ.get("ORCHESTRATOR_DEBUG"):
            traceback.print_exc()
        print(f"orchestrator: {shown(_told(error))}", file=sys.stderr)
        sys.exit(of_error(error))


def _told(error: Exception) -> str:
    if isinstance(error, (OrchestratorError, OSError)):
        return str(error)
    return f"{type(error).__name__}: {error} (a defect: ORCHESTRATOR_DEBUG=1 shows where)"
