"""`orchestrator list` and `orchestrator show RUN`: what a daemon has, and where one run stands."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any

import typer

from orchestrator.cli.daemon_client import DaemonClient, DaemonUrl, TokenFile, run_path
from orchestrator.cli.options import Output
from orchestrator.cli.watch import RunId


def list_(
    phase: Annotated[
        str | None,
        typer.Option(metavar="PHASE", help="Only queued, running or finished ones.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="The newest so many.")] = 20,
    output: Annotated[
        Output, typer.Option(help="text: a table; json: a run a line; quiet: ids.")
    ] = Output.TEXT,
    daemon: DaemonUrl = None,
    token_file: TokenFile = None,
) -> None:
    """List the runs of a daemon, newest first."""
    params = {"limit": str(limit), **({"phase": phase} if phase is not None else {})}

    async def work() -> list[dict[str, Any]]:
        async with DaemonClient(daemon, token_file) as client:
            runs: list[dict[str, Any]] = (await client.ask("GET", "/v1/runs", params=params))["runs"]
            return runs

    _write(asyncio.run(work()), output)


def show(
    run: RunId,
    output: Annotated[
        Output, typer.Option(help="text: lines; json: the run; quiet: its state.")
    ] = Output.TEXT,
    tasks: Annotated[bool, typer.Option("--tasks", help="All of its tasks as well, a line each.")] = False,
    daemon: DaemonUrl = None,
    token_file: TokenFile = None,
) -> None:
    """Show where a run of a daemon stands, or how it ended."""

    async def work() -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
        async with DaemonClient(daemon, token_file) as client:
            view: dict[str, Any] = await client.ask("GET", run_path(run))
            failed = await client.ask(
                "GET", run_path(run, "tasks"), params={"state": "failed", "limit": "20"}
            )
            return view, failed["tasks"], await _all_tasks(client, run) if tasks else []

    view, failed, rows = asyncio.run(work())
    if output is Output.TEXT:
        _write_one(view, failed)
        for row in rows:
            sys.stdout.write(_task_line(row) + "\n")
    else:
        _write([view, *rows] if output is Output.JSON else [view], output, quiet="state")


async def _all_tasks(client: DaemonClient, run: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        page = await client.ask("GET", run_path(run, "tasks"), params={"limit": "1000", **after})
        rows += page["tasks"]
        if page["next"] is None:
            return rows
        after = {"after": page["next"]}


def _task_line(row: dict[str, Any]) -> str:
    from orchestrator.cli.render.escape import shown

    state = row["state"]
    if row.get("succeeded") is not None:
        state = "succeeded" if row["succeeded"] else "failed"
    cells = [f"task         {row['task_id']}", f"{state:<10}", str(row.get("node_id") or "")]
    if row.get("exit_code") is not None:
        cells.insert(2, f"exit code {row['exit_code']}")
    return shown("  ".join(cells).rstrip())


def _write(views: list[dict[str, Any]], output: Output, *, quiet: str = "id") -> None:
    import msgspec

    from orchestrator.cli.render.escape import shown

    if output is Output.JSON:
        for view in views:
            sys.stdout.write(msgspec.json.encode(view).decode() + "\n")
        return
    for view in views:
        if output is Output.QUIET:
            sys.stdout.write(f"{view['id'] if quiet == 'id' else state_of(view)}\n")
        else:
            cells = (view["id"], f"{state_of(view):<16}", view["job_id"], f"{_moment(view['accepted_at'])}")
            sys.stdout.write(shown("  ".join(cells)) + "\n")


def _write_one(view: dict[str, Any], failed: list[dict[str, Any]]) -> None:
    from orchestrator.cli.render.escape import shown

    lines = [
        ("run", view["id"]),
        ("job", view["job_id"]),
        ("state", state_of(view)),
        ("from", f"{view['name']} ({view['source']}, {view['submitter']}, priority {view['priority']})"),
        ("accepted", _moment(view["accepted_at"])),
        ("begun", _moment(view["begun_at"])),
        ("ended", _moment(view["ended_at"])),
        ("waits for", view["waits_for"]),
        ("cancelled", view["cancelled"] if view["phase"] != "finished" else None),
        ("error", view["error"]),
    ]
    if progress := view["progress"]:
        states = ", ".join(f"{count} {state}" for state, count in progress["tasks_by_state"].items())
        lines.append(("tasks", f"{progress['tasks']}: {states}"))
    if result := view["result"]:
        counts = (f"{result[name]} {name}" for name in ("succeeded", "failed", "abandoned"))
        lines += [("tasks", f"{result['tasks']}: {', '.join(counts)}"), ("results", result["download_dir"])]
        lines += [("left behind", left) for left in result["leftovers"]]
    for task in failed:
        failure = task.get("failure") or {}
        why = task.get("reason") or failure.get("message") or f"exit code {task.get('exit_code')}"
        lines.append(("failed", f"{task['task_id']}: {why}"))
        if remedy := task.get("remedy"):
            lines.append(("", remedy))
    for name, value in lines:
        if value is not None:
            sys.stdout.write(shown(f"{name:<12} {value}") + "\n")


def _moment(time: str | None) -> str | None:
    """A time of the API, to the second."""
    return f"{time[:19]}Z" if time else None


def state_of(view: dict[str, Any]) -> str:
    """Where a run is, in a few words."""
    if view["outcome"]:
        return str(view["outcome"])
    if view["place_in_line"]:
        return f"{'queued' if view['phase'] == 'queued' else 'waiting'} ({view['place_in_line']}.)"
    return str(view["phase"])
