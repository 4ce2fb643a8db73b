"""The scripted endpoint as a storage account, whose signatures Azurite checks in the other tests."""

from __future__ import annotations

from orchestrator.accounts.settings import AccountSettings
from orchestrator.spec.secret import SecretText
from tests.conformance.accounts.batch_stub import KEY, BatchStub, Reply, Seen


class StorageStub(BatchStub):
    """Answers for blobs."""

    def _check_signature(self, request: object, seen: Seen) -> None:
        pass

    @property
    def storage_settings(self) -> AccountSettings:
        """What reaches it; there is no Batch behind the Batch address."""
        blobs = f"AccountName=acc;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:{self.port}/acc"
        return AccountSettings(
            batch_account="acc",
            batch_endpoint="http://127.0.0.1:1",
            batch_key=SecretText(KEY),
            storage_connection_string=SecretText(blobs),
        )


def refusal(status: int, code: str, message: str = "It is so.", **headers: str) -> Reply:
    """An error as storage words it."""
    told = f"<Code>{code}</Code><Message>{message}\nRequestId:1</Message>"
    body = f"<?xml version='1.0'?><Error>{told}</Error>"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, body.encode(), {"x-ms-error-code": code, "Content-Type": "application/xml", **named})
