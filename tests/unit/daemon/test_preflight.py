from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.daemon.config import load_config
from orchestrator.daemon.preflight import check_start
from orchestrator.errors import ConfigError

HOOK = 'webhook_hosts = ["x.example"]\n[[webhooks]]\nurl = "https://x.example/"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('tokens.read = { secret = "env:NOT_THERE" }', "tokens.read: .*NOT_THERE"),
        ('tokens.write = { secret = "env:SHORT" }', "tokens.write: must have 16 characters"),
        ('tokens.write = { secret = "file:no.token" }', "tokens.write: .*no.token"),
        (HOOK + 'secret = { secret = "env:NOT_THERE" }', "webhooks: x.example: secret: .*NOT_THERE"),
        ('service.env_file = "no.env"', "no.env: can't be read"),
        ('[service]\naccount = "azure"', "AZURE_BATCH_ENDPOINT: is not set"),
        ('[service]\naccount = "azure"\nconfig = "no.toml"', "no.toml: can't be read"),
        (f'listen.host = "{"x" * 70}"', "listen.host: x+ is no address here"),
    ],
)
def test_what_would_keep_it_from_starting_is_found_before(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "daemon.toml"
    path.write_text('state_dir = "state"\n' + text)
    environ = {"SHORT": "x"}
    with pytest.raises(ConfigError, match=told):
        check_start(load_config(path, environ), environ)
    assert not (tmp_path / "state").exists()


def test_what_can_start_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "daemon.toml"
    path.write_text('state_dir = "state"\ntokens.read = { secret = "env:TOKEN" }\n')
    environ = {"TOKEN": "a token of some length"}
    check_start(load_config(path, environ), environ)
    assert not (tmp_path / "state").exists()
