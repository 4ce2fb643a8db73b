"""From text to tokens, each with its place.

Source of facts: the autoscale page. It shows names with and without a dollar sign, decimal numbers,
strings in double quotes, `//` comments and line breaks. What it does not show (`/* */`, single quotes,
escapes, `.5`) is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from orchestrator.local.batch.autoscale.errors import SYNTAX_ERROR, FormulaError, Position

_TOKEN: Final = re.compile(
    r"(?P<BLANK>\s+|//[^\n]*)"
    r"|(?P<NAME>\$?[A-Za-z_]\w*)"
    r"|(?P<NUMBER>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
    r'|(?P<TEXT>"[^"\n]*")'
    r"|(?P<MARK>&&|\|\||[<>=!]=|[-+*/<>!?:;,.()=])",
    re.ASCII,
)


class Kind(Enum):
    """What a token is."""

    NAME = auto()
    NUMBER = auto()
    TEXT = auto()
    MARK = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a formula.

    Args:
        kind: what it is.
        text: as written, a string with its quotes; "" at the end.
        position: of its first character.
    """

    kind: Kind
    text: str
    position: Position

    def is_mark(self, mark: str) -> bool:
        """Tell whether it is this punctuation.

        Args:
            mark: for example `;`.

        Returns:
            False for a string that happens to hold the same characters.
        """
        return self.kind is Kind.MARK and self.text == mark


def scan(formula: str) -> list[Token]:
    """Cut a formula into tokens.

    Args:
        formula: any text.

    Returns:
        The tokens without blanks and comments; the last one is of kind END.

    Raises:
        FormulaError: a character begins no token.
    """
    tokens: list[Token] = []
    at = line_start = 0
    line = 1
    while at < len(formula):
        position = Position(line, at - line_start + 1)
        match = _TOKEN.match(formula, at)
        if match is None:
            unclosed = formula[at] == '"'
            reason = "The string is not closed" if unclosed else f"Unexpected character '{formula[at]}'"
            raise FormulaError(SYNTAX_ERROR, reason, position)
        text = match.group()
        if match.lastgroup != "BLANK":
            tokens.append(Token(Kind[str(match.lastgroup)], text, position))
        breaks = text.count("\n")
        if breaks:
            line += breaks
            line_start = at + text.rindex("\n") + 1
        at = match.end()
    tokens.append(Token(Kind.END, "", Position(line, at - line_start + 1)))
    return tokens
