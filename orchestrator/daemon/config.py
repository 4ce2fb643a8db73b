"""The daemon's configuration: a TOML file and the environment, checked, with every error naming its place."""

from __future__ import annotations

import enum
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import platformdirs

from orchestrator.daemon.webhook_config import WebhookConfig, check_webhooks
from orchestrator.errors import ConfigError
from orchestrator.limits import Limits
from orchestrator.spec.secret import SecretReference
from orchestrator.spec.translate import translate

ENVIRONMENT: Mapping[str, tuple[str, ...]] = {
    "ORCHESTRATOR_DAEMON_STATE_DIR": ("state_dir",),
    "ORCHESTRATOR_DAEMON_LOG_LEVEL": ("log_level",),
    "ORCHESTRATOR_DAEMON_HOST": ("listen", "host"),
    "ORCHESTRATOR_DAEMON_PORT": ("listen", "port"),
    "ORCHESTRATOR_DAEMON_SOCKET": ("listen", "socket"),
    "ORCHESTRATOR_DAEMON_MAX_RUNS": ("daemon_limits", "max_runs"),
}
"""Which variable stands for which key; the environment wins over the file."""

_NUMBERS = frozenset({"ORCHESTRATOR_DAEMON_PORT", "ORCHESTRATOR_DAEMON_MAX_RUNS"})
_LARGEST_PORT = 65535


class AccountKind(enum.StrEnum):
    """Where the runs take place."""

    LOCAL = "local"
    AZURE = "azure"


class LogLevel(enum.StrEnum):
    """From which level on log lines are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(enum.StrEnum):
    """How log lines are written."""

    JSON = "json"
    TEXT = "text"


class ServiceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The account.

    Args:
        account: `local` or `azure`.
        env_file: settings of a local service that runs already; without one the daemon starts its own.
        config: a file with an `[account]` table, for `azure`; the environment wins over it.
    """

    account: AccountKind = AccountKind.LOCAL
    env_file: str | None = None
    config: str | None = None


class ListenConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the daemon listens, and who may ask from there.

    Args:
        socket: path of the Unix socket (0600), relative to the state directory; `""` for none.
        host: address of the TCP port; `""` for none.
        port: of TCP; 0 for one that is free.
        allowed_hosts: names in a `Host` header besides the address itself and `localhost`.
        allowed_origins: what a browser's `Origin` may be besides the daemon's own address.
    """

    socket: str = "daemon.sock"
    host: str = "127.0.0.1"
    port: int = 0
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()


class TokensConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tokens that are not to be made by the daemon itself, by reference.

    Args:
        read: may look; the daemon makes one and keeps it in `read.token` by default.
        write: may look and act; kept in `write.token`.
    """

    read: SecretReference | None = None
    write: SecretReference | None = None


class InboxConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A folder whose job files are taken.

    Args:
        dir: the folder; made if it is not there.
        poll_interval: seconds between two looks at it; a file is taken when two looks find it the same.
    """

    dir: str
    poll_interval: float = 0.5


class DaemonLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers the daemon itself is held to. Times are seconds, sizes bytes.

    Args:
        max_runs: runs under way at once; others wait in line.
        max_waiting: runs that may wait in line; more are refused with 429.
        begins: runs that are planned and written down at once, before they are under way.
        shutdown_grace: how long the first SIGTERM lets runs end before they are left to the journal.
        body_bytes: of a job file in a request.
        upload_bytes: of all input files of one request.
        upload_files: input files of one request.
        requests_per_second: that one client may make in the long run.
        request_burst: that one client may make at once.
        clients_remembered: clients whose rate is kept in mind.
        page_size: the most rows in one answer.
        listeners: event streams open at once.
        listener_buffer: bytes that wait for one listener before writing to it has to wait.
        listener_timeout: how long a listener may leave that buffer full before it is cut off.
        listener_quiet: after so long without an event a listener is sent a sign that its stream lives.
        events_kept: newest events that are kept in memory for all listeners together.
        heartbeat_interval: between two beats of the loop.
        heartbeat_timeout: without a beat for so long, the daemon is not alive.
        account_check_interval: between two looks whether the account answers, and between two tries to take
            up a run that could not be taken up at the start.
        follow_interval: between two looks at a log that is followed.
        log_bytes: of a task's log that one request is given.
        tables_kept: runs whose tables of tasks are kept in memory.
        table_tasks: tasks that these tables may have together, but for the one that was asked for last.
        session_lifetime: for which a browser that has logged in to the page need not do so again.
        webhook_timeout: of one delivery to a webhook.
        webhook_backoff: first pause after a delivery that failed; doubles up to `webhook_backoff_limit`.
        webhook_backoff_limit: longest pause between two tries; there is no last one.
        keep_days: after which a run that is over is forgotten, with its events; its results stay.
    """

    max_runs: int = 8
    max_waiting: int = 10_000
    begins: int = 8
    shutdown_grace: float = 30.0
    body_bytes: int = 4 * 1024 * 1024
    upload_bytes: int = 1024 * 1024 * 1024
    upload_files: int = 10_000
    requests_per_second: float = 50.0
    request_burst: int = 200
    clients_remembered: int = 1000
    page_size: int = 1000
    listeners: int = 1200
    listener_buffer: int = 256 * 1024
    listener_timeout: float = 10.0
    listener_quiet: float = 5.0
    events_kept: int = 5000
    heartbeat_interval: float = 0.25
    heartbeat_timeout: float = 10.0
    account_check_interval: float = 5.0
    follow_interval: float = 0.5
    log_bytes: int = 64 * 1024 * 1024
    tables_kept: int = 256
    table_tasks: int = 1_000_000
    session_lifetime: float = 7 * 86400.0
    webhook_timeout: float = 10.0
    webhook_backoff: float = 1.0
    webhook_backoff_limit: float = 300.0
    keep_days: float = 30.0

    def __post_init__(self) -> None:
        for field in msgspec.structs.fields(self):
            value = getattr(self, field.name)
            if not math.isfinite(value) or value < 0 or (value == 0 and field.name != "shutdown_grace"):
                raise ConfigError(f"must be more than 0, not {value!r}", where=f"daemon_limits.{field.name}")


class DaemonConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything the daemon needs to know.

    Args:
        state_dir: where it keeps what it must not forget; in the user's state folder by default.
        results_root: below it go the results, a folder a run; `results` in the state directory by default.
        inputs_root: where job files may read local files; without one only what comes with the job.
        allowed_secrets: the references (`env:NAME`, `file:PATH`) that job files may make.
        log_level: can be changed by a reload.
        log_format: `json` or `text`.
        service: the account.
        listen: sockets.
        tokens: who may ask.
        inbox: a folder to take job files from.
        webhooks: who is told of events.
        webhook_hosts: the hosts that webhooks may name, exactly.
        webhook_networks: ranges of addresses that such a host may have though they are not public.
        limits: of every run, see docs/limits.md.
        daemon_limits: of the daemon itself; can be changed by a reload.
        source: the file's name, with which messages begin; set by `load_config`.
    """

    state_dir: str = ""
    results_root: str = ""
    inputs_root: str | None = None
    allowed_secrets: tuple[str, ...] = ()
    log_level: LogLevel = LogLevel.INFO
    log_format: LogFormat = LogFormat.JSON
    service: ServiceConfig = ServiceConfig()
    listen: ListenConfig = ListenConfig()
    tokens: TokensConfig = TokensConfig()
    inbox: InboxConfig | None = None
    webhooks: tuple[WebhookConfig, ...] = ()
    webhook_hosts: tuple[str, ...] = ()
    webhook_networks: tuple[str, ...] = ()
    limits: Limits = Limits()
    daemon_limits: DaemonLimits = DaemonLimits()
    source: str = ""

    @property
    def state(self) -> Path:
        """The state directory, absolute."""
        default = Path(platformdirs.user_state_dir("orchestrator")) / "daemon"
        return (Path(self.state_dir) if self.state_dir else default).absolute()

    @property
    def results(self) -> Path:
        """The folder below which results go, absolute."""
        return (self.state / (self.results_root or "results")).absolute()

    @property
    def socket_path(self) -> Path | None:
        """The Unix socket, absolute; None for none."""
        return self.state / self.listen.socket if self.listen.socket else None


def load_config(path: Path | None, environ: Mapping[str, str]) -> DaemonConfig:
    """Read the configuration; the environment wins over the file.

    Args:
        path: a TOML file; None for the defaults and the environment alone.
        environ: usually `os.environ`.

    Raises:
        ConfigError: it can't be read or can't be right; `.where` names the place.
    """
    where = path.name if path is not None else "the environment"
    table = _read(path, where) if path is not None else {}
    if "source" in table:
        raise ConfigError("unknown key", where=f"{where}: source")
    origins = _overlay(table, environ)
    if path is not None:
        _anchor(table, path.absolute().parent)
    try:
        config = msgspec.convert(table, DaemonConfig)
    except msgspec.ValidationError as error:
        fault = translate(error, DaemonConfig)
        place = origins.get(fault.place) or f"{where}: {fault.place}".rstrip(": ")
        raise ConfigError(fault.message, where=place) from None
    except ConfigError as error:
        raise ConfigError(str(error), where=where) from None
    config = msgspec.structs.replace(config, source=where)
    _check(config, where)
    return config


def _read(path: Path, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror}", where=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(str(error), where=where) from error


def _overlay(table: dict[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """Put the environment's settings into the table; returns which place came from which variable."""
    origins: dict[str, str] = {}
    for name, keys in ENVIRONMENT.items():
        text = environ.get(name)
        if text is None:
            continue
        value: Any = text
        if name in _NUMBERS:
            try:
                value = int(text)
            except ValueError:
                raise ConfigError(f"must be a whole number, not {text!r}", where=name) from None
        inner = table
        for key in keys[:-1]:
            inner = inner.setdefault(key, {})
        inner[keys[-1]] = value
        origins[".".join(keys)] = name
    return origins


def _anchor(table: dict[str, Any], folder: Path) -> None:
    """Make what the file names relative to the file's folder, wherever the daemon is started."""
    places = (
        ("state_dir",),
        ("inputs_root",),
        ("service", "env_file"),
        ("service", "config"),
        ("inbox", "dir"),
    )
    for *tables, key in places:
        inner: Any = table
        for name in tables:
            inner = inner.get(name, {}) if isinstance(inner, dict) else {}
        if isinstance(inner, dict) and isinstance(inner.get(key), str) and inner[key]:
            inner[key] = str(folder / Path(inner[key]).expanduser())


def _check(config: DaemonConfig, where: str) -> None:
    service = config.service
    if service.env_file is not None and service.account is not AccountKind.LOCAL:
        raise ConfigError("only the local account takes it", where=f"{where}: service.env_file")
    if not 0 <= config.listen.port <= _LARGEST_PORT:
        raise ConfigError(f"{config.listen.port} is no port", where=f"{where}: listen.port")
    if not config.listen.host and not config.listen.socket:
        raise ConfigError("name a host or a socket, or nobody can reach the daemon", where=f"{where}: listen")
    for index, reference in enumerate(config.allowed_secrets):
        if not reference.startswith(("env:", "file:")):
            raise ConfigError(
                "a secret is named as env:NAME or file:PATH", where=f"{where}: allowed_secrets[{index}]"
            )
    if config.inputs_root is not None and not Path(config.inputs_root).is_dir():
        raise ConfigError(f"there is no folder {config.inputs_root}", where=f"{where}: inputs_root")
    check_webhooks(config.webhooks, hosts=config.webhook_hosts, ranges=config.webhook_networks, where=where)
    if config.inbox is not None and not config.inbox.poll_interval > 0:
        raise ConfigError("must be more than 0", where=f"{where}: inbox.poll_interval")
