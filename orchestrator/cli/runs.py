"""`orchestrator runs`: what the journal knows of runs, without asking any service."""

from __future__ import annotations

import asyncio
import enum
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from orchestrator.journal import Owed, RunRecord

_SHOWN = 100


class Form(enum.StrEnum):
    """How a list is printed."""

    TEXT = "text"
    JSON = "json"


def runs(
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Only those whose end was not written down.")
    ] = False,
    prune: Annotated[
        float | None,
        typer.Option(
            metavar="DAYS",
            min=0,
            help="Forget runs that ended so long ago and owe nothing, with their events.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[Form, typer.Option(help="A table, or a line of JSON a run.")] = Form.TEXT,
) -> None:
    """List the runs that the journal knows: how they ended, and what they have left to be deleted."""
    from orchestrator.runtime.journal_place import default_journal_dir

    path = default_journal_dir() / "journal.sqlite"
    if prune is not None and path.exists():
        typer.echo(f"{asyncio.run(_prune(path, prune))} run(s) forgotten", err=True)
    records, owed = asyncio.run(_read(path, unfinished=unfinished)) if path.exists() else ((), ())
    by_run: dict[str, list[str]] = {}
    for one in owed:
        by_run.setdefault(one.run_id, []).append(f"{one.kind} {one.resource_id}")
    if output is Form.JSON:
        _write_lines(records, by_run)
    else:
        _write_table(records, by_run)


async def _read(path: Path, *, unfinished: bool) -> tuple[tuple[RunRecord, ...], tuple[Owed, ...]]:
    from orchestrator.journal import Journal

    journal = await Journal.open(path)
    try:
        return await journal.runs(unfinished=unfinished, limit=_SHOWN), await journal.owed()
    finally:
        await journal.close()


async def _prune(path: Path, days: float) -> int:
    from orchestrator.journal import Journal

    journal = await Journal.open(path)
    try:
        return await journal.prune(before=datetime.now(UTC) - timedelta(days=days))
    finally:
        await journal.close()


def _write_lines(records: Sequence[RunRecord], owed: dict[str, list[str]]) -> None:
    import msgspec

    for record in records:
        told = {**msgspec.to_builtins(record), "owed": owed.get(record.run_id, [])}
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")


def _write_table(records: Sequence[RunRecord], owed: dict[str, list[str]]) -> None:
    from rich.table import Table

    from orchestrator.cli.render.console import plain_console
    from orchestrator.cli.render.escape import shown

    table = Table("run", "job", "account", "state", "outcome", "started", "left to delete", box=None)
    for record in records:
        table.add_row(
            *map(shown, (record.run_id, record.job_id, record.account, record.state, record.outcome or "-")),
            f"{record.started_at.astimezone():%Y-%m-%d %H:%M:%S}",
            shown(", ".join(owed.get(record.run_id, [])) or "-"),
        )
    if records:
        plain_console(sys.stdout).print(table)
    else:
        sys.stdout.write("no runs\n")
