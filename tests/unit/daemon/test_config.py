from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orchestrator.daemon.config import ENVIRONMENT, DaemonConfig, DaemonLimits, InboxConfig, load_config
from orchestrator.errors import ConfigError
from tests.house.places import DOCS, ROOT


def loaded(folder: Path, text: str, **environ: str) -> DaemonConfig:
    path = folder / "daemon.toml"
    path.write_text(text)
    return load_config(path, environ)


@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        ("log_levle = 1", "daemon.toml: log_levle", 'did you mean "log_level"?'),
        ("[limits]\nx = 1", "daemon.toml: limits.x", "unknown key; known are "),
        ("[listen]\n[[webhooks]]\nurll = 'x'", "daemon.toml: webhooks[0].urll", 'did you mean "url"?'),
        ("[inbox]", "daemon.toml: inbox.dir", "is missing"),
        ("tokens.read = 'abc'", "daemon.toml: tokens.read", '{ secret = "env:NAME" }'),
        ("source = 'x'", "daemon.toml: source", "unknown key"),
        ("[listen]\nport = 'x'", "daemon.toml: listen.port", "expected a whole number"),
        ("[listen]\nport = 70000", "daemon.toml: listen.port", "no port"),
        ("[listen]\nhost = ''\nsocket = ''", "daemon.toml: listen", "nobody can reach"),
        ("[daemon_limits]\nmax_runs = 0", "daemon.toml", "daemon_limits.max_runs: must be more than 0"),
        ("[limits]\nuploads = 0", "daemon.toml", "limits.uploads"),
        ("inputs_root = 'nowhere'", "daemon.toml: inputs_root", "there is no folder"),
        ("allowed_secrets = ['HOME']", "daemon.toml: allowed_secrets[0]", "env:NAME"),
        ("[service]\naccount = 'azure'\nenv_file = 'x'", "daemon.toml: service.env_file", "local account"),
        ("[inbox]\ndir = 'x'\npoll_interval = 0", "daemon.toml: inbox.poll_interval", "more than 0"),
        ("log_level = 'loud'", "daemon.toml: log_level", "'loud' is not one of debug, info, warning, error"),
        ("= 1", "daemon.toml", "line 1"),
    ],
)
def test_what_can_not_be_right_is_refused_with_its_place(
    tmp_path: Path, text: str, place: str, told: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert str(caught.value).startswith(place)
    assert told in str(caught.value)


def test_the_environment_wins_and_is_named_when_it_is_wrong(tmp_path: Path) -> None:
    text = "[listen]\nport = 1"
    assert loaded(tmp_path, text, ORCHESTRATOR_DAEMON_PORT="2").listen.port == 2
    with pytest.raises(ConfigError, match=r"^ORCHESTRATOR_DAEMON_PORT: must be a whole number"):
        loaded(tmp_path, text, ORCHESTRATOR_DAEMON_PORT="x")
    with pytest.raises(ConfigError, match=r"^ORCHESTRATOR_DAEMON_LOG_LEVEL: 'loud' is not one of"):
        loaded(tmp_path, text, ORCHESTRATOR_DAEMON_LOG_LEVEL="loud")


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = loaded(tmp_path, "state_dir = 'state'\n[inbox]\ndir = 'in'")
    assert config.state == tmp_path / "state"
    assert config.results == tmp_path / "state/results"
    assert config.socket_path == tmp_path / "state/daemon.sock"
    assert config.inbox == InboxConfig(dir=str(tmp_path / "in"))


def keys(kind: type[msgspec.Struct], prefix: str = "") -> list[str]:
    found = []
    for field in msgspec.structs.fields(kind):
        inner: Any = next(
            (each for each in getattr(field.type, "__args__", (field.type,)) if isinstance(each, type)), None
        )
        own = isinstance(inner, type) and inner.__name__.endswith("Config")
        found += keys(inner, f"{field.name}.") if own else [prefix + field.name]
    return found


def test_every_key_limit_and_variable_is_documented() -> None:
    page = (DOCS / "daemon.md").read_text()
    named = [*keys(DaemonConfig), *ENVIRONMENT]
    assert len(named) > 20
    assert [name for name in named if f"`{name}`" not in page and name != "source"] == []
    rows = dict(re.findall(r"^\| `(\w+)` \| ([\d_.]+) \|", page, re.MULTILINE))
    defaults = {field.name: float(field.default) for field in msgspec.structs.fields(DaemonLimits)}
    assert {name: float(value) for name, value in rows.items() if name in defaults} == defaults


def test_the_example_loads() -> None:
    assert load_config(ROOT / "examples/daemon/daemon.toml", {}).listen.port == 8642
