"""The settings of a local service and the file that carries them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.local import LocalSettings
from orchestrator.local.settings import read_env_file

SETTINGS = LocalSettings(
    account_name="local",
    batch_endpoint="http://127.0.0.1:1",
    batch_key="batchkey==",
    blob_endpoint="http://127.0.0.1:2/local",
    storage_connection_string=(
        "DefaultEndpointsProtocol=http;AccountName=local;AccountKey=blobkey==;BlobEndpoint=http://127.0.0.1:2/local;"
    ),
)


def test_the_environment_has_the_names_that_azure_clients_read() -> None:
    assert SETTINGS.as_environment() == {
        "AZURE_BATCH_ACCOUNT": "local",
        "AZURE_BATCH_ENDPOINT": "http://127.0.0.1:1",
        "AZURE_BATCH_ACCESS_KEY": "batchkey==",
        "AZURE_STORAGE_CONNECTION_STRING": SETTINGS.storage_connection_string,
    }


def test_no_key_is_shown() -> None:
    assert "key==" not in repr(SETTINGS)
    assert "controlkey" not in repr(replace(SETTINGS, control_key="controlkey"))


def test_the_control_key_goes_with_them_where_there_is_one() -> None:
    settings = replace(SETTINGS, control_key="controlkey")
    environment = settings.as_environment()
    assert environment["ORCHESTRATOR_LOCAL_CONTROL_KEY"] == "controlkey"
    assert LocalSettings.from_environment(environment) == settings


def test_a_file_brings_the_settings_back_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "local.env"
    path.write_text("old")
    path.chmod(0o644)
    SETTINGS.write_env_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert LocalSettings.from_environment(read_env_file(path)) == SETTINGS
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_written_by_hand_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("# a comment\n\nexport A='one=1;two'\nB = \"x\"\nC=\n")
    assert read_env_file(path) == {"A": "one=1;two", "B": "x", "C": ""}


def test_a_wrong_line_is_named_by_number_and_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("A=1\nsecret\n")
    with pytest.raises(ValueError, match="line 2 is not NAME=value") as caught:
        read_env_file(path)
    assert "secret" not in str(caught.value)


def test_missing_names_are_named() -> None:
    with pytest.raises(ValueError, match="AZURE_BATCH_ACCESS_KEY, AZURE_STORAGE_CONNECTION_STRING"):
        LocalSettings.from_environment({"AZURE_BATCH_ACCOUNT": "a", "AZURE_BATCH_ENDPOINT": "b"})


def test_a_connection_string_without_a_blob_endpoint_is_refused() -> None:
    environment = SETTINGS.as_environment() | {"AZURE_STORAGE_CONNECTION_STRING": "AccountName=a"}
    with pytest.raises(ValueError, match="no BlobEndpoint"):
        LocalSettings.from_environment(environment)


def test_with_https_the_file_to_trust_goes_along(tmp_path: Path) -> None:
    settings = replace(SETTINGS, ca_file=tmp_path / "ca.pem")
    assert settings.as_environment()["ORCHESTRATOR_LOCAL_CA_FILE"] == str(tmp_path / "ca.pem")
    assert LocalSettings.from_environment(settings.as_environment()) == settings
