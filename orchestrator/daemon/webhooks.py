"""Tells other programs of events by HTTP: signed, in order, at least once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp
import anyio
import structlog

from orchestrator.daemon.config import DaemonConfig, DaemonLimits
from orchestrator.daemon.feed import Feed
from orchestrator.daemon.intake import Intake
from orchestrator.daemon.outbound import CheckedResolver, refused_because
from orchestrator.daemon.webhook_config import WebhookConfig, networks, wanted_events
from orchestrator.daemon.webhook_delivery import body_of, first_part, matches, signed_headers
from orchestrator.errors import ConfigError, SpecError
from orchestrator.journal.records import StoredEvent
from orchestrator.spec.resolve import resolve
from orchestrator.spec.secret import SecretText
from orchestrator.version import __version__

log = structlog.get_logger()

_MOST = 100
_SIZE = 256 * 1024
_PASSED_OVER = 5000
_JOBS_KNOWN = 1000


class Counters(Protocol):
    """Where deliveries are counted."""

    def delivered(self, host: str, *, ok: bool) -> None:
        """One try is over."""


def secret_of(config: WebhookConfig, *, daemon: DaemonConfig, environ: Mapping[str, str]) -> SecretText:
    """What deliveries to a receiver are signed with.

    Raises:
        ConfigError: it is not there.
    """
    try:
        return resolve(config.secret, environ, daemon.state)
    except SpecError as error:
        host = urlsplit(config.url).hostname
        raise ConfigError(str(error), where=f"{daemon.source}: webhooks: {host}: secret") from error


class Webhook:
    """One receiver: what it has not confirmed stays in the journal, so that a dead one costs a number.

    Args:
        config: of this one.
        daemon: for the addresses that may be sent to, and where the secret's file is.
        environ: where the secret is looked up.
        intake: keeps how far the receiver has come.
        feed: the events.
        limits: as of the last reload.
        counters: told of each try.

    Raises:
        ConfigError: its secret is not there.
    """

    def __init__(
        self,
        config: WebhookConfig,
        *,
        daemon: DaemonConfig,
        environ: Mapping[str, str],
        intake: Intake,
        feed: Feed,
        limits: Callable[[], DaemonLimits],
        counters: Counters,
    ) -> None:
        self._config = config
        self._allowed = networks(daemon.webhook_networks)
        self._intake = intake
        self._feed = feed
        self._limits = limits
        self._counters = counters
        self._events = wanted_events(config.events)
        self._jobs: dict[str, str] = {}
        parts = urlsplit(config.url)
        self._secure, self._host = parts.scheme == "https", parts.hostname or ""
        self._secret = secret_of(config, daemon=daemon, environ=environ)

    async def tell(self) -> None:
        """Send what comes, for ever. A new receiver is told what happens from now on."""
        kept = await self._intake.webhook_cursor(self._config.url)
        if kept is None:
            kept = self._feed.head
            await self._intake.move_webhook(self._config.url, kept)
        async with self._session() as session:
            async for cursor, rows in self._feed.after(kept, run_id=None):
                wanted = [row for row in rows if await self._wants(row)]
                while wanted:
                    part = first_part(wanted, most=_MOST, size=_SIZE)
                    await self._deliver(session, part)
                    wanted = wanted[len(part) :]
                    # What follows in this page and is not wanted is looked at again after a crash.
                    kept = part[-1].number
                    await self._intake.move_webhook(self._config.url, kept)
                if cursor - kept > _PASSED_OVER:
                    kept = cursor
                    await self._intake.move_webhook(self._config.url, kept)

    async def _wants(self, row: StoredEvent) -> bool:
        job_id = await self._job(row.run_id) if self._config.runs else ""
        return matches(row, events=self._events, runs=self._config.runs, job_id=job_id)

    async def _job(self, run_id: str) -> str:
        if run_id not in self._jobs:
            record = await self._intake.get(run_id)
            while len(self._jobs) >= _JOBS_KNOWN:
                del self._jobs[next(iter(self._jobs))]
            self._jobs[run_id] = record.job_id if record is not None else ""
        return self._jobs[run_id]

    def _session(self) -> aiohttp.ClientSession:
        resolver = CheckedResolver(secure=self._secure, allowed=self._allowed)
        return aiohttp.ClientSession(
            # A connection a delivery, and no memory of names: each time the address is checked anew.
            connector=aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"orchestrator/{__version__}"},
            trust_env=False,
        )

    async def _deliver(self, session: aiohttp.ClientSession, rows: Sequence[StoredEvent]) -> None:
        """Send it until it is confirmed: nothing is left out, however long its receiver is away."""
        body = body_of(rows)
        pause = self._limits().webhook_backoff
        tries = 0
        while (problem := await self._try(session, body, rows)) is not None:
            tries += 1
            log.warning(
                "webhook.not_delivered", host=self._host, events=len(rows), tries=tries, error=problem
            )
            # Half of it by chance, so that a receiver that comes back is not met by all at once.
            await anyio.sleep(pause * (0.5 + random.random() / 2))  # noqa: S311 - no secret
            pause = min(2 * pause, self._limits().webhook_backoff_limit)

    async def _try(
        self, session: aiohttp.ClientSession, body: bytes, rows: Sequence[StoredEvent]
    ) -> str | None:
        problem: str | None = f"no answer within {self._limits().webhook_timeout:g} s"
        with anyio.move_on_after(self._limits().webhook_timeout):
            problem = await self._post(session, body, rows)
        self._counters.delivered(self._host, ok=problem is None)
        return problem

    async def _post(
        self, session: aiohttp.ClientSession, body: bytes, rows: Sequence[StoredEvent]
    ) -> str | None:
        if (reason := self._refused_literal()) is not None:
            return reason
        headers = signed_headers(body, secret=self._secret, timestamp=int(time.time()), rows=rows)
        try:
            # Where it would be sent on to nobody has allowed; and of the answer only the status counts.
            async with session.post(
                self._config.url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return None if answer.ok and answer.status < 300 else f"answered {answer.status}"  # noqa: PLR2004
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Not the error's own words: they may hold the whole address, and that may hold a token.
            cause = error.__cause__ or error
            reason = cause.strerror or str(cause) if type(cause) is OSError else ""
            return f"{type(error).__name__}{f' ({reason})' if reason else ''}"

    def _refused_literal(self) -> str | None:
        """Why an address in the URL itself may not be sent to: no name is resolved for it."""
        try:
            ip_address(self._host)
        except ValueError:
            return None
        return refused_because(self._host, secure=self._secure, allowed=self._allowed)
