"""Stage: keeps the addresses in the run's tasks working for as long as the run lives."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import partial

import anyio
import msgspec
import structlog

from orchestrator.accounts.access import Access, Grant
from orchestrator.accounts.storage import StorageAccount
from orchestrator.errors import OrchestratorError, error_text
from orchestrator.events import AccessExtensionFailed, Publish
from orchestrator.limits import Limits
from orchestrator.stages.workers import run_all

log = structlog.get_logger()

_AT_FIRST = 0.9
"""Of a lifetime: what a container that another run keeps open too must have left, or it is extended."""
_EXTENDED = 0.5
"""Of a lifetime: with less than this left it is extended, which leaves the other half for an outage."""
_TOLD = 0.25
"""Of a lifetime: with less than this left, an extension that fails is worth an event."""


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A container that the run's addresses lead to.

    Args:
        access: what for.
        lifetime: how long they are to work from each extension on, in seconds.
        needed: whether the run can't begin without it.
    """

    access: Access
    lifetime: float
    needed: bool = True


def worth_telling(left: float | None, lifetime: float) -> bool:
    """Whether a failed extension has become a danger to the run.

    Args:
        left: how long the addresses still work, in seconds; None if that was never known.
        lifetime: from each extension on, in seconds.
    """
    return left is None or left < _TOLD * lifetime


class AccessRenewal:
    """Opens the containers of one run, and extends that again and again.

    A container whose addresses have lapsed, since the program was away for too long, is open again with the
    first extension. Where a token signs, each address has an end of its own, and nothing is to be done here.

    Args:
        run_id: of the run.
        storage: where the containers are.
        publish: told when an extension keeps failing.
        limits: `access_check_interval` and the tries count.
        containers: by name.
    """

    def __init__(
        self,
        *,
        run_id: str,
        storage: StorageAccount,
        publish: Publish,
        limits: Limits,
        containers: Mapping[str, Opened],
    ) -> None:
        self._run_id = run_id
        self._storage = storage
        self._publish = publish
        self._limits = limits
        self._containers = dict(containers)
        self._ends: dict[str, tuple[float, datetime]] = {}
        self._troubles: dict[str, str] = {}
        self._told: set[str] = set()

    async def open(self, only: Collection[str] | None = None) -> None:
        """Set the policies, before anything is added that counts on them; and extend those of an earlier day.

        Those of containers that are not needed are left to `run`.

        Args:
            only: of these containers; None for all.

        Raises:
            NotFoundError: a container is not there.
            ServiceError, UnreachableError: storage refused or did not answer.
        """

        async def extend(container: str, opened: Opened) -> None:
            self._keep(container, await self._extend(container, opened, share=_AT_FIRST))

        await run_all(*(partial(extend, name, opened) for name, opened in self._needed(only)))

    async def wait_until_open(self, only: Collection[str] | None = None) -> None:
        """Wait until the addresses work, which may take half a minute from the first setting on.

        Args:
            only: of these containers; None for all.

        Raises:
            ServiceError: they are refused for longer than `Limits.access_start_timeout`.
            UnreachableError: no answer came.
        """
        wait = self._storage.wait_until_open
        await run_all(*(partial(wait, name, opened.access) for name, opened in self._needed(only)))

    async def run(self) -> None:
        """Extend what has to be extended, until cancelled. A failure is tried again; it ends nothing.

        At each look the service is asked what is left, since its clock counts, and other runs and people may
        have changed it.
        """
        if self._storage.longest_address is not None:
            return
        # `open` has just looked at those that it knows the ends of.
        due = {name: opened for name, opened in self._containers.items() if name not in self._ends}
        while True:
            for container, opened in due.items():
                await self._look(container, opened)
            due = self._containers
            interval = self._limits.access_check_interval
            await anyio.sleep(min(interval, self._limits.backoff_limit) if self._troubles else interval)

    def reasons(self) -> tuple[str, ...]:
        """Why tasks may be unable to get their files or bring their outputs; empty while all is well."""
        return tuple(
            f"the addresses of container {container} {self._state(container)}, not extended since {why}"
            for container, why in self._troubles.items()
        )

    def _needed(self, only: Collection[str] | None) -> list[tuple[str, Opened]]:
        return [
            (name, opened)
            for name, opened in self._containers.items()
            if opened.needed and (only is None or name in only)
        ]

    async def _look(self, container: str, opened: Opened) -> None:
        try:
            grant = await self._extend(container, opened, share=_EXTENDED)
        except OrchestratorError as error:
            await self._trouble(container, opened, error_text(error))
        else:
            self._keep(container, grant)

    async def _extend(self, container: str, opened: Opened, *, share: float) -> Grant | None:
        return await self._storage.keep_open(
            container, opened.access, lifetime=opened.lifetime, least=share * opened.lifetime
        )

    def _keep(self, container: str, grant: Grant | None) -> None:
        if grant is not None:
            self._ends[container] = (anyio.current_time() + grant.left, grant.expiry)
        if self._troubles.pop(container, None) is not None:
            log.info("access.extended_again", run=self._run_id, container=container)
        self._told.discard(container)

    async def _trouble(self, container: str, opened: Opened, why: str) -> None:
        self._troubles[container] = why
        left = self._left(container)
        log.warning("access.not_extended", run=self._run_id, container=container, left=left, error=why)
        if container in self._told or not worth_telling(left, opened.lifetime):
            return
        self._told.add(container)
        known = self._ends.get(container)
        await self._publish(
            AccessExtensionFailed(
                run_id=self._run_id, container=container, expiry=known[1] if known else None, reason=why
            )
        )

    def _left(self, container: str) -> float | None:
        known = self._ends.get(container)
        return None if known is None else round(known[0] - anyio.current_time(), 3)

    def _state(self, container: str) -> str:
        left = self._left(container)
        if left is None:
            return "were never seen to work"
        return f"work for {left:.0f} s more" if left > 0 else "have lapsed"
