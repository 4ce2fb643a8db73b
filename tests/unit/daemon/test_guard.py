from __future__ import annotations

import stat
from pathlib import Path

import pytest

from orchestrator.daemon.api.guard import Pace
from orchestrator.daemon.config import DaemonConfig, TokensConfig
from orchestrator.daemon.tokens import Scope, load_tokens
from orchestrator.errors import ConfigError, DaemonError
from orchestrator.spec import SecretReference


def allowed(pace: Pace, client: str, now: float) -> bool:
    try:
        pace.check(client, rate=2.0, burst=3, remembered=2, now=now)
    except DaemonError as error:
        return error.status != 429
    return True


def test_a_client_may_ask_in_a_burst_and_then_at_its_pace() -> None:
    pace = Pace()
    assert [allowed(pace, "a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert allowed(pace, "b", 0.0)
    assert [allowed(pace, "a", 0.5), allowed(pace, "a", 0.6)] == [True, False]


def test_only_so_many_clients_are_remembered() -> None:
    pace = Pace()
    for number in range(50):
        allowed(pace, str(number), 0.0)
    assert len(pace._clients) == 2


def test_tokens_are_made_once_readable_for_the_owner_only(tmp_path: Path) -> None:
    config = DaemonConfig(state_dir=str(tmp_path))
    tokens = load_tokens(config, {})
    write = (tmp_path / "write.token").read_text().strip()
    assert tokens.scope_of(write) is Scope.WRITE
    assert tokens.scope_of((tmp_path / "read.token").read_text().strip()) is Scope.READ
    assert tokens.scope_of("") is None
    assert load_tokens(config, {}).scope_of(write) is Scope.WRITE
    assert stat.S_IMODE((tmp_path / "write.token").stat().st_mode) == 0o600
    assert write not in repr(tokens)


@pytest.mark.parametrize(
    ("read", "write", "told"),
    [
        ("short", "w" * 20, "16 characters"),
        ("s" * 20, "s" * 20, "must not be the same"),
        ("", "w" * 20, "empty"),
    ],
)
def test_tokens_that_protect_nothing_are_refused(tmp_path: Path, read: str, write: str, told: str) -> None:
    config = DaemonConfig(
        state_dir=str(tmp_path),
        source="daemon.toml",
        tokens=TokensConfig(read=SecretReference("env:R"), write=SecretReference("env:W")),
    )
    with pytest.raises(ConfigError, match=rf"daemon.toml: tokens.read: .*{told}"):
        load_tokens(config, {"R": read, "W": write})
