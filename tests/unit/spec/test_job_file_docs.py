from __future__ import annotations

import re
import tomllib
from pathlib import Path

import jsonschema
import pytest

from orchestrator.spec import job_schema, parse_job
from orchestrator.spec.schema import TABLES
from orchestrator.spec.translate import SET_BY_LOADING

PAGE = (Path(__file__).parents[3] / "docs" / "job-file.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
IN_TABLES = {
    key for row in re.findall(r"^\| (`[^|]*`) \|", PAGE, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)
}
# `image` has a sentence instead of a table of its own.
IN_SENTENCES = {"publisher", "offer", "sku", "version"}


def test_every_key_of_a_job_file_is_on_its_page() -> None:
    keys = {name for table in TABLES for name in table.__struct_fields__} - SET_BY_LOADING
    assert keys - IN_TABLES - IN_SENTENCES == set()
    assert all(f"`{name}`" in PAGE for name in IN_SENTENCES)


def test_no_key_on_the_page_is_unknown() -> None:
    assert IN_TABLES - {name for table in TABLES for name in table.__struct_fields__} == set()


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_on_the_page_load(example: str) -> None:
    parse_job(example)
    jsonschema.validate(tomllib.loads(example), job_schema())


def test_every_key_is_in_an_example() -> None:
    keys = {name for table in TABLES for name in table.__struct_fields__} - SET_BY_LOADING
    written = "\n".join(EXAMPLES)
    assert {key for key in keys if not re.search(rf"\b{key}\b", written)} == set()
