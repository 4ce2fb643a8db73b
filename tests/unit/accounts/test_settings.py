"""Settings come from the environment, then the file; what is wrong is named with its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.accounts.settings import (
    is_loopback,
    parse_connection_string,
    settings_from_environment,
)
from orchestrator.errors import ConfigError
from orchestrator.spec.secret import SecretText

KEY = "a2V5IG9mIHRoZSB0ZXN0cw=="
CONNECTION = (
    f"DefaultEndpointsProtocol=https;AccountName=files;AccountKey={KEY};EndpointSuffix=core.windows.net"
)
ENVIRON = {
    "AZURE_BATCH_ENDPOINT": "https://acc.westeurope.batch.azure.com/",
    "AZURE_BATCH_ACCESS_KEY": KEY,
    "AZURE_STORAGE_CONNECTION_STRING": CONNECTION,
}


def test_the_environment_is_enough_and_the_name_comes_from_the_endpoint() -> None:
    settings = settings_from_environment(ENVIRON)
    assert settings.batch_account == "acc"
    assert settings.batch_endpoint == "https://acc.westeurope.batch.azure.com"
    assert settings.batch_key == SecretText(KEY)


def test_a_token_needs_two_addresses_only() -> None:
    settings = settings_from_environment(
        {
            "AZURE_BATCH_ENDPOINT": "acc.westeurope.batch.azure.com",
            "AZURE_STORAGE_BLOB_ENDPOINT": "https://files.blob.core.windows.net",
        }
    )
    assert settings.batch_endpoint == "https://acc.westeurope.batch.azure.com"
    assert settings.batch_key is None
    assert settings.storage_connection_string is None
    assert settings.storage_blob_endpoint == "https://files.blob.core.windows.net"


def test_no_secret_is_shown() -> None:
    shown = repr(settings_from_environment(ENVIRON))
    assert KEY not in shown
    assert "acc" in shown


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"AZURE_BATCH_ENDPOINT": ""}, "AZURE_BATCH_ENDPOINT"),
        ({"AZURE_BATCH_ENDPOINT": "http://acc.westeurope.batch.azure.com"}, "AZURE_BATCH_ENDPOINT"),
        ({"AZURE_BATCH_ENDPOINT": "ftp://acc"}, "AZURE_BATCH_ENDPOINT"),
        ({"AZURE_BATCH_ENDPOINT": "https://"}, "AZURE_BATCH_ENDPOINT"),
        ({"AZURE_BATCH_ENDPOINT": "https://[x"}, "AZURE_BATCH_ENDPOINT"),
        ({"AZURE_BATCH_ENDPOINT": "https://a.b:port"}, "AZURE_BATCH_ENDPOINT"),
        ({"AZURE_BATCH_ENDPOINT": "https://a.b/?sig=x"}, "AZURE_BATCH_ENDPOINT"),
        ({"AZURE_BATCH_ENDPOINT": "https://user@a.b"}, "AZURE_BATCH_ENDPOINT"),
        ({"AZURE_BATCH_ENDPOINT": "http://127.0.0.1:1"}, "AZURE_BATCH_ACCOUNT"),
        ({"AZURE_BATCH_ACCESS_KEY": "not base64!"}, "AZURE_BATCH_ACCESS_KEY"),
        (
            {"AZURE_BATCH_ACCESS_KEY": "", "AZURE_BATCH_ENDPOINT": "http://127.0.0.1:1"},
            "AZURE_BATCH_ACCESS_KEY",
        ),
        ({"AZURE_STORAGE_CONNECTION_STRING": ""}, "AZURE_STORAGE_CONNECTION_STRING"),
        ({"AZURE_STORAGE_CONNECTION_STRING": "nonsense"}, "AZURE_STORAGE_CONNECTION_STRING"),
        (
            {"AZURE_STORAGE_CONNECTION_STRING": "BlobEndpoint=https://x;SharedAccessSignature=sig=s"},
            "AZURE_STORAGE_CONNECTION_STRING",
        ),
        (
            {"AZURE_STORAGE_CONNECTION_STRING": "UseDevelopmentStorage=true"},
            "AZURE_STORAGE_CONNECTION_STRING",
        ),
        (
            {"AZURE_STORAGE_CONNECTION_STRING": CONNECTION.replace("https", "http")},
            "AZURE_STORAGE_CONNECTION_STRING: BlobEndpoint",
        ),
        (
            {"AZURE_STORAGE_CONNECTION_STRING": "", "AZURE_STORAGE_BLOB_ENDPOINT": "http://127.0.0.1:1/acc"},
            "AZURE_STORAGE_BLOB_ENDPOINT",
        ),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, str], where: str) -> None:
    with pytest.raises(ConfigError) as raised:
        settings_from_environment({**ENVIRON, **changes})
    assert raised.value.where == where
    assert KEY not in str(raised.value)


def test_the_file_fills_what_the_environment_leaves_out(tmp_path: Path) -> None:
    config = tmp_path / "orchestrator.toml"
    config.write_text(
        "[account]\n"
        'batch_account = "named"\n'
        'batch_endpoint = "https://file.batch.azure.com"\n'
        'batch_key = { secret = "env:MY_KEY" }\n'
        'storage_connection_string = { secret = "env:MY_CONNECTION" }\n'
        "[limits]\nuploads = 3\n"
    )
    settings = settings_from_environment({"MY_KEY": KEY, "MY_CONNECTION": CONNECTION}, config=config)
    assert settings.batch_account == "named"
    assert settings.batch_key == SecretText(KEY)
    over = settings_from_environment({**ENVIRON, "MY_KEY": KEY, "MY_CONNECTION": CONNECTION}, config=config)
    assert over.batch_endpoint == "https://acc.westeurope.batch.azure.com"


@pytest.mark.parametrize(
    ("text", "where", "remedy"),
    [
        (f'[account]\nbatch_key = "{KEY}"', "orchestrator.toml: account.batch_key", "env:NAME"),
        ('[account]\nbatch_key = { secret = "file:/x" }', "orchestrator.toml: account.batch_key", "env:NAME"),
        ('[account]\nbatch_key = { secret = "env:NONE" }', "orchestrator.toml: account.batch_key", "NONE"),
        ('[account]\nbatch_ky = "x"', "orchestrator.toml: account.batch_ky", "batch_key"),
        ("[account]\nbatch_endpoint = 3", "orchestrator.toml: account.batch_endpoint", "text"),
        ("account = 3", "orchestrator.toml: account", "table"),
    ],
)
def test_a_wrong_file_is_named_with_its_place(tmp_path: Path, text: str, where: str, remedy: str) -> None:
    config = tmp_path / "orchestrator.toml"
    config.write_text(text)
    with pytest.raises(ConfigError, match=remedy) as raised:
        settings_from_environment(ENVIRON, config=config)
    assert raised.value.where == where
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("content", [b"[account", b"\xff\xfe"])
def test_a_file_that_is_not_toml_is_an_error(tmp_path: Path, content: bytes) -> None:
    config = tmp_path / "orchestrator.toml"
    config.write_bytes(content)
    with pytest.raises(ConfigError, match="TOML"):
        settings_from_environment(ENVIRON, config=config)


def test_a_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        settings_from_environment(ENVIRON, config=tmp_path / "none.toml")


def test_a_connection_string_is_read_in_any_case_and_order() -> None:
    connection = parse_connection_string(
        f"blobendpoint=http://127.0.0.1:10000/local/;ACCOUNTKEY={KEY};accountName=local;"
    )
    assert connection.account == "local"
    assert connection.blob_endpoint == "http://127.0.0.1:10000/local"
    assert KEY not in repr(connection)


@given(st.text(max_size=80))
def test_any_connection_string_is_read_or_refused(text: str) -> None:
    try:
        parse_connection_string(text)
    except ConfigError as refused:
        assert "AZURE_STORAGE_CONNECTION_STRING" in refused.where  # noqa: PT017 - nothing may be raised as well


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost:1", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:1/x", True),
        ("https://acc.blob.core.localhost", True),
        ("https://localhost.example.com", False),
        ("https://127.0.0.1.example.com", False),
        ("https://acc.batch.azure.com", False),
    ],
)
def test_only_this_machine_is_loopback(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


def test_a_local_services_authority_comes_from_the_environment_only() -> None:
    assert settings_from_environment(ENVIRON).local_ca_file is None
    settings = settings_from_environment({**ENVIRON, "ORCHESTRATOR_LOCAL_CA_FILE": "/somewhere/ca.pem"})
    assert settings.local_ca_file == "/somewhere/ca.pem"
