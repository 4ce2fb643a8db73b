from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import typer

from orchestrator import errors, events
from orchestrator.accounts import settings
from orchestrator.cli.app import app
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.limits import Limits
from orchestrator.local.faults.kinds import Fault, Kind
from orchestrator.spec import (
    ApplicationSpec,
    CleanupSpec,
    ImageSpec,
    JobHookSpec,
    JobSpec,
    OutputFile,
    PoolSpec,
    ResourceFile,
    StartTaskSpec,
    TaskFactory,
    TaskSpec,
)
from orchestrator.spec.translate import SET_BY_LOADING
from tests.house.places import DOCS, ROOT, pages

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")


def rows(page: str) -> dict[str, str]:
    """The rows of a page's tables by their first cell, without its indent."""
    lines = (DOCS / page).read_text().splitlines()
    cells = ((line.split("|")[1].strip(" ·`"), line) for line in lines if line.startswith("|"))
    return dict(cells)


def error_types() -> list[type[errors.OrchestratorError]]:
    return [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.OrchestratorError)
    ]


@pytest.mark.parametrize("event", events.all_event_types()[1:], ids=lambda event: event.__name__)
def test_every_event_is_documented_with_its_own_fields(event: type[events.Event]) -> None:
    row = rows("events.md")[event.__name__]
    inherited = {field for parent in event.__bases__ for field in getattr(parent, "__struct_fields__", ())}
    own = set(event.__struct_fields__) - inherited
    assert {field for field in own if f"`{field}`" not in row} == set()


@pytest.mark.parametrize("error", error_types(), ids=lambda error: error.__name__)
def test_every_error_is_documented(error: type[errors.OrchestratorError]) -> None:
    assert error.__name__ in rows("errors.md")


def test_every_error_stands_in_the_tree_that_the_module_draws() -> None:
    drawn = errors.__doc__ or ""
    assert [error.__name__ for error in error_types() if error.__name__ not in drawn] == []


@pytest.mark.parametrize("limit", msgspec.structs.fields(Limits), ids=lambda field: field.name)
def test_every_limit_is_documented_with_its_default(limit: msgspec.structs.FieldInfo) -> None:
    cells = rows("limits.md")[limit.name].split("|")
    assert float(cells[2]) == float(limit.default)


@pytest.mark.parametrize(
    "spec",
    [
        ApplicationSpec,
        CleanupSpec,
        ImageSpec,
        JobHookSpec,
        JobSpec,
        OutputFile,
        PoolSpec,
        ResourceFile,
        StartTaskSpec,
        TaskFactory,
        TaskSpec,
    ],
)
def test_every_key_of_a_job_file_is_documented(spec: type[msgspec.Struct]) -> None:
    keys = {field.encode_name for field in msgspec.structs.fields(spec)} - SET_BY_LOADING
    page = (DOCS / "job-file.md").read_text()
    assert {key for key in keys if f"`{key}`" not in page} == set()


@pytest.mark.parametrize("kind", Fault.__args__, ids=lambda kind: str(kind.__struct_config__.tag))
def test_every_fault_is_documented_with_what_it_takes_and_where(kind: type[Kind]) -> None:
    page = (DOCS / "fault-lab.md").read_text()
    names = {str(kind.__struct_config__.tag), *kind.__struct_fields__, *kind.places}
    assert {name for name in names if f"`{name}`" not in page} == set()


def verbs_and_options() -> Iterator[tuple[str, str]]:
    program = typer.main.get_command(app)
    assert isinstance(program, typer.core.TyperGroup)
    for verb, command in program.commands.items():
        yield verb, f"## orchestrator {verb}"
        for parameter in command.params:
            if not getattr(parameter, "hidden", False):
                for option in parameter.opts:
                    if option.startswith("--"):
                        yield verb, f"`{option}"


@pytest.mark.parametrize(("verb", "told"), list(verbs_and_options()))
def test_every_command_and_option_is_documented(verb: str, told: str) -> None:
    section = (DOCS / "cli.md").read_text().split(f"## orchestrator {verb}")[1].split("\n## ")[0]
    assert told in f"## orchestrator {verb}{section}"


def test_every_exit_code_is_documented_with_its_number() -> None:
    documented = rows("cli.md")
    assert {code for code in ExitCode if f"`{code.name}`" not in documented.get(str(code.value), "")} == set()


def test_every_setting_is_documented() -> None:
    named = {
        value for value in vars(settings).values() if isinstance(value, str) and value.startswith("AZURE_")
    }
    read = {
        name
        for path in (ROOT / "orchestrator").rglob("*.py")
        for name in re.findall(r'environ\S*\(?\[?"(ORCHESTRATOR_\w+)"', path.read_text())
    }
    assert named | read
    assert named | read <= set(rows("cli.md"))


@pytest.mark.parametrize("page", [*pages(), ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_no_link_leads_nowhere(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_every_page_is_in_the_index(page: Path) -> None:
    assert page.name == "README.md" or f"({page.name})" in (DOCS / "README.md").read_text()
