"""Parameters of a request, read as the table of routes describes them."""

from __future__ import annotations

from aiohttp import web

from orchestrator.daemon.refusals import wrong_request

_FLAGS = {"1": True, "true": True, "0": False, "false": False}


def number(request: web.Request, name: str, default: int, *, least: int, most: int) -> int:
    """A whole number.

    Raises:
        DaemonError: it is none, or not between the bounds.
    """
    text = request.query.get(name)
    if text is None:
        return default
    try:
        value = int(text) if text.isascii() else None
    except ValueError:
        value = None
    if value is None or not least <= value <= most:
        raise wrong_request(f"must be a whole number from {least} to {most}", where=name)
    return value


def flag(request: web.Request, name: str) -> bool:
    """Yes or no; no by default.

    Raises:
        DaemonError: it is neither.
    """
    text = request.query.get(name, "0").lower()
    if text not in _FLAGS:
        raise wrong_request("must be true or false", where=name)
    return _FLAGS[text]


def choice(request: web.Request, name: str, values: tuple[str, ...]) -> str | None:
    """One of several words; None where it is not given.

    Raises:
        DaemonError: it is another word.
    """
    text = request.query.get(name)
    if text is not None and text not in values:
        raise wrong_request(f"must be one of {', '.join(values)}", where=name)
    return text
