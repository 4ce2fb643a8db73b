"""Globs mean what the Batch agent means by them."""

from __future__ import annotations

import pytest

from orchestrator.handlers.output_patterns import compile_pattern


@pytest.mark.parametrize(
    ("pattern", "matches", "others"),
    [
        (
            "*_OUTPUT.txt",
            ["a_OUTPUT.txt", "_OUTPUT.txt", "a\nb_OUTPUT.txt"],
            ["d/a_OUTPUT.txt", "a_OUTPUT.tx"],
        ),
        ("out/**/*.csv", ["out/a.csv", "out/b/c/a.csv"], ["a.csv", "out/.h/a.csv", "out/.a.csv"]),
        ("**/*.txt", ["a.txt", "b/a.txt"], ["a.csv"]),
        ("out/**", ["out/a", "out/b/c"], ["out", "other/a"]),
        ("std???.txt", ["stdout.txt", "stderr.txt"], ["std.txt", "std/ut.txt"]),
        ("[abc].x", ["a.x"], ["d.x"]),
        ("[!abc].x", ["d.x"], ["a.x", "/.x"]),
        ("[a-c]1", ["b1"], ["d1"]),
        ("[*]", ["*"], ["a"]),
        ("[]", ["[]"], ["a"]),
        ("[]a]x", ["]x", "ax"], ["bx"]),
        ("a[b", ["a[b"], ["ab"]),
        ("*", ["a"], [".hidden"]),
        (".*", [".hidden"], ["a"]),
        ("a.txt", ["a.txt"], ["aXtxt"]),
        ("./a.txt", ["a.txt"], []),
        (r"a\d", [r"a\d"], ["a1"]),
        ("[^a]", ["^", "a"], ["b"]),
    ],
)
def test_a_pattern_matches_what_it_means(pattern: str, matches: list[str], others: list[str]) -> None:
    compiled = compile_pattern(pattern)
    assert [name for name in matches if not compiled.fullmatch(name)] == []
    assert [name for name in others if compiled.fullmatch(name)] == []
