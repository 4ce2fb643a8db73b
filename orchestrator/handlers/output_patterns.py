"""Globs as the Batch agent expands them (REST: OutputFile.filePattern)."""

from __future__ import annotations

import functools
import re


@functools.lru_cache(maxsize=256)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A regular expression that matches the paths which a glob means.

    `*` is any characters within a segment, `**` any number of folders, `?` one character, `[abc]`, `[a-c]`
    and `[!abc]` one of a class (so `[*]` is a star). A name that starts with a dot is matched only by a
    segment that starts with one.

    Args:
        pattern: with slashes.

    Returns:
        To be used with `fullmatch`.
    """
    parts = [part for part in pattern.split("/") if part not in {"", "."}]
    made = ""
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            made += r"(?:(?!\.)[^/]+/)*"
            if last:
                made += r"(?!\.)[^/]+"
        else:
            made += _segment(part) + ("" if last else "/")
    return re.compile(made, re.DOTALL)


def _segment(part: str) -> str:
    made = "" if part.startswith(".") else r"(?!\.)"
    at = 0
    while at < len(part):
        sign = part[at]
        # A class holds at least one sign, so `[]` and an unclosed `[` are literal.
        end = part.find("]", at + (3 if part[at + 1 : at + 2] == "!" else 2)) if sign == "[" else -1
        if sign == "*":
            made += "[^/]*"
        elif sign == "?":
            made += "[^/]"
        elif end > 0:
            content = part[at + 1 : end]
            negated = content.startswith("!")
            escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", content[1:] if negated else content)
            made += f"[{'^/' if negated else ''}{escaped}]"
            at = end
        else:
            made += re.escape(sign)
        at += 1
    return made
