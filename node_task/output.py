"""The output: where it goes and what it says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterable, Tuple

from node_task.environment import BatchIds
from node_task.errors import FileError, reason

LONGEST_NAME_BYTES = 255
"""What Linux file systems take as one name."""

_SUFFIX = "_OUTPUT"
_RULE = "-" * 30


def output_path(path: Path) -> Path:
    """Names the output that belongs to an input: ``a.txt`` becomes ``a_OUTPUT.txt`` in the same folder.

    Where that name would be longer than a file system takes, the part before ``_OUTPUT`` is cut at its end
    (and the extension, if that is not enough), so that an input with the longest possible name works too.

    Args:
        path: The input.

    Returns:
        The path of the output; never that of the input.
    """
    # Not Path.suffix: what it says of "a." depends on the version of Python.
    stem, extension = os.path.splitext(path.name)  # noqa: PTH122
    output = stem + _SUFFIX + extension
    # A cut name may come out as the input's own: a long "…_OUTPUT.txt" loses just what is added. Then cut on.
    while len(os.fsencode(output)) > LONGEST_NAME_BYTES or output == path.name:
        stem, extension = (stem[:-1], extension) if stem else (stem, extension[:-1])
        output = stem + _SUFFIX + extension
    return path.parent / output


def render(top: Iterable[Tuple[str, int]], ids: BatchIds) -> str:
    """Writes the table of words, in the layout of the tutorial's task.

    A word holds no white space and does not end in a colon, so that each line can be taken apart again.

    Args:
        top: Words with their numbers, in the order of the lines.
        ids: Where the task ran.

    Returns:
        The whole text: a header, a line ``WORD:<tab>NUMBER`` for each word, and the ids.
    """
    lines = ["Word\tCount", _RULE]
    lines += [f"{word}:\t{number}" for word, number in top]
    lines += [_RULE, f"Node: {ids.node}", f"Task: {ids.task}", f"Job: {ids.job}", f"Pool: {ids.pool}"]
    return "\n".join(lines) + "\n"


def write(path: Path, text: str) -> None:
    """Writes the output, over that of an earlier attempt of the same task if there is one.

    Args:
        path: The file.
        text: Its text. Lone surrogates, as ``text.decoded`` makes them, become the bytes they stand for.

    Raises:
        FileError: The file cannot be written.
    """
    try:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise FileError(f"cannot write {str(path)!r}: {reason(error)}") from error
