"""Looks for secrets in bytes, in whatever way they may have been written down."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, unquote

from tests.conformance.waiting import processes

_PAUSE = 0.02


def forms(secret: str) -> set[bytes]:
    """A secret as it stands, and quoted for an address in the usual ways."""
    plain = unquote(secret)
    written = {secret, plain, quote(plain), quote(plain, safe=""), quote(quote(plain, safe=""), safe="")}
    return {form.encode() for form in written | {json.dumps(form)[1:-1] for form in written}}


def found_in(places: Iterable[tuple[str, bytes]], secrets: Iterable[str]) -> list[tuple[str, str, bytes]]:
    """Every place that has a secret: its name, the secret, and what is around it."""
    wanted = [(secret, form) for secret in secrets for form in forms(secret)]
    found = []
    for name, content in places:
        for secret, form in wanted:
            at = content.find(form)
            if at >= 0:
                found.append((name, secret, content[max(at - 200, 0) : at + len(form) + 40]))
    return found


def files_below(*folders: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file."""
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
            if path.is_file() and not path.is_symlink():
                yield str(path), path.read_bytes()


class CommandLines:
    """Takes down the command line of every process of this machine, again and again, in a thread."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="command-lines", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_PAUSE):
            for folder in processes():
                try:
                    self.seen.add((folder / "cmdline").read_bytes())
                except OSError:  # it may just have ended
                    continue
