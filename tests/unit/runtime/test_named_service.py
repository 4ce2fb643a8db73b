"""The account `local` joins only what is on this machine, wholly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.errors import ConfigError
from orchestrator.runtime.embedded import named_service

KEY = "a2V5IG9mIHRoZSB0ZXN0cw=="
HERE = {
    "AZURE_BATCH_ACCOUNT": "local",
    "AZURE_BATCH_ENDPOINT": "http://127.0.0.1:4711",
    "AZURE_BATCH_ACCESS_KEY": KEY,
    "AZURE_STORAGE_CONNECTION_STRING": f"AccountName=a;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:4712/a",
}
IN_AZURE = f"AccountName=files;AccountKey={KEY};EndpointSuffix=core.windows.net"
WITHOUT_STRING = {name: value for name, value in HERE.items() if "STORAGE" not in name}

ELSEWHERE = {
    "Batch in Azure": {**HERE, "AZURE_BATCH_ENDPOINT": "https://acc.westeurope.batch.azure.com"},
    "Batch at a name that begins like an address here": {
        **HERE,
        "AZURE_BATCH_ENDPOINT": "https://127.attacker.example",
    },
    "blobs in Azure by a connection string": {**HERE, "AZURE_STORAGE_CONNECTION_STRING": IN_AZURE},
    "blobs at such a name": {
        **HERE,
        "AZURE_STORAGE_CONNECTION_STRING": f"{IN_AZURE};BlobEndpoint=https://127.0.0.1.attacker.example/a",
    },
    "blobs in Azure by an endpoint": {
        **WITHOUT_STRING,
        "AZURE_STORAGE_BLOB_ENDPOINT": "https://files.blob.core.windows.net",
    },
}


def written(folder: Path, settings: Mapping[str, str]) -> Path:
    env_file = folder / "settings.env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return env_file


def test_a_service_on_this_machine_is_joined(tmp_path: Path) -> None:
    for settings in (named_service(HERE, None), named_service({}, written(tmp_path, HERE))):
        assert settings is not None
        assert settings.batch_endpoint == HERE["AZURE_BATCH_ENDPOINT"]


@pytest.mark.parametrize("case", ELSEWHERE)
def test_a_file_that_names_anything_elsewhere_is_refused(tmp_path: Path, case: str) -> None:
    env_file = written(tmp_path, ELSEWHERE[case])
    with pytest.raises(ConfigError, match="not on this machine") as caught:
        named_service({}, env_file)
    assert caught.value.where == str(env_file)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("case", ELSEWHERE)
def test_an_environment_that_names_anything_elsewhere_is_not_joined(case: str) -> None:
    assert named_service(ELSEWHERE[case], None) is None


@pytest.mark.parametrize("endpoint", ["", "http://[::1", "acc.westeurope.batch.azure.com"])
def test_an_environment_for_azure_is_nobodys_mistake(endpoint: str) -> None:
    assert named_service({"AZURE_BATCH_ENDPOINT": endpoint}, None) is None


def test_an_environment_for_a_service_here_that_lacks_something_is_told() -> None:
    with pytest.raises(ConfigError, match="AZURE_STORAGE_CONNECTION_STRING"):
        named_service(WITHOUT_STRING, None)
