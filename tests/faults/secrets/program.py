"""A program of somebody's own: runs jobs as a library, logs all there is, and shows every error whole.

python -m tests.faults.secrets.program ENV_FILE JOURNAL_DIR LOG JOB...
"""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from pathlib import Path

import msgspec

from orchestrator import Event, Limits, Orchestrator, OrchestratorError, load_job

QUICK = Limits(
    poll_interval=0.2,
    poll_floor=0.1,
    pool_poll_interval=0.3,
    backoff=0.05,
    backoff_limit=0.2,
    operation_timeout=10,
    attempts=8,
    close_grace=5,
)


def say(text: object) -> None:
    """Write a line, for whoever runs the program."""
    sys.stdout.write(f"{text}\n")


def show(event: Event) -> None:
    """Write an event as JSON, and as Python shows it."""
    say(msgspec.json.encode(event, enc_hook=str).decode())
    say(repr(event))


async def main(env_file: str, journal_dir: str, log: str, *jobs: str) -> None:
    """Run the jobs, one after the other."""
    logging.basicConfig(filename=log, level=logging.DEBUG)
    orchestrator = Orchestrator.local(env_file=Path(env_file), limits=QUICK, journal_dir=Path(journal_dir))
    orchestrator.on(Event, show)
    async with orchestrator:
        for job in jobs:
            run = await orchestrator.submit(load_job(Path(job)))
            try:
                async for result in run.results():
                    say(result)
                say(await run.wait())
            except OrchestratorError as error:
                say("".join(traceback.format_exception(error)))
                say((repr(error), vars(error)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
