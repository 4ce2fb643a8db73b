"""The daemon's parts, opened and closed in the order in which they depend on each other."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import anyio
import structlog

from orchestrator.daemon.acceptance import Acceptance
from orchestrator.daemon.account import make_orchestrator
from orchestrator.daemon.account_check import AccountCheck
from orchestrator.daemon.config import DaemonConfig, DaemonLimits
from orchestrator.daemon.desk import Desk
from orchestrator.daemon.feed import Feed
from orchestrator.daemon.heartbeat import Heartbeat
from orchestrator.daemon.inbox import Inbox
from orchestrator.daemon.intake import Intake
from orchestrator.daemon.metrics import Metrics
from orchestrator.daemon.owing import Owing
from orchestrator.daemon.retention import Retention, sweep
from orchestrator.daemon.sessions import Sessions
from orchestrator.daemon.supervisor import Supervisor
from orchestrator.daemon.taking_up import TakingUp
from orchestrator.daemon.task_tables import TaskTables
from orchestrator.daemon.tokens import Tokens, load_tokens
from orchestrator.daemon.webhooks import Webhook
from orchestrator.errors import ConfigError
from orchestrator.events import Event
from orchestrator.runtime.orchestrator import Orchestrator
from orchestrator.runtime.owner import Owner

log = structlog.get_logger()

_SAFE_TO_CHANGE = frozenset({"daemon_limits", "log_level"})


class DaemonService:
    """Everything but the sockets, so that it can live in somebody else's program too.

    It may be opened and closed from different tasks.

    Args:
        config: checked.
        environ: where secrets, the account's settings and the supervisor are looked up.

    Attributes:
        desk: takes and runs runs.
        feed: their events.
        tables: their tasks.
        tokens: who may ask.
        sessions: of browsers, in place of a token.
        heartbeat: whether the loop turns.
        account: whether the account answers.
        owing: what is still to be deleted.
        metrics: what is counted.
        failed: set once a part that is needed has broken, which `broken` names.
    """

    desk: Desk
    feed: Feed
    tables: TaskTables
    tokens: Tokens
    sessions: Sessions
    heartbeat: Heartbeat
    account: AccountCheck
    owing: Owing
    intake: Intake
    orchestrator: Orchestrator

    def __init__(self, config: DaemonConfig, *, environ: Mapping[str, str]) -> None:
        self.config = config
        self.environ = environ
        self.supervisor = Supervisor(environ)
        self.metrics = Metrics(self)
        self.listeners = 0
        self.drained = asyncio.Event()
        self.failed = asyncio.Event()
        self.broken: str | None = None
        self._opened = False
        self._owner = Owner()
        self._lock: int | None = None
        self._closing = contextlib.AsyncExitStack()

    @property
    def limits(self) -> DaemonLimits:
        """The daemon's own numbers, as of the last reload."""
        return self.config.daemon_limits

    @property
    def under_way(self) -> int:
        """How many runs are under way; none before it is open."""
        return self.desk.under_way if self._opened else 0

    @property
    def uploads(self) -> Path:
        """Below it lie the files that came with runs, a folder a request."""
        return self.config.state / "uploads"

    async def open(self) -> None:
        """Open everything, take up what was accepted before, and begin.

        Raises:
            ConfigError: the state directory can't be used, or another daemon uses it.
            OrchestratorError: the account or a file can't be opened.
        """
        stack = self._closing
        try:
            self._own_the_state_directory()
            stack.callback(self._let_go)
            self.tokens = load_tokens(self.config, self.environ)
            self.sessions = Sessions(self.tokens, lifetime=self.limits.session_lifetime)
            self.intake = await Intake.open(
                self.config.state / "daemon.sqlite", timeout=self.config.limits.journal_timeout
            )
            stack.push_async_callback(self.intake.close)
            await sweep(self.uploads, await self.intake.folders())
            self.orchestrator = make_orchestrator(self.config, self.environ)
            await self.orchestrator.__aenter__()
            stack.push_async_exit(self.orchestrator)
            await self._assemble()
        except BaseException:
            await stack.aclose()
            raise

    async def _assemble(self) -> None:
        limits, journal = self.limits, self.orchestrator.journal
        self.tables = TaskTables(journal, kept=limits.tables_kept, tasks=limits.table_tasks)
        self.feed = Feed(
            journal,
            kept=limits.events_kept,
            interval=limits.follow_interval,
            quiet=limits.listener_quiet,
        )
        self.heartbeat = Heartbeat(
            interval=limits.heartbeat_interval, timeout=limits.heartbeat_timeout, beaten=self._beaten
        )
        self.owing = Owing(journal)
        await self.owing.look()
        self.account = AccountCheck(self.orchestrator, interval=limits.account_check_interval)
        webhooks = self._webhooks()
        await self._owner.open()
        self._closing.push_async_callback(self._owner.close)
        self.desk = Desk(
            intake=self.intake,
            orchestrator=self.orchestrator,
            acceptance=Acceptance(self.config, self.environ),
            tables=self.tables,
            owner=self._owner,
            room=lambda: self.limits,
            environ=self.environ,
        )
        self.orchestrator.on(Event, self._heard)
        self._opened = True
        await self.feed.catch_up()
        taking_up = TakingUp(
            intake=self.intake,
            orchestrator=self.orchestrator,
            desk=self.desk,
            interval=limits.account_check_interval,
        )
        await taking_up.begin()
        self._keep_up(self.heartbeat.beat, "heartbeat")
        self._keep_up(self.feed.pump, "feed")
        self._keep_up(self.account.watch, "account")
        self._keep_up(self.owing.watch, "owing")
        self._keep_up(self.desk.take_turns, "turns")
        self._keep_up(taking_up.go_on, "taking up")
        self._keep_up(Retention(self).keep, "retention")
        for webhook in webhooks:
            self._keep_up(webhook.tell, "webhook")
        if self.config.inbox is not None:
            inbox = Inbox(self.config.inbox, desk=self.desk)
            await inbox.prepare()
            self._keep_up(inbox.watch, "inbox")

    def _webhooks(self) -> tuple[Webhook, ...]:
        return tuple(
            Webhook(
                config,
                daemon=self.config,
                environ=self.environ,
                intake=self.intake,
                feed=self.feed,
                limits=lambda: self.limits,
                counters=self.metrics,
            )
            for config in self.config.webhooks
        )

    def _keep_up(self, work: Callable[[], Awaitable[None]], name: str) -> None:
        """Run a part that the daemon can't do without: where it breaks, the daemon ends, to begin anew."""

        async def watched() -> None:
            try:
                await work()
            except Exception:
                log.exception("daemon.part_failed", part=name)
                self.broken = name
                self.failed.set()

        self._owner.start(watched, f"daemon.{name}")

    async def drain(self) -> bool:
        """Take no more runs, and wait for those under way as long as `shutdown_grace` says.

        Returns:
            Whether all ended; those that did not are in the journal.
        """
        self.desk.taking = False
        log.info("daemon.draining", under_way=self.desk.under_way, waiting=self.desk.waiting)
        with anyio.move_on_after(self.limits.shutdown_grace) as grace:
            await self.desk.until_idle()
        return not grace.cancelled_caught

    def tell_drained(self) -> None:
        """No run is under way any more: let the listeners go."""
        self.drained.set()
        if self._opened:
            self.feed.wake()

    async def close(self) -> None:
        """Close everything; runs under way are left to the journal, and the next start goes on with them."""
        self.tell_drained()
        if self._opened:
            self.desk.taking, self.desk.left = False, True
            await self.orchestrator.detach()
            await self.desk.until_idle()
        await self._closing.aclose()

    def reload(self, config: DaemonConfig) -> tuple[str, ...]:
        """Take over what can change while runs are under way.

        Args:
            config: as it was read again.

        Returns:
            What changed, and what would need a restart to change.
        """
        names = DaemonConfig.__struct_fields__
        different = [name for name in names if getattr(config, name) != getattr(self.config, name)]
        changes = {name: getattr(config, name) for name in different if name in _SAFE_TO_CHANGE}
        self.config = _replaced(self.config, changes)
        self.desk.look_again()
        return tuple(
            f"{name} changed" if name in changes else f"{name} needs a restart" for name in different
        )

    def _beaten(self, lag: float) -> None:
        self.supervisor.beat()
        self.metrics.lag.observe(lag)

    async def _heard(self, event: Event) -> None:
        self.metrics.count(event)
        self.feed.tell()

    def _own_the_state_directory(self) -> None:
        state = self.config.state
        try:
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.uploads.mkdir(mode=0o700, exist_ok=True)
            self._lock = os.open(state / "daemon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._let_go()
            raise ConfigError(
                f"another daemon uses {state}: end it, or name another directory",
                where=f"{self.config.source}: state_dir",
            ) from error
        except OSError as error:
            raise ConfigError(
                f"{state} can't be used: {error.strerror}", where=f"{self.config.source}: state_dir"
            ) from error

    def _let_go(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _replaced(config: DaemonConfig, changes: Mapping[str, object]) -> DaemonConfig:
    fields = {name: getattr(config, name) for name in DaemonConfig.__struct_fields__}
    return DaemonConfig(**{**fields, **changes})
