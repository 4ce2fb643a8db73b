"""Where an output goes, so that it lies in the results where the node had it."""

from __future__ import annotations

import pytest

from orchestrator.spec.files import OutputFile
from orchestrator.spec.output_places import destination, expected_results, literal_result


@pytest.mark.parametrize(
    ("pattern", "path", "expected", "glob"),
    [
        ("result.txt", None, "result.txt", "result.txt"),
        ("out/a.bin", None, "out/a.bin", "out/a.bin"),
        ("./out/a.bin", None, "out/a.bin", "out/a.bin"),
        ("*.txt", None, "", "*.txt"),
        ("out/*.txt", None, "out", "out/*.txt"),
        ("out/deep/**/*.csv", None, "out/deep", "out/deep/**/*.csv"),
        ("../std*.txt", None, "", "std*.txt"),
        ("../fileuploadout.txt", None, "fileuploadout.txt", "fileuploadout.txt"),
        ("$AZ_BATCH_TASK_DIR/stdout.txt", None, "stdout.txt", "stdout.txt"),
        ("*.txt", "texts", "texts", "texts/*.txt"),
        ("a.txt", "/b/c.txt", "b/c.txt", "b/c.txt"),
    ],
)
def test_outputs_keep_their_place(pattern: str, path: str | None, expected: str, glob: str) -> None:
    output = OutputFile(pattern=pattern, path=path)
    assert destination(output) == expected
    assert expected_results(output) == glob


@pytest.mark.parametrize(
    ("pattern", "path", "literal"),
    [
        ("out/a.bin", None, "out/a.bin"),
        ("../fileuploadout.txt", None, "fileuploadout.txt"),
        ("a.txt", "b/c.txt", "b/c.txt"),
        ("out/*.txt", None, None),
        ("a[0-9].txt", None, None),
        ("?.txt", "texts", None),
        ("a.txt", "/", None),
    ],
)
def test_only_what_has_no_wildcard_can_be_asked_for_by_its_name(
    pattern: str, path: str | None, literal: str | None
) -> None:
    assert literal_result(OutputFile(pattern=pattern, path=path)) == literal
