"""A program of a user who has a handler: takes a job up, and writes down each event that the handler gets.

    handling_run.py ENV_FILE JOB HANDLED

HANDLED is the file that gets the number and the name of each event, a line each.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from orchestrator import Event, Orchestrator, RunOutcome, load_job


async def main(env_file: Path, job: Path, handled: Path) -> int:
    orchestrator = Orchestrator.local(env_file=env_file)
    descriptor = os.open(handled, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def keep(event: Event) -> None:
        os.write(descriptor, f"{event.sequence} {type(event).__name__}\n".encode())

    orchestrator.on(Event, keep)
    async with orchestrator:
        result = await (await orchestrator.submit(load_job(job))).wait()
    if result.outcome is not RunOutcome.SUCCEEDED:
        sys.stderr.write(f"{result.outcome}: {result.error}\n")
        return 1
    return 0


if __name__ == "__main__":
    told = [Path(argument) for argument in sys.argv[1:]]
    sys.exit(asyncio.run(main(*told)))
