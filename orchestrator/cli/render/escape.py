"""Makes text that came from files, tasks or the service safe to show on a terminal."""

from __future__ import annotations

import unicodedata

# Some scripts and emoji need the two joiners to be readable, and they move no cursor.
_HARMLESS_FORMATS = frozenset("\u200c\u200d")
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def shown(text: str) -> str:
    r"""The text with every character that steers a terminal written out (`\x1b`, `\n`, `\u202e`).

    A file's name may hold an escape sequence or a newline, and a task's error text anything: shown as they
    stand, they could repaint the screen or forge a line.

    Args:
        text: from anywhere.
    """
    return "".join(_one(character) for character in text)


def _one(character: str) -> str:
    if character in _HARMLESS_FORMATS or unicodedata.category(character) not in _UNSAFE:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
