"""Signs addresses that open one blob for reading, or one container for new blobs, until a given time.

Source of facts: the pages Create a service SAS, Create a user delegation SAS, Get User Delegation Key.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import anyio

from orchestrator.accounts.retry import persist
from orchestrator.errors import ConfigError
from orchestrator.spec.secret import SecretText

if TYPE_CHECKING:
    import random

    from azure.storage.blob import UserDelegationKey
    from azure.storage.blob.aio import BlobServiceClient

    from orchestrator.limits import Limits

# The service's own limit is seven days from its clock, which may be a little behind ours.
_LONGEST_DELEGATION: Final = timedelta(days=7, minutes=-5)


class SasSigner:
    """Signs with the account's key where there is one, else with one that the service lends for a week.

    Args:
        service: the storage account.
        account: its name.
        key: its key; None to ask for a user delegation key.
        limits: `sas_backdate` counts.
        rng: for the pauses between tries.
    """

    def __init__(
        self,
        service: BlobServiceClient,
        *,
        account: str,
        key: SecretText | None,
        limits: Limits,
        rng: random.Random,
    ) -> None:
        self._service = service
        self._account = account
        self._key = key
        self._limits = limits
        self._rng = rng
        self._lent: tuple[datetime, UserDelegationKey] | None = None
        self._lending = anyio.Lock()

    async def read_blob(self, container: str, blob: str, *, until: datetime) -> SecretText:
        """Sign for reading one blob.

        Args:
            container: of the blob.
            blob: its name.
            until: an aware time.

        Returns:
            The query of its address.

        Raises:
            ConfigError: `until` is further away than such a signature can last.
            ServiceError: no key was lent.
            UnreachableError: no answer came.
        """
        from azure.storage.blob import BlobSasPermissions, generate_blob_sas  # noqa: PLC0415 - loaded when opened

        return SecretText(
            generate_blob_sas(
                account_name=self._account,
                container_name=container,
                blob_name=blob,
                permission=BlobSasPermissions(read=True),
                **await self._signed(until),
            )
        )

    async def write_container(self, container: str, *, until: datetime) -> SecretText:
        """Sign for creating and writing blobs in one container; reading and listing stay closed.

        Args:
            container: its name.
            until: an aware time.

        Returns:
            The query of its address.

        Raises:
            ConfigError: `until` is further away than such a signature can last.
            ServiceError: no key was lent.
            UnreachableError: no answer came.
        """
        from azure.storage.blob import (  # noqa: PLC0415 - loaded when opened
            ContainerSasPermissions,
            generate_container_sas,
        )

        return SecretText(
            generate_container_sas(
                account_name=self._account,
                container_name=container,
                permission=ContainerSasPermissions(create=True, write=True),
                **await self._signed(until),
            )
        )

    async def _signed(self, until: datetime) -> dict[str, Any]:
        # In UTC, since the SDK writes any time down as if it were.
        start = datetime.now(UTC) - timedelta(seconds=self._limits.sas_backdate)
        terms: dict[str, Any] = {"start": start, "expiry": until.astimezone(UTC)}
        if self._service.url.startswith("https:"):
            terms["protocol"] = "https"
        if self._key is not None:
            return {**terms, "account_key": self._key.reveal()}
        return {**terms, "user_delegation_key": await self._delegation(terms["expiry"])}

    async def _delegation(self, until: datetime) -> UserDelegationKey:
        async with self._lending:
            if self._lent is not None and until <= self._lent[0]:
                return self._lent[1]
            now = datetime.now(UTC)
            expiry = now + _LONGEST_DELEGATION
            if until > expiry:
                raise ConfigError(
                    "a SAS signed with a token lasts a week at most, and one is needed until "
                    f"{until:%Y-%m-%d %H:%M} UTC: shorten max_wall_clock_time, or export the connection "
                    "string with the account's key",
                    where="AZURE_STORAGE_CONNECTION_STRING",
                )
            start = now - timedelta(seconds=self._limits.sas_backdate)
            key = await persist(
                "get user delegation key",
                lambda: self._service.get_user_delegation_key(key_start_time=start, key_expiry_time=expiry),
                limits=self._limits,
                rng=self._rng,
            )
            self._lent = (expiry, key)
            return key
