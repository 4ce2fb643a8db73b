"""Signs addresses that open one blob for reading, or one container for new blobs.

A run signs an address for each input of each task, all of one container. With the account's key that is done
here, four times faster than by the SDK (measured), and what an address may do and until when stays with the
container (see `access.py`). With a token there are no such policies, and each address has its own end.

Source of facts: the pages Create a service SAS, Create a user delegation SAS, Get User Delegation Key.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import anyio

from orchestrator.accounts.access import Access
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
_MOST_TEMPLATES: Final = 64

SAS_VERSION: Final = "2023-11-03"
"""Of the signatures made here: the form of their text is the same from 2020-12-06 on."""


class ReadTemplate:
    """Signs for reading single blobs of one container: what all have in common is put together once.

    Args:
        account: name of the account.
        key: of the account, base64.
        container: of the blobs.
        policy: of the container, which says what they may do and when they end. A signature must not say
            again what its policy says (REST: Create a service SAS).
        secure: whether they hold for https only.
    """

    def __init__(self, *, account: str, key: str, container: str, policy: str, secure: bool) -> None:
        protocol = "https" if secure else ""
        # No permissions, no times, the resource; then: identifier, addresses, protocol, version, kind,
        # snapshot, encryption scope, and the five headers of the answer.
        head = f"\n\n\n/blob/{account}/{container}/"
        self._tail = f"\n{policy}\n\n{protocol}\n{SAS_VERSION}\nb\n\n\n\n\n\n\n"
        self._mac = hmac.new(b64decode(key), head.encode(), "sha256")
        secured = "spr=https&" if secure else ""
        self._query = f"{secured}sv={SAS_VERSION}&si={quote(policy)}&sr=b&sig="

    def query(self, blob: str) -> str:
        """The query of one blob's address.

        Args:
            blob: its name.
        """
        mac = self._mac.copy()
        mac.update((blob + self._tail).encode())
        return self._query + quote(b64encode(mac.digest()))


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
        self._templates: dict[str, ReadTemplate] = {}

    @property
    def longest(self) -> timedelta | None:
        """How long an address can last at most; None where its container's policy can always be extended."""
        return _LONGEST_DELEGATION if self._key is None else None

    async def read_blob(self, container: str, blob: str, *, until: datetime) -> SecretText:
        """Sign for reading one blob.

        Args:
            container: of the blob.
            blob: its name.
            until: an aware time; it counts where there is no policy.

        Returns:
            The query of its address.

        Raises:
            ConfigError: `until` is further away than such a signature can last.
            ServiceError: no key was lent.
            UnreachableError: no answer came.
        """
        if self._key is not None:
            return SecretText(self._template(container, self._key).query(blob))
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
            until: an aware time; it counts where there is no policy.

        Returns:
            The query of its address.

        Raises:
            ConfigError: `until` is further away than such a signature can last.
            ServiceError: no key was lent.
            UnreachableError: no answer came.
        """
        if self._key is None:
            return await self.container(container, permissions=Access.WRITE.permissions, until=until)
        return self.policy(container, Access.WRITE)

    def policy(self, container: str, access: Access) -> SecretText:
        """Sign, with the account's key, for what a policy of a container opens.

        Args:
            container: its name.
            access: the policy.

        Returns:
            The query of its address, or of a blob's in it.

        Raises:
            ConfigError: there is no key.
        """
        if self._key is None:
            raise ConfigError("only the account's key can sign for a policy", where="account")
        from azure.storage.blob import generate_container_sas  # noqa: PLC0415 - loaded when opened

        terms: dict[str, Any] = {"protocol": "https"} if self._secure else {}
        return SecretText(
            generate_container_sas(
                account_name=self._account,
                container_name=container,
                account_key=self._key.reveal(),
                policy_id=access.value,
                **terms,
            )
        )

    async def container(self, container: str, *, permissions: str, until: datetime) -> SecretText:
        """Sign for one container and its blobs, without a policy: for our own requests, which are short.

        Args:
            container: its name.
            permissions: in the service's order, such as `rcw`.
            until: an aware time.

        Returns:
            The query of its address, or of a blob's in it.

        Raises:
            ConfigError: `until` is further away than such a signature can last.
            ServiceError: no key was lent.
            UnreachableError: no answer came.
        """
        from azure.storage.blob import generate_container_sas  # noqa: PLC0415 - loaded when opened

        return SecretText(
            generate_container_sas(
                account_name=self._account,
                container_name=container,
                permission=permissions,
                **await self._signed(until),
            )
        )

    def _template(self, container: str, key: SecretText) -> ReadTemplate:
        template = self._templates.get(container)
        if template is None:
            if len(self._templates) >= _MOST_TEMPLATES:
                self._templates.clear()
            template = self._templates[container] = ReadTemplate(
                account=self._account,
                key=key.reveal(),
                container=container,
                policy=Access.READ.value,
                secure=self._secure,
            )
        return template

    async def _signed(self, until: datetime) -> dict[str, Any]:
        # In UTC, since the SDK writes any time down as if it were.
        terms: dict[str, Any] = {"start": self._start(), "expiry": until.astimezone(UTC)}
        if self._secure:
            terms["protocol"] = "https"
        if self._key is not None:
            return {**terms, "account_key": self._key.reveal()}
        return {**terms, "user_delegation_key": await self._delegation(terms["expiry"])}

    @property
    def _secure(self) -> bool:
        return self._service.url.startswith("https:")

    def _start(self) -> datetime:
        return datetime.now(UTC) - timedelta(seconds=self._limits.sas_backdate)

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
            start = self._start()
            key = await persist(
                "get user delegation key",
                lambda: self._service.get_user_delegation_key(key_start_time=start, key_expiry_time=expiry),
                limits=self._limits,
                rng=self._rng,
            )
            self._lent = (expiry, key)
            return key
