from __future__ import annotations

from pathlib import Path

import pytest

from tests.house.places import DOCS, ROOT, python_files

LONGEST = 400
SAYS_NOTHING = {"base", "common", "helper", "helpers", "misc", "util", "utils"}
FILES = python_files("orchestrator", "node_task", "tests")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_longer_than_one_idea(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST


def test_no_file_or_folder_has_a_name_that_hides_an_idea() -> None:
    named = {part.removesuffix(".py") for path in FILES for part in path.relative_to(ROOT).parts}
    assert not named & SAYS_NOTHING


@pytest.mark.parametrize("folder", ["orchestrator", "tests"])
def test_every_folder_has_its_line_in_the_picture_of_the_house(folder: str) -> None:
    picture = (DOCS / "design.md").read_text()
    rooms = {path.parent.relative_to(ROOT / folder).parts[:1] for path in python_files(folder)}
    assert [room for (room,) in sorted(filter(None, rooms)) if f" {room}/" not in picture] == []


@pytest.mark.parametrize("path", python_files("orchestrator", "node_task"), ids=str)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert path.read_text().lstrip().startswith(('"""', 'r"""')) or not path.read_text().strip()
