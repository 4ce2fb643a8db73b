"""A look over all texts of a job at once, as the JSON it is kept in: most have nothing that asks for more.

A walk from text to text, which can name places, costs ten times as much, and a job may have many tasks.
"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.spec.convert import encode_job
from orchestrator.spec.job import JobSpec
from orchestrator.spec.place import leaves
from orchestrator.spec.secret import SecretReference

_REFERENCE = '"secret":'


def written(job: JobSpec) -> str | None:
    """A job as JSON, with every text and every secret reference in it; None where it can't be written.

    It stands as it is but for quotes, backslashes and control characters.
    """
    try:
        return encode_job(job).decode()
    except UnicodeError:  # half a surrogate pair
        return None


def secret_references(job: JobSpec) -> Iterator[tuple[str, SecretReference]]:
    """Every secret reference of a job, with its place."""
    told = written(job)
    if told is None or _REFERENCE in told:
        for place, leaf in leaves(job):
            if isinstance(leaf, SecretReference):
                yield place, leaf
