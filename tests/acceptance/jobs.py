"""Job files for the tests, and a look at what a service holds."""

from __future__ import annotations

from pathlib import Path

from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential
from azure.storage.blob import BlobServiceClient

JOB = """
id = "job-{{run}}"
download_dir = "results"
{top}

[pool]
id = "pool-{{run}}"
vm_size = "standard_d2s_v3"
image = {{ publisher = "canonical", offer = "ubuntu-24_04-lts", sku = "server" }}
target_dedicated_nodes = 1
task_slots_per_node = 4

[task_factory]
per_file = "data/*.txt"
id = "t-{{index}}"
command_line = "{command}"
output_files = ["*.out"]

[cleanup]
containers = "always"
job = "always"
pool = "{pool}"
"""


def write_job(
    folder: Path,
    *,
    command: str = "wc -w {file} > words.out",
    files: int = 3,
    pool: str = "always",
    top: str = "",
) -> Path:
    """A job file whose tasks each get one of a few small files."""
    (folder / "data").mkdir(exist_ok=True)
    for number in range(files):
        (folder / f"data/{number}.txt").write_text("word " * number)
    job = folder / "job.toml"
    job.write_text(JOB.format(command=command.replace('"', '\\"'), pool=pool, top=top))
    return job


def standing(env_file: Path) -> dict[str, list[str]]:
    """The ids of the pools, jobs and containers that a service holds."""
    settings = dict(line.split("=", 1) for line in env_file.read_text().splitlines())
    key = AzureNamedKeyCredential(settings["AZURE_BATCH_ACCOUNT"], settings["AZURE_BATCH_ACCESS_KEY"])
    with (
        BatchClient(settings["AZURE_BATCH_ENDPOINT"], key) as batch,
        BlobServiceClient.from_connection_string(settings["AZURE_STORAGE_CONNECTION_STRING"]) as blobs,
    ):
        return {
            "pool": [str(pool.id) for pool in batch.list_pools()],
            "job": [str(job.id) for job in batch.list_jobs()],
            "container": [str(container.name) for container in blobs.list_containers()],
        }
