"""Handler of supported images: a believable list, since the pools made from it are processes of this machine.

Source of facts: recorded (shape and order of members; a part of the images).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.local.batch.account import Account
from orchestrator.local.batch.pages import list_page
from orchestrator.local.wire.call import Call, Reply
from orchestrator.local.wire.odata import SAME, Field, Kind


@dataclass(frozen=True, slots=True)
class Image:
    """An image.

    Args:
        publisher: of the marketplace.
        offer: of the publisher.
        sku: of the offer.
        agent: node agent SKU that goes with it.
        verified: whether Batch has verified the pair.
        os: `linux` or `windows`.
        capabilities: told by the service.
        end_of_life: of Batch's support, if it is near.
    """

    publisher: str
    offer: str
    sku: str
    agent: str
    verified: bool = True
    os: str = "linux"
    capabilities: tuple[str, ...] = ()
    end_of_life: str | None = None


_UBUNTU_20: Final = "batch.node.ubuntu 20.04"
_UBUNTU_22: Final = "batch.node.ubuntu 22.04"
_UBUNTU_24: Final = "batch.node.ubuntu 24.04"
_WINDOWS: Final = "batch.node.windows amd64"
_GEN2: Final = ("Generation2VMImage",)
_CONTAINERS: Final = ("DockerCompatible", "NvidiaTeslaDriverInstalled")

IMAGES: Final = (
    Image("almalinux", "almalinux", "8-gen1", "batch.node.el 8", verified=False),
    Image("almalinux", "almalinux", "8-gen2", "batch.node.el 8", verified=False, capabilities=_GEN2),
    Image("almalinux", "almalinux", "9-gen1", "batch.node.el 9"),
    Image(
        "batch",
        "rendering-centos73",
        "rendering",
        "batch.node.centos 7",
        end_of_life="2024-02-29T00:00:00Z",
    ),
    Image(
        "canonical",
        "0001-com-ubuntu-server-focal",
        "20_04-lts",
        _UBUNTU_20,
        end_of_life="2025-04-22T00:00:00Z",
    ),
    Image(
        "canonical",
        "0001-com-ubuntu-server-focal",
        "20_04-lts-gen2",
        _UBUNTU_20,
        verified=False,
        capabilities=_GEN2,
        end_of_life="2025-04-22T00:00:00Z",
    ),
    Image("canonical", "0001-com-ubuntu-server-jammy", "22_04-lts", _UBUNTU_22),
    Image(
        "canonical",
        "0001-com-ubuntu-server-jammy",
        "22_04-lts-gen2",
        _UBUNTU_22,
        verified=False,
        capabilities=_GEN2,
    ),
    Image("canonical", "ubuntu-24_04-lts", "server", _UBUNTU_24, capabilities=_GEN2),
    Image("canonical", "ubuntu-24_04-lts", "server-gen1", _UBUNTU_24),
    Image("debian", "debian-12", "12", "batch.node.debian 12", verified=False),
    Image(
        "microsoft-dsvm",
        "ubuntu-hpc",
        "2204",
        _UBUNTU_22,
        verified=False,
        capabilities=(*_GEN2, *_CONTAINERS),
    ),
    Image(
        "microsoftwindowsserver",
        "windowsserver",
        "2016-datacenter-smalldisk",
        _WINDOWS,
        os="windows",
        end_of_life="2027-01-12T00:00:00Z",
    ),
    Image("microsoftwindowsserver", "windowsserver", "2022-datacenter-smalldisk", _WINDOWS, os="windows"),
)

_FIELDS: Final[Mapping[str, Field[Image]]] = {
    "osType": Field(Kind.ENUM, lambda image: image.os, SAME),
    "verificationType": Field(Kind.ENUM, lambda image: "verified" if image.verified else "unverified", SAME),
    "nodeAgentSKUId": Field(Kind.TEXT, lambda image: image.agent, SAME),
}


async def list_all(_account: Account, call: Call) -> Reply:
    """GET /supportedimages."""
    return list_page(call, "supportedimages", _walk, _show, fields=_FIELDS)


def _walk(start: str | None) -> Iterable[tuple[str, Image]]:
    keyed = ((f"{image.publisher}/{image.offer}/{image.sku}", image) for image in IMAGES)
    return ((key, image) for key, image in keyed if start is None or key > start)


def _show(image: Image) -> dict[str, Any]:
    reference = {
        "publisher": image.publisher,
        "offer": image.offer,
        "sku": image.sku,
        "version": "latest",
    }
    wire: dict[str, Any] = {
        "imageReference": reference,
        "verificationType": "verified" if image.verified else "unverified",
        "nodeAgentSKUId": image.agent,
    }
    if image.capabilities:
        wire["capabilities"] = list(image.capabilities)
    if image.end_of_life is not None:
        wire["batchSupportEndOfLife"] = image.end_of_life
    wire["osType"] = image.os
    return wire
