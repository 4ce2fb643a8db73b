"""A program whose run is soon nobody's when it dies: prints the name of each event; told what by arguments.

    expiring_run.py ENV_FILE FOLDER POOL SECONDS NET_INTERVAL

FOLDER gets the journal and the results; SECONDS is how long each of the two tasks takes, and NET_INTERVAL how
often the service looks at the pool's last net.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from orchestrator import Event, JobSpec, Limits, Orchestrator
from orchestrator.spec import parse_job

SOON = Limits(
    poll_interval=0.1,
    poll_floor=0.05,
    pool_poll_interval=0.2,
    deletion_poll_interval=0.05,
    ownership_lifetime=3.0,
    ownership_interval=1.0,
    pool_net_time=3.0,
)


def job(folder: Path, pool: str, seconds: float) -> JobSpec:
    (folder / "in.txt").write_text(f"of {folder}")
    (folder / "tool.sh").write_text("echo the same for all")
    wanted = {
        "id": "job-{run}",
        "download_dir": "results",
        "timeout": "120s",
        "pool": {
            "id": pool,
            "vm_size": "standard_d2s_v3",
            "image": {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server"},
            "target_dedicated_nodes": 1,
            "task_slots_per_node": 4,
        },
        "application": {"files": ["tool.sh"]},
        "tasks": [
            {"id": f"t{number}", "command_line": f"sleep {seconds}; cat in.txt > out.txt"}
            | {"resource_files": ["in.txt"], "output_files": ["out.txt"]}
            for number in range(2)
        ],
        "cleanup": {"containers": "always", "job": "always", "pool": "always"},
    }
    return parse_job(wanted, base_dir=folder, where="job")


def tell(event: Event) -> None:
    sys.stdout.write(f"{type(event).__name__}\n")
    sys.stdout.flush()


async def main(env_file: Path, folder: Path, pool: str, seconds: float, net_interval: float) -> None:
    limits = msgspec.structs.replace(SOON, pool_net_interval=net_interval)
    orchestrator = Orchestrator.local(env_file=env_file, journal_dir=folder / "journal", limits=limits)
    orchestrator.on(Event, tell)
    async with orchestrator:
        await (await orchestrator.submit(job(folder, pool, seconds))).wait()


if __name__ == "__main__":
    told = sys.argv[1:]
    Path(told[1]).mkdir(parents=True, exist_ok=True)
    asyncio.run(main(Path(told[0]), Path(told[1]), told[2], float(told[3]), float(told[4])))
