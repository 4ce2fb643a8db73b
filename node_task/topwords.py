"""The most frequent words of a text, counted as Microsoft's Batch tutorial counts them."""

from __future__ import annotations

import string
from collections import Counter
from typing import Iterable, Iterator, List, Tuple


def words(pieces: Iterable[str]) -> Iterator[str]:
    """Splits a text at white space.

    Args:
        pieces: The text, cut anywhere, also in the middle of a word.

    Yields:
        The same words, in the same order, as ``"".join(pieces).split()`` has.
    """
    # The start of a word whose end has not come yet. A list: adding to a string would copy it each time, and
    # a word that runs through a thousand pieces would be copied a thousand times.
    unfinished: List[str] = []
    for piece in pieces:
        found = piece.split()
        if unfinished and piece[:1].isspace():
            yield "".join(unfinished)
            unfinished.clear()
        if not found:
            continue
        last = len(found) - 1
        for index, word in enumerate(found):
            if index == last and not piece[-1].isspace():
                unfinished.append(word)
            elif unfinished:
                yield "".join(unfinished) + word
                unfinished.clear()
            else:
                yield word
    if unfinished:
        yield "".join(unfinished)


def count(pieces: Iterable[str], *, casefold: bool = False) -> Counter[str]:
    """Counts the words of a text.

    ASCII punctuation is stripped at both ends of a word and kept inside; a word of nothing else does not
    count. Memory grows with the number of different words, not with the length of the text.

    Args:
        pieces: The text, cut anywhere.
        casefold: Whether words that differ in case only are the same word; it is counted in its folded form.

    Returns:
        Each word with its number, in the order of first appearance.
    """
    stripped = (word.strip(string.punctuation) for word in words(pieces))
    counts = Counter(word.casefold() for word in stripped) if casefold else Counter(stripped)
    del counts[""]
    return counts


def top(counts: Counter[str], number: int) -> List[Tuple[str, int]]:
    """The most frequent words.

    Args:
        counts: The words in the order of their first appearance.
        number: How many words at most; positive.

    Returns:
        Words with their numbers, the most frequent first; those of equal frequency as they first appeared.
    """
    return counts.most_common(number)
