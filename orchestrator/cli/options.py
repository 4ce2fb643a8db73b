"""The arguments and options that several verbs share; nothing heavy, so that every verb starts fast."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer


class Account(enum.StrEnum):
    """Where a run takes place."""

    LOCAL = "local"
    AZURE = "azure"


class Output(enum.StrEnum):
    """What is shown while a job runs."""

    TEXT = "text"
    JSON = "json"
    QUIET = "quiet"


JobFile = Annotated[
    Path, typer.Argument(metavar="JOB", help="The job file, TOML or JSON.", show_default=False)
]
DownloadDir = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Where results go, in place of the job file's download_dir.", show_default=False
    ),
]
EnvFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Settings of a local service that runs already.", show_default=False),
]
