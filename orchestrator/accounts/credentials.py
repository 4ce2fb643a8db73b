"""What opens the account: its key, or a token of who is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.spec.secret import SecretText

if TYPE_CHECKING:
    from azure.core.credentials import AzureNamedKeyCredential
    from azure.core.credentials_async import AsyncTokenCredential


def named_key(name: str, key: SecretText) -> AzureNamedKeyCredential:
    """The credential of an account key.

    Args:
        name: of the account.
        key: base64.

    Returns:
        What both SDKs take.
    """
    from azure.core.credentials import AzureNamedKeyCredential  # noqa: PLC0415 - the SDK is loaded when opened

    return AzureNamedKeyCredential(name, key.reveal())


def token() -> AsyncTokenCredential:
    """The credential of who is signed in: environment, workload or managed identity, `az login` and so on.

    Returns:
        A credential that is to be closed by who asked for it.
    """
    from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 - 0.3 s, and only where no key is given

    return DefaultAzureCredential()
