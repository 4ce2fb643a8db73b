"""What the addresses in tasks may do, kept with their container: stored access policies.

A task can't be changed once it is added, and an address with an end of its own stops working in the middle
of a run that takes longer than was thought. An address that names a policy of its container ends when the
policy does, whose end can be set anew at any time, also afterwards: the same address works again then
(tried on Azurite). Ends are counted on the service's clock, which every answer tells, not on this machine's.

Facts that shape it: setting the access of a container replaces all its policies, of which there are five at
most, and knows conditions on the time of the last change only, to the second; a new policy may take half a
minute until it counts, with 403 meanwhile (REST: Set Container ACL, Define a stored access policy).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec
from yarl import URL

from orchestrator.accounts.clock import ClockWatch, told_time
from orchestrator.accounts.failures import AnswerError, refusal

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from azure.storage.blob import AccessPolicy
    from azure.storage.blob.aio import BlobServiceClient

    from orchestrator.limits import Limits
    from orchestrator.spec.secret import SecretText

_VERSION: Final = "2023-11-03"
_NOBODYS_BLOB: Final = "access-probe"
_NOBODYS_VERSION: Final = '"0x0"'


class Access(enum.Enum):
    """What a container is opened for; the value is the name of the policy."""

    READ = "orchestrator-read"
    WRITE = "orchestrator-write"

    @property
    def permissions(self) -> str:
        """In the service's letters and order; writing opens neither reading nor listing."""
        return "r" if self is Access.READ else "cw"


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A policy as it is now.

    Args:
        expiry: when it ends, aware.
        left: how long that is from now on the service's clock, in seconds.
    """

    expiry: datetime
    left: float


def new_expiry(
    found: AccessPolicy | None, access: Access, *, now: datetime, lifetime: float, least: float
) -> datetime | None:
    """Decide whether a policy has to be set anew, and to which end. It never ends sooner than before.

    Several runs may share a container, each with an end of its own in mind.

    Args:
        found: what the container has under the policy's name.
        access: what it is for.
        now: on the service's clock.
        lifetime: of the policy, in seconds.
        least: what must be left of it, in seconds.

    Returns:
        The new end; None while the policy is as it should be.
    """
    wanted = now + timedelta(seconds=lifetime)
    expiry = policy_expiry(found)
    if found is None or expiry is None or found.permission != access.permissions:
        return wanted
    return None if expiry - now >= timedelta(seconds=least) else max(expiry, wanted)


def policy_expiry(policy: AccessPolicy | None) -> datetime | None:
    """When a policy ends; None where it does not say so.

    Args:
        policy: as the SDK reads it, with times as the service wrote them.
    """
    told: Any = policy.expiry if policy is not None else None
    if isinstance(told, str):
        try:
            told = datetime.fromisoformat(told)
        except ValueError:
            return None
    if not isinstance(told, datetime):
        return None
    return told.astimezone(UTC) if told.tzinfo is not None else told.replace(tzinfo=UTC)


class AccessPolicies:
    """Looks at the policies of containers, and sets them. Each method is one try, without retries.

    Args:
        service: the SDK's client.
        session: for the requests that try an address.
        limits: `clock_tolerance` counts.
    """

    def __init__(self, service: BlobServiceClient, session: ClientSession, *, limits: Limits) -> None:
        self._service = service
        self._session = session
        self.clock = ClockWatch(limits.clock_tolerance)

    async def extend(self, container: str, access: Access, *, lifetime: float, least: float) -> Grant:
        """Make sure that a policy lasts, leaving the container's other policies as they are.

        What somebody else changes between the look and the setting is not overwritten (412, to be tried
        again), unless it happens within the same second. Then a policy may end when the other run wanted it
        to, which that run's next look puts right long before.

        Args:
            container: its name.
            access: what it is opened for.
            lifetime: of a policy that is set, in seconds.
            least: what must be left of one that may stay as it is, in seconds.

        Returns:
            The policy.

        Raises:
            AzureError, AnswerError: for `retry.persist`.
        """
        from azure.storage.blob import AccessPolicy  # noqa: PLC0415 - loaded when opened

        headers: dict[str, str] = {}
        client = self._service.get_container_client(container)
        # Azurite's answer to Get Container ACL gives the time of the last change as its own (tried): this one
        # asks for the time, and for what must not change any more.
        await client.get_container_properties(
            raw_response_hook=lambda response: headers.update(_lower(response.http_response.headers))
        )
        found: Mapping[str, Any] = await client.get_container_access_policy()
        now, changed = self._now(headers), headers.get("last-modified")
        kept: dict[str, AccessPolicy] = {
            each.id: each.access_policy or AccessPolicy() for each in found["signed_identifiers"]
        }
        current = kept.get(access.value)
        expiry = new_expiry(current, access, now=now, lifetime=lifetime, least=least)
        if expiry is None:
            known = policy_expiry(current) or now
            return Grant(expiry=known, left=(known - now).total_seconds())
        kept[access.value] = AccessPolicy(permission=access.permissions, expiry=expiry)
        unchanged: dict[str, Any] = {}
        if changed and (since := told_time({"date": changed})):
            unchanged["if_unmodified_since"] = since
        await client.set_container_access_policy(kept, public_access=found["public_access"], **unchanged)
        return Grant(expiry=expiry, left=(expiry - now).total_seconds())

    async def attempt(self, address: SecretText, access: Access) -> None:
        """Ask with an address of a container for what changes nothing, to see whether it opens it by now.

        Args:
            address: of the container, signed.
            access: what it opens.

        Raises:
            AnswerError: the service refused it; with 403 as long as the policy does not count.
        """
        plain, _, query = address.reveal().partition("?")
        url = URL(f"{plain}/{_NOBODYS_BLOB}?{query}", encoded=True)
        reading = access is Access.READ
        headers = {"x-ms-version": _VERSION}
        if not reading:
            # Whoever may write is told that there is no such version, and nothing is written.
            headers |= {"x-ms-blob-type": "BlockBlob", "If-Match": _NOBODYS_VERSION}
        async with self._session.request(
            "HEAD" if reading else "PUT", url, headers=headers, allow_redirects=False
        ) as answer:
            if answer.status not in (HTTPStatus.OK, HTTPStatus.NOT_FOUND, HTTPStatus.PRECONDITION_FAILED):
                raise AnswerError(refusal(answer.status, answer.headers, await answer.read()))

    def _now(self, headers: Mapping[str, str]) -> datetime:
        ours, theirs = datetime.now(UTC), told_time(headers)
        self.clock.compare(theirs, ours)
        return theirs or ours


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
