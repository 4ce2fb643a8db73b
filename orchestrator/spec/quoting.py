"""How a place in a command line is quoted, which decides what a placeholder there becomes."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping


class Quoting(enum.StrEnum):
    """What surrounds a place in a command line; the value says where that is, for a message."""

    NONE = "outside quotes"
    SINGLE = "inside single quotes"
    DOUBLE = "inside double quotes"
    BACKTICK = "inside backticks"
    PARAMETER = "inside ${...}"
    ARITHMETIC = "inside $((...))"
    COMMENT = "inside a comment"
    HERE_DOCUMENT = "after a here-document"
    ESCAPED = "after a backslash"
    UNSURE = "after something too intricate to tell how it is quoted"


_CASE = re.compile(r"\bcase\b")


def quoting_at(command: str, places: Mapping[int, int], *, in_shell: bool) -> dict[int, Quoting]:
    """Find out how each placeholder of a command line is quoted.

    A wrong answer would let a file's name be run as a command, so what is not understood is `UNSURE`.

    Args:
        command: with its placeholders.
        places: start and end of each placeholder.
        in_shell: whether a shell reads it; if not, only quotes and backslashes mean something.

    Returns:
        The quoting of each start.
    """
    return _Scanner(command, places, in_shell=in_shell).scan()


class _Scanner:
    def __init__(self, command: str, places: Mapping[int, int], *, in_shell: bool) -> None:
        self._text = command
        self._places = places
        self._in_shell = in_shell
        self._stack = [Quoting.NONE]
        self._here_document = False
        self._unsure = False
        self._has_case = bool(_CASE.search(command))
        self._found: dict[int, Quoting] = {}

    def scan(self) -> dict[int, Quoting]:
        at = 0
        while at < len(self._text):
            if at in self._places:
                self._found[at] = self._judge(at)
                at = self._places[at]
            else:
                at += self._step(at)
        return self._found

    def _judge(self, at: int) -> Quoting:
        if self._unsure:
            return Quoting.UNSURE
        top = self._stack[-1]
        if top is not Quoting.SINGLE and self._escaped(at):
            return Quoting.ESCAPED
        if top is Quoting.NONE and self._here_document and "\n" in self._text[:at]:
            return Quoting.HERE_DOCUMENT
        return top

    def _escaped(self, at: int) -> bool:
        before = self._text[:at]
        return (len(before) - len(before.rstrip("\\"))) % 2 == 1

    def _step(self, at: int) -> int:
        """Take what is at this place into account; returns how many characters that was."""
        character = self._text[at]
        top = self._stack[-1]
        if top is Quoting.SINGLE:
            if character == "'":
                self._stack.pop()
            return 1
        if top is Quoting.COMMENT:
            if character == "\n":
                self._stack.pop()
            return 1
        if character == "\\":
            return 1 if at + 1 in self._places else 2
        if character == '"':
            if top is Quoting.DOUBLE:
                self._stack.pop()
            else:
                self._stack.append(Quoting.DOUBLE)
            return 1
        if character == "'" and top is not Quoting.DOUBLE:
            # In "${x:-'}" it is an ordinary character, in ${x:-'} it opens a quote: not worth telling apart.
            self._unsure = self._unsure or top is Quoting.PARAMETER
            self._stack.append(Quoting.SINGLE)
            return 1
        return self._step_shell(at, top) if self._in_shell else 1

    def _step_shell(self, at: int, top: Quoting) -> int:
        text = self._text
        if text.startswith("$((", at):
            self._stack += [Quoting.ARITHMETIC, Quoting.ARITHMETIC]
            return 3
        if text.startswith("$(", at):
            self._stack.append(Quoting.NONE)
            return 2
        if text.startswith("${", at):
            self._stack.append(Quoting.PARAMETER)
            return 2
        if text[at] == "`":
            self._backtick()
        elif top is not Quoting.DOUBLE:
            self._step_unquoted(at, top)
        return 1

    def _backtick(self) -> None:
        if Quoting.BACKTICK not in self._stack:
            self._stack.append(Quoting.BACKTICK)
            return
        while self._stack.pop() is not Quoting.BACKTICK:
            pass

    def _step_unquoted(self, at: int, top: Quoting) -> None:
        character = self._text[at]
        if character == "(":
            self._stack.append(Quoting.ARITHMETIC if top is Quoting.ARITHMETIC else Quoting.NONE)
        elif character == ")" and len(self._stack) > 1:
            # The ")" of a case pattern closes nothing, and telling the two apart takes a whole parser.
            self._unsure = self._unsure or self._has_case
            self._stack.pop()
        elif character == "}" and top is Quoting.PARAMETER:
            self._stack.pop()
        elif character == "$" and self._text.startswith("'", at + 1):
            self._unsure = True  # $'...' has its own rules in one shell and none in another
        elif top is Quoting.NONE and character == "#" and self._begins_word(at):
            self._stack.append(Quoting.COMMENT)
        elif top is Quoting.NONE and self._text.startswith("<<", at):
            self._here_document = True

    def _begins_word(self, at: int) -> bool:
        return at == 0 or self._text[at - 1] in " \t\n;&|()"
