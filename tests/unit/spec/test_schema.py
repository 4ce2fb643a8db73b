from __future__ import annotations

import tomllib
from typing import Any

import jsonschema
import pytest

from orchestrator import SpecError
from orchestrator.spec import job_schema, parse_job
from tests.unit.spec.job_files import TUTORIAL, small, with_pool, with_task


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = job_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_tutorials_job_file_passes_the_schema(validator: jsonschema.Draft202012Validator) -> None:
    validator.validate(tomllib.loads(TUTORIAL))


@pytest.mark.parametrize(
    "plain",
    [
        with_task(
            environment={"A": {"secret": "env:B"}}, output_files=["a", {"pattern": "b"}], rest={"a": [None]}
        ),
        small(job={"preparation": {"commands": ["true"]}, "priority": 3}, timeout="PT1H"),
        with_pool(start_task={"commands": ["true"]}, resize_timeout="15m"),
    ],
)
def test_what_loads_passes_the_schema(
    validator: jsonschema.Draft202012Validator, plain: dict[str, Any]
) -> None:
    parse_job(plain)
    validator.validate(plain)


@pytest.mark.parametrize(
    "plain",
    [
        small(unknown=1),
        small(base_dir="/"),
        small(source="x"),
        small(id=None),
        small(job={"unknown": 1}),
        with_pool(unknown=1),
        with_task(unknown=1),
        with_task(upload="nobody"),
        with_task(environment={"A": 1}),
        with_task(environment={"A": {"other": "env:B"}}),
        with_task(resource_files=[{"unknown": "x"}]),
        small(timeout="20"),
        small(timeout=20),
    ],
)
def test_what_does_not_load_does_not_pass_the_schema(
    validator: jsonschema.Draft202012Validator, plain: dict[str, Any]
) -> None:
    with pytest.raises(SpecError):
        parse_job(plain)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(plain)


def test_every_key_has_a_sentence_about_it() -> None:
    for name, definition in job_schema()["$defs"].items():
        for key, value in definition.get("properties", {}).items():
            assert value.get("description") or key == "job", f"{name}.{key}"
            assert definition["description"]
