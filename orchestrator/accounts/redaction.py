"""Takes out of a text what nobody may read in it: the queries of addresses, signatures, keys."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator

_QUERY = re.compile(r"(?i)\b(https?://[^\s?]*)\?\S*")
# What a query, a connection string or a header may carry, also where no scheme marks the address.
_SECRET = re.compile(r"(?i)\b(sig|AccountKey|SharedAccessSignature)(=|%3D)[^\s&;]+")
_SUSPECT = re.compile(r"(?i)[?=]|%3D|SharedKey |Bearer ")
_AUTHORIZATION = re.compile(r"\b(SharedKey [^\s:]+:|Bearer )\S+")


def without_query(text: str) -> str:
    """The text with every address cut before its query, which may be a SAS.

    Services quote addresses in their messages (`ResourceContainerNotFound: https://…?sv=…&sig=…`), and such a
    message ends in logs, events and files.

    Args:
        text: any text.

    Returns:
        The same without queries of addresses, and with `***` for what else would sign a request.
    """
    if _SUSPECT.search(text) is None:  # nearly every text of a page of a thousand tasks
        return text
    cut = _QUERY.sub(r"\1", text)
    return _AUTHORIZATION.sub(r"\1***", _SECRET.sub(r"\1=***", cut))


class HiddenCauseError(Exception):
    """Stands for an error whose own text, or that of one before it, shows a secret."""


def shown_cause(cause: Exception | None) -> Exception | None:
    """The cause that an error may be raised from, so that its traceback shows no secret.

    The transport's errors quote the address that was asked for, signature included, when an answer is no HTTP
    (recorded of aiohttp's ClientResponseError).

    Args:
        cause: as it was raised.

    Returns:
        The same, or one that only says what it says, without what nobody may read.
    """
    if cause is None:
        return None
    # Of a traceback only the errors' own words can show a secret; its lines of code are ours and the SDKs'.
    whole = "".join(line for error in _and_before(cause) for line in traceback.format_exception_only(error))
    if _SECRET.search(whole) is None and _AUTHORIZATION.search(whole) is None:
        return cause
    return HiddenCauseError(f"{type(cause).__name__}: {without_query(str(cause))}")


def _and_before(error: BaseException) -> Iterator[BaseException]:
    """An error, those that came before it, and those of a group: whatever its traceback has in it."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += (one.__cause__, one.__context__)
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
