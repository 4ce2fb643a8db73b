"""Which image a pool gets, and which existing pools fit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.errors import PoolError
from orchestrator.spec.pool import ImageSpec, PoolSpec
from orchestrator.stages.image import choose_image, misfits
from orchestrator.states import SupportedImage

NOW = datetime(2026, 1, 1, tzinfo=UTC)
UBUNTU = ImageSpec(publisher="Canonical", offer="ubuntuserver", sku="18.04")


def image(sku: str, **changes: Any) -> SupportedImage:
    given: dict[str, Any] = {
        "publisher": "canonical",
        "offer": "ubuntuserver",
        "sku": sku,
        "version": "latest",
        "node_agent_sku_id": f"batch.node.ubuntu {sku}",
        "os_type": "linux",
        "verified": True,
    }
    return SupportedImage(**{**given, **changes})


def choose(*images: SupportedImage, wanted: ImageSpec = UBUNTU) -> SupportedImage:
    return choose_image(images, wanted, pool_id="p", now=NOW)


def test_the_newest_sku_of_the_family_is_taken_in_numeric_order() -> None:
    wanted = ImageSpec(publisher="canonical", offer="ubuntuserver", sku="1")
    assert choose(image("18.04-lts"), image("9.10"), image("16.04.0-lts"), wanted=wanted).sku == "18.04-lts"


def test_an_image_of_just_that_sku_comes_before_newer_ones_that_begin_with_it() -> None:
    wanted = ImageSpec(publisher="canonical", offer="ubuntuserver", sku="server")
    found = choose(image("server-arm64"), image("SERVER"), image("server-gen1"), wanted=wanted)
    assert found.sku == "SERVER"
    assert choose(image("server", verified=False), image("server-gen1"), wanted=wanted).sku == "server-gen1"


def test_publisher_and_offer_are_compared_without_case() -> None:
    assert choose(image("18.04-lts", publisher="CANONICAL")).publisher == "CANONICAL"


def test_unverified_images_are_passed_over() -> None:
    assert choose(image("18.04-lts"), image("18.04-zzz", verified=False)).sku == "18.04-lts"


def test_an_image_whose_support_has_ended_is_refused_by_name() -> None:
    with pytest.raises(PoolError, match=r"support of image Canonical/ubuntuserver/18\.04 has ended"):
        choose(image("18.04-lts", end_of_life=datetime(2025, 1, 1, tzinfo=UTC)))


def test_a_family_that_is_windows_is_refused_as_windows() -> None:
    with pytest.raises(PoolError, match="Windows pools are not supported"):
        choose(image("18.04", os_type="windows"))


def test_an_unknown_family_names_what_that_publisher_has() -> None:
    with pytest.raises(PoolError, match=r"of that publisher there are canonical/ubuntuserver/18\.04-lts"):
        choose(image("18.04-lts"), wanted=ImageSpec(publisher="canonical", offer="other", sku="x"))


BODY: dict[str, Any] = {
    "vmSize": "standard_d2s_v3",
    "taskSlotsPerNode": 2,
    "virtualMachineConfiguration": {
        "nodeAgentSKUId": "batch.node.ubuntu 18.04",
        "imageReference": {"publisher": "canonical", "offer": "ubuntuserver", "sku": "18.04-lts"},
    },
}
SPEC = PoolSpec(
    id="p", vm_size="STANDARD_D2S_V3", image=UBUNTU, target_dedicated_nodes=1, task_slots_per_node=2
)


def test_a_pool_of_the_same_kind_fits() -> None:
    assert misfits(BODY, SPEC) == ()


def test_everything_that_does_not_fit_is_named() -> None:
    other = PoolSpec(id="p", vm_size="other", image=ImageSpec(publisher="a", offer="b", sku="c"))
    told = misfits(BODY, other)
    assert told == (
        "its vm_size is standard_d2s_v3, not other",
        "its image is canonical/ubuntuserver/18.04-lts, not a/b/c",
        "its task_slots_per_node is 2, not 1",
    )


def test_a_pool_that_is_only_named_fits_whatever_it_is() -> None:
    assert misfits(BODY, PoolSpec(id="p")) == ()


def test_a_windows_pool_is_refused_even_if_only_named() -> None:
    windows = {**BODY, "virtualMachineConfiguration": {"nodeAgentSKUId": "batch.node.windows amd64"}}
    assert "Windows" in misfits(windows, PoolSpec(id="p"))[0]
