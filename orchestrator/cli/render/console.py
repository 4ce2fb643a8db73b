"""A rich console that shows text and never interprets it."""

from __future__ import annotations

from typing import IO

from rich.console import Console

_UNFOLDED = 10_000


def plain_console(file: IO[str]) -> Console:
    """A console without markup, emoji codes and highlighting: names of files may look like any of them.

    Args:
        file: where it writes; when it is no terminal, lines and tables are as wide as their content.
    """
    return Console(
        file=file,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=True,
        width=None if file.isatty() else _UNFOLDED,
    )
