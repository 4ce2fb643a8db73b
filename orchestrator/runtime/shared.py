"""What all runs of an orchestrator share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

import msgspec

from orchestrator.accounts.account import Account
from orchestrator.file_threads import FileThreads
from orchestrator.journal import Journal
from orchestrator.limits import Limits

Ask: TypeAlias = Callable[[str, str], Awaitable[bool]]


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """Of one orchestrator, while it is open.

    Args:
        account: where runs take place.
        journal: what they create is written there.
        limits: the numbers that they are held to.
        start: runs a coroutine function in the owner's task group.
        ask: answers the policy `ask`, given the kind and the id; None where nobody can be asked.
        environ: where `env:NAME` references are looked up.
        threads: for files of results.
    """

    account: Account
    journal: Journal
    limits: Limits
    start: Callable[[Callable[[], Awaitable[None]], str], None]
    ask: Ask | None
    environ: Mapping[str, str]
    threads: FileThreads
