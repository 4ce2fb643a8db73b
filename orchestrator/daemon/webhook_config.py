"""Who is told of events by HTTP: what the configuration says of it, checked. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

import msgspec

from orchestrator.errors import ConfigError
from orchestrator.events import Event, all_event_types
from orchestrator.spec.resolve import reference_problem
from orchestrator.spec.secret import SecretReference

Network = IPv4Network | IPv6Network


class WebhookConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One receiver.

    Args:
        url: where events are posted to; its host has to be in `webhook_hosts`.
        secret: what deliveries are signed with, by reference.
        events: classes, those below them included; all by default.
        runs: patterns such as `nightly-*` for the id of the run or of its job; all runs by default.
    """

    url: str
    secret: SecretReference
    events: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """Where it goes, without what may be a token in its path or query."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}"


def wanted_events(events: Collection[str]) -> frozenset[str]:
    """The names of the classes that are meant, those below them included; empty for all.

    Args:
        events: names of classes of `orchestrator.events`.
    """
    parents = tuple(kind for name, kind in _kinds().items() if name in events)
    return frozenset(name for name, kind in _kinds().items() if issubclass(kind, parents))


def networks(texts: Collection[str]) -> tuple[Network, ...]:
    """The ranges of addresses that the configuration names, which `check_webhooks` found to be some."""
    return tuple(ip_network(text) for text in texts)


def check_webhooks(
    webhooks: Collection[WebhookConfig], *, hosts: Collection[str], ranges: Collection[str], where: str
) -> None:
    """Make sure that each can be what is meant.

    Args:
        webhooks: as configured.
        hosts: those that may be told anything.
        ranges: of addresses that are not public, or not reached by https, and may be told all the same.
        where: the file, for messages.

    Raises:
        ConfigError: one can't be right; `.where` names it.
    """
    for index, text in enumerate(ranges):
        try:
            ip_network(text)
        except ValueError as error:
            raise ConfigError(str(error), where=f"{where}: webhook_networks[{index}]") from None
    seen: set[str] = set()
    for index, webhook in enumerate(webhooks):
        place = f"{where}: webhooks[{index}]"
        _check_url(webhook.url, hosts, f"{place}.url")
        if webhook.url in seen:
            raise ConfigError("another webhook has the same", where=f"{place}.url")
        seen.add(webhook.url)
        if problem := reference_problem(webhook.secret):
            raise ConfigError(problem, where=f"{place}.secret")
        for name in webhook.events:
            if name not in _kinds():
                raise ConfigError(f"there is no event {name!r}; see docs/events.md", where=f"{place}.events")


def _check_url(url: str, hosts: Collection[str], where: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"is no address: {error}", where=where) from None
    if parts.scheme not in {"http", "https"} or host is None:
        raise ConfigError("must be https://... (or http://... within webhook_networks)", where=where)
    if parts.username is not None or parts.password is not None:
        raise ConfigError("must not hold a password: the secret signs what is sent", where=where)
    if host not in {allowed.lower() for allowed in hosts}:
        raise ConfigError(f"{host} is not in webhook_hosts", where=where)


def _kinds() -> Mapping[str, type[Event]]:
    return {kind.__name__: kind for kind in all_event_types()}
