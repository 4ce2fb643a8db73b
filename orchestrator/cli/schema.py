"""`orchestrator schema`: the JSON Schema of job files, for editors and other programs."""

from __future__ import annotations

import sys


def schema() -> None:
    """Print the JSON Schema of job files."""
    import msgspec

    from orchestrator.spec import job_schema

    text = msgspec.json.format(msgspec.json.encode(job_schema()), indent=2)
    sys.stdout.write(text.decode() + "\n")
