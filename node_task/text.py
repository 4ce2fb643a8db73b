"""The text of a file, piece by piece: never the whole of it in memory."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Iterable, Iterator

from node_task.errors import FileError, reason

PIECE_BYTES = 1024 * 1024
_BYTE_ORDER_MARK = "\ufeff"


def pieces_of(path: Path, size: int = PIECE_BYTES) -> Iterator[bytes]:
    """Reads a file in pieces, whatever the length of its lines.

    Args:
        path: The file.
        size: How many bytes a piece has; only the last one has fewer.

    Yields:
        The file's bytes, in order.

    Raises:
        FileError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            while True:
                piece = file.read(size)
                if not piece:
                    return
                yield piece
    except OSError as error:
        raise FileError(f"cannot read {str(path)!r}: {reason(error)}") from error


def decoded(pieces: Iterable[bytes]) -> Iterator[str]:
    """Decodes UTF-8 that comes in pieces, which may end in the middle of a character.

    A byte order mark at the start is left out. Bytes that are no UTF-8 become lone surrogates (Python's
    ``surrogateescape``): words of a text in another encoding stay different words, which replacement
    characters would not keep apart, and are written to the output as the bytes they were.

    Args:
        pieces: The bytes, cut anywhere.

    Yields:
        The text, in pieces of no particular length, none of them empty.
    """
    # Not "utf-8-sig": its incremental decoder loses a file of one or two bytes that begins like a mark.
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    at_start = True
    for piece in pieces:
        text = decoder.decode(piece)
        if text and at_start:
            at_start = False
            text = text[1:] if text[0] == _BYTE_ORDER_MARK else text
        if text:
            yield text
    rest = decoder.decode(b"", final=True)
    if rest:
        yield rest
