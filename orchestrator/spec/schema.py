"""The JSON Schema of job files, for editors and for whoever writes them by program."""

from __future__ import annotations

import inspect
import re
from typing import Any

import msgspec

from orchestrator.spec.duration import Duration
from orchestrator.spec.files import OutputFile, ResourceFile
from orchestrator.spec.frozen import FrozenMapping
from orchestrator.spec.job import (
    DEFAULT_TIMEOUT,
    ApplicationSpec,
    CleanupSpec,
    JobHookSpec,
    JobSpec,
    RetriesSpec,
)
from orchestrator.spec.load import JOB_TABLE
from orchestrator.spec.pool import ImageSpec, PoolSpec, StartTaskSpec
from orchestrator.spec.secret import SecretReference
from orchestrator.spec.task import TaskFactory, TaskSpec
from orchestrator.spec.translate import SET_BY_LOADING

TABLES: tuple[type[msgspec.Struct], ...] = (
    ApplicationSpec,
    CleanupSpec,
    RetriesSpec,
    ImageSpec,
    JobHookSpec,
    JobSpec,
    OutputFile,
    PoolSpec,
    ResourceFile,
    SecretReference,
    StartTaskSpec,
    TaskFactory,
    TaskSpec,
)
"""Everything that is a table in a job file."""

# One entry of a docstring's Args, up to the next one or the end.
_ARGUMENT = re.compile(r"^    (\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)


def job_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a job file; an unknown key does not pass it."""
    schema = msgspec.json.schema(JobSpec, schema_hook=_own_type)
    definitions: dict[str, Any] = schema["$defs"]
    for table in TABLES:
        _describe(definitions[table.__name__], table)
    job = definitions[JobSpec.__name__]
    properties = {name: value for name, value in job["properties"].items() if name not in SET_BY_LOADING}
    # msgspec tells no default that a factory makes.
    properties["timeout"]["default"] = DEFAULT_TIMEOUT
    properties["job"] = {"$ref": "#/$defs/JobTable"}
    job["properties"] = properties
    definitions["JobTable"] = {
        "title": "JobTable",
        "description": "The job's own settings; each stands here or at the top of the file.",
        "type": "object",
        "properties": {name: properties[name] for name in JOB_TABLE},
        "additionalProperties": False,
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Job file", **schema}


def _describe(definition: dict[str, Any], table: type[msgspec.Struct]) -> None:
    """Give each key the sentence that its class has about it, for editors to show."""
    definition["description"] = inspect.getdoc(table).partition("\n\nArgs:")[0]  # type: ignore[union-attr]  # all have one
    told: dict[str, str] = {}
    for owner in reversed(table.__mro__):
        text = inspect.cleandoc(owner.__doc__ or "")
        told |= {name: " ".join(about.split()) for name, about in _ARGUMENT.findall(text)}
    for name, key in definition["properties"].items():
        if name in told:
            key["description"] = told[name]


def _own_type(kind: type) -> dict[str, Any]:
    if kind is Duration:
        return {"type": "string", "pattern": r"^\s*(P.+|(\d+(\.\d+)?(ms|w|d|h|m|s))+)\s*$"}
    if kind is FrozenMapping:
        return {"type": "object"}
    raise NotImplementedError(f"no schema for a {kind.__name__}")
