"""Takes out of a text what nobody may read in it: the queries of addresses, signatures, keys."""

from __future__ import annotations

import re

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
