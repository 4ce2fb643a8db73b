"""The fault lab: rules that hold now, and what they did.

Everything here may be called from any thread: a test may run in another one than the service.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from orchestrator.local.faults.check import make_rule, settle
from orchestrator.local.faults.decision import UNTOUCHED, Occasion, Progress, choose
from orchestrator.local.faults.kinds import Fault
from orchestrator.local.faults.rule import FaultScriptError, Rule, Script
from orchestrator.local.faults.script import read_script

_REMEMBERED: Final = 10_000
_LIMIT: Final = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Firing:
    """A fault that happened.

    Args:
        rule: name.
        fault: what happened.
        occasion: where.
        at: aware UTC.
    """

    rule: str
    fault: Fault
    occasion: Occasion
    at: datetime


class FaultLab:
    """Rules, by name, in order.

    Args:
        faults: what holds from the beginning: a script, or the path of one; None for nothing.

    Raises:
        FaultScriptError: if the script makes no sense.
        OSError: if its file can't be read.
    """

    def __init__(self, faults: Script | Path | None = None) -> None:
        self._guard = threading.Lock()
        self._rules: dict[str, Rule] = {}
        self._by_place: dict[str, tuple[Rule, ...]] = {}
        self._progress: dict[str, Progress] = {}
        self._firings: deque[Firing] = deque(maxlen=_REMEMBERED)
        self._waiters: list[_Waiter] = []
        self._numbers = 0
        if isinstance(faults, Path):
            faults = read_script(faults)
        if faults is not None:
            self.replace(faults)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Those that hold, in order."""
        with self._guard:
            return tuple(self._rules.values())

    @property
    def firings(self) -> tuple[Firing, ...]:
        """What happened, oldest first; the last 10,000."""
        with self._guard:
            return tuple(self._firings)

    def add(self, rule: Rule | Mapping[str, Any]) -> str:
        """Let a rule hold, behind the others.

        Args:
            rule: or its members as a script has them.

        Returns:
            Its name.

        Raises:
            FaultScriptError: if it makes no sense, or the name is taken.
        """
        made = make_rule(rule)
        with self._guard:
            name = made.name or self._free_name()
            if name in self._rules:
                raise FaultScriptError("name", f"{name!r} is the name of another rule")
            self._rules[name] = msgspec.structs.replace(made, name=name, seed=made.seed or 0)
            self._progress.pop(name, None)
            self._by_place = {}
        return name

    def remove(self, name: str) -> bool:
        """Let a rule hold no longer; what it did stays to be read.

        Args:
            name: of the rule.

        Returns:
            Whether it was there.
        """
        with self._guard:
            there = self._rules.pop(name, None) is not None
            self._by_place = {}
        return there

    def replace(self, script: Script) -> None:
        """Let a script's rules hold in place of all others, and count from the beginning.

        Args:
            script: new rules.

        Raises:
            FaultScriptError: if it makes no sense; then nothing changes.
        """
        settled = settle(script)
        with self._guard:
            self._rules = {rule.name: rule for rule in settled.rules}
            self._progress = {}
            self._firings.clear()
            self._by_place = {}

    def clear(self) -> None:
        """Let nothing go wrong any more, and forget what did."""
        self.replace(Script())

    def fired(self, name: str) -> int:
        """Tell how often a rule's fault happened.

        Args:
            name: of the rule; it need not hold any more.
        """
        return self.progress(name).fired

    def progress(self, name: str) -> Progress:
        """Tell how far a rule is.

        Args:
            name: of the rule; it need not hold any more.
        """
        with self._guard:
            return self._progress.get(name, UNTOUCHED)

    async def wait_fired(self, name: str, count: int = 1, *, timeout: float = _LIMIT) -> None:
        """Wait until a rule's fault has happened.

        Args:
            name: of the rule; it need not hold yet.
            count: times in all.
            timeout: seconds.

        Raises:
            TimeoutError: if it has not by then.
        """
        loop = asyncio.get_running_loop()
        happened = asyncio.Event()
        waiter = _Waiter(name, count, lambda: loop.call_soon_threadsafe(happened.set))
        self._watch(waiter)
        try:
            async with asyncio.timeout(timeout):
                await happened.wait()
        except TimeoutError:
            raise TimeoutError(self._story(name, count, timeout)) from None
        finally:
            self._forget(waiter)

    def wait_fired_blocking(self, name: str, count: int = 1, *, timeout: float = _LIMIT) -> None:
        """Do as `wait_fired`, for a thread without an event loop.

        Args:
            name: of the rule; it need not hold yet.
            count: times in all.
            timeout: seconds.

        Raises:
            TimeoutError: if it has not by then.
        """
        happened = threading.Event()
        waiter = _Waiter(name, count, happened.set)
        self._watch(waiter)
        try:
            if not happened.wait(timeout):
                raise TimeoutError(self._story(name, count, timeout))
        finally:
            self._forget(waiter)

    def listens(self, place: str) -> bool:
        """Tell whether any rule looks at a place: asked at every request, so it costs next to nothing.

        Args:
            place: operation or happening.
        """
        return bool(self._at(place))

    def consult(self, occasion: Occasion) -> tuple[Fault, Rule] | None:
        """Decide whether something goes wrong now, and count it.

        Args:
            occasion: that comes up.

        Returns:
            The fault and its rule, or None.
        """
        with self._guard:
            changed, chosen = choose(self._at(occasion.name), self._progress, occasion)
            self._progress.update(changed)
            if chosen is None:
                return None
            firing = Firing(rule=chosen.name, fault=chosen.fault, occasion=occasion, at=datetime.now(UTC))
            self._firings.append(firing)
            for waiter in self._waiters:
                waiter.tell(self._progress)
            return chosen.fault, chosen

    def _watch(self, waiter: _Waiter) -> None:
        with self._guard:
            self._waiters.append(waiter)
            waiter.tell(self._progress)

    def _forget(self, waiter: _Waiter) -> None:
        with self._guard:
            self._waiters.remove(waiter)

    def _story(self, name: str, count: int, timeout: float) -> str:
        progress = self.progress(name)
        return (
            f"fault {name!r} happened {progress.fired} of {count} times within {timeout:g} s"
            f" ({progress.seen} matching occasions)"
        )

    def _free_name(self) -> str:
        while (name := f"rule-{self._numbers}") in self._rules:
            self._numbers += 1
        self._numbers += 1
        return name

    def _at(self, place: str) -> tuple[Rule, ...]:
        # Asked without the guard, too: what is found goes into the table that was there before the rules were
        # read, so that a table made after a change never holds what was before it.
        known = self._by_place
        found = known.get(place)
        if found is None:
            found = tuple(rule for rule in tuple(self._rules.values()) if rule.looks_at(place))
            known[place] = found
        return found


@dataclass(slots=True, eq=False)
class _Waiter:
    name: str
    count: int
    happened: Callable[[], object]

    def tell(self, progress: Mapping[str, Progress]) -> None:
        if progress.get(self.name, UNTOUCHED).fired >= self.count:
            self.happened()
