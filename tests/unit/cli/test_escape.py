from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli.render.escape import shown


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("plain name.txt", "plain name.txt"),
        ("naïve 文件 имя", "naïve 文件 имя"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("evil\u202etxt.exe", "evil\\u202etxt.exe"),
        ("\x9b31m", "\\x9b31m"),
        ("[bold]no markup[/bold]", "[bold]no markup[/bold]"),
        ("\udc80", "\\udc80"),
    ],
)
def test_what_steers_a_terminal_is_written_out(text: str, told: str) -> None:
    assert shown(text) == told


@given(st.text(st.characters(exclude_categories=[])))
def test_nothing_that_is_shown_controls_anything(text: str) -> None:
    assert not [
        character for character in shown(text) if unicodedata.category(character) in {"Cc", "Cs", "Zl"}
    ]
    shown(text).encode()
