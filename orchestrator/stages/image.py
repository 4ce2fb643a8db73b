"""Which image a pool gets: a pure choice from what the service verified."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from orchestrator.errors import PoolError
from orchestrator.spec.pool import ImageSpec, PoolSpec
from orchestrator.states import SupportedImage

WINDOWS = "Windows pools are not supported: the commands that bring the application are for a POSIX shell"


def choose_image(
    images: Iterable[SupportedImage], wanted: ImageSpec, *, pool_id: str, now: datetime
) -> SupportedImage:
    """The newest verified image of a family, with the node agent that the service verified for it.

    As the tutorial does: publisher and offer are equal (without regard to case) and the sku starts with the
    one asked for. An image of just that sku comes before the newer ones of the family, which may be another
    thing altogether (`server` and `server-arm64`). Images whose support has ended are passed over.

    Args:
        images: what the service supports (REST: Account - List Supported Images).
        wanted: the family.
        pool_id: for the error.
        now: for the end of support.

    Raises:
        PoolError: nothing fits; the message names what is nearest.
    """
    listed = tuple(images)
    family = [image for image in listed if _same_family(image, wanted)]
    name = f"{wanted.publisher}/{wanted.offer}/{wanted.sku}"
    if not family:
        near = [image for image in listed if _same(image.publisher, wanted.publisher)]
        offers = sorted({f"{image.publisher}/{image.offer}/{image.sku}" for image in near})
        known = f"; of that publisher there are {', '.join(offers[:8])}" if offers else ""
        raise PoolError(f"the service supports no image {name}{known}", pool_id=pool_id)
    if all(image.os_type.lower() == "windows" for image in family):
        raise PoolError(f"image {name}: {WINDOWS}", pool_id=pool_id)
    usable = [image for image in family if image.os_type.lower() == "linux" and image.verified]
    if not usable:
        raise PoolError(f"image {name} is not verified by the service; choose another", pool_id=pool_id)
    living = [image for image in usable if image.end_of_life is None or image.end_of_life > now]
    if not living:
        raise PoolError(f"the support of image {name} has ended; choose a newer one", pool_id=pool_id)
    return max(
        living,
        key=lambda image: (
            _same(image.sku, wanted.sku),
            _natural(image.sku),
            _natural(image.node_agent_sku_id),
        ),
    )


def misfits(body: Mapping[str, Any], wanted: PoolSpec) -> tuple[str, ...]:
    """What makes an existing pool unfit for what is asked, each as a phrase; empty if it fits.

    Args:
        body: the pool as the service describes it.
        wanted: what the job file asks for; a spec with nothing but an id fits every Linux pool.
    """
    machine = body.get("virtualMachineConfiguration") or {}
    agent = str(machine.get("nodeAgentSKUId", ""))
    if "windows" in agent.lower() or machine.get("windowsConfiguration") is not None:
        return (WINDOWS,)
    if wanted.must_exist:
        return ()
    found: list[str] = []
    if wanted.vm_size and not _same(str(body.get("vmSize", "")), wanted.vm_size):
        found.append(f"its vm_size is {body.get('vmSize')}, not {wanted.vm_size}")
    if wanted.image:
        image = machine.get("imageReference") or {}
        has = "/".join(str(image.get(part, "?")) for part in ("publisher", "offer", "sku"))
        fits = (
            _same(str(image.get("publisher", "")), wanted.image.publisher)
            and _same(str(image.get("offer", "")), wanted.image.offer)
            and str(image.get("sku", "")).lower().startswith(wanted.image.sku.lower())
        )
        if not fits:
            asked = f"{wanted.image.publisher}/{wanted.image.offer}/{wanted.image.sku}"
            found.append(f"its image is {has}, not {asked}")
    slots = int(body.get("taskSlotsPerNode", 1))
    if slots != wanted.task_slots_per_node:
        found.append(f"its task_slots_per_node is {slots}, not {wanted.task_slots_per_node}")
    return tuple(found)


def _same_family(image: SupportedImage, wanted: ImageSpec) -> bool:
    return (
        _same(image.publisher, wanted.publisher)
        and _same(image.offer, wanted.offer)
        and image.sku.lower().startswith(wanted.sku.lower())
    )


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def _natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key in which `24_04` comes after `9_10`."""
    parts = re.findall(r"\d+|\D+", text.lower())
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts)
