"""The exact bytes of a JSON answer.

Source of facts: recorded. CR LF and two spaces a level after `{` and `[` and before the closers; bare
commas and colons between; an empty object and an empty top-level list keep their inner line, an empty
nested list does not. Content-Lengths of recorded errors come out to the byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring
from typing import Any


def render(value: Mapping[str, Any]) -> bytes:
    """Write one object.

    Args:
        value: members in the order in which they go out; no member is None.

    Returns:
        UTF-8 without a byte order mark.
    """
    return _write(value, "").encode()


def render_list(metadata: str, elements: Iterable[Mapping[str, Any]], next_link: str | None) -> bytes:
    """Write a page of a list.

    Args:
        metadata: value of `odata.metadata`.
        elements: the page.
        next_link: where the next page is; None on the last one.

    Returns:
        UTF-8; `odata.nextLink` is the last member.
    """
    body = ",".join([_write(element, "    ") for element in elements])
    tail = f',"odata.nextLink":{encode_basestring(next_link)}' if next_link else ""
    head = f'{{\r\n  "odata.metadata":{encode_basestring(metadata)},"value":[\r\n    '
    return f"{head}{body}\r\n  ]{tail}\r\n}}".encode()


def _write(value: Any, pad: str) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    inner = pad + "  "
    if isinstance(value, dict | Mapping):  # a dict is known as such without asking what a Mapping is
        members = ",".join([f"{encode_basestring(key)}:{_write(item, inner)}" for key, item in value.items()])
        return f"{{\r\n{inner}{members}\r\n{pad}}}"
    if isinstance(value, list | tuple):
        elements = ",".join([_write(item, inner) for item in value])
        return f"[\r\n{inner}{elements}\r\n{pad}]" if value else "[]"
    if isinstance(value, float):
        return json.dumps(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
