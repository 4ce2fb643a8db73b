"""Which addresses the daemon may send to: names are resolved here, and what they lead to is checked."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from orchestrator.daemon.webhook_config import Network


def refused_because(address: str, *, secure: bool, allowed: Sequence[Network]) -> str | None:
    """Why nothing may be sent to an address; None where it may.

    Args:
        address: an IP address.
        secure: whether it is reached by https.
        allowed: ranges that may be sent to whatever they are.
    """
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if any(found in network for network in allowed):
        return None
    if not found.is_global or found.is_multicast:
        return f"{found} is no public address; name its range in webhook_networks if it is meant"
    return None if secure else f"{found} is not in webhook_networks, and elsewhere only https is used"


class CheckedResolver(AbstractResolver):
    """Resolves a name for one connection, which goes to what was checked and not to a later answer.

    Args:
        secure: whether the addresses are reached by https.
        allowed: ranges that may be sent to whatever they are.
    """

    def __init__(self, *, secure: bool, allowed: Sequence[Network]) -> None:
        self._names = ThreadedResolver()
        self._secure = secure
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name.

        Raises:
            OSError: there are none, or one of them may not be sent to.
        """
        found = await self._names.resolve(host, port, family)
        for one in found:
            if (
                reason := refused_because(one["host"], secure=self._secure, allowed=self._allowed)
            ) is not None:
                raise OSError(f"{host}: {reason}")
        return found

    async def close(self) -> None:
        """Let go of the names."""
        await self._names.close()
