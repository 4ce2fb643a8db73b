"""When the containers of a run are opened and tried, while the pool and the job are got."""

from __future__ import annotations

from collections.abc import Collection

import anyio
import pytest

from orchestrator.runtime.run_access import provide_and_open
from orchestrator.stages.package import PackedApplication
from orchestrator.stages.staging import StagingPlaces

OWN = ("in-r", "out-r")


class Containers:
    """What is asked of the containers, in order; the first try waits until the pool is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[str, ...] | None]] = []
        self.tried = anyio.Event()
        self.provided = anyio.Event()

    async def provide(self) -> None:
        self.provided.set()
        await self.tried.wait()
        self.asked.append(("provided", None))

    async def open(self, only: Collection[str] | None = None) -> None:
        self.asked.append(("open", only if only is None else tuple(only)))

    async def wait_until_open(self, only: Collection[str] | None = None) -> None:
        self.asked.append(("wait", only if only is None else tuple(only)))
        self.tried.set()
        await self.provided.wait()


def places(*, application: bool = False) -> StagingPlaces:
    packed = PackedApplication(container="app-1", files=()) if application else None
    return StagingPlaces(input_container=OWN[0], output_container=OWN[1], application=packed)


async def test_addresses_are_waited_for_beside_the_pool_and_not_looked_at_again() -> None:
    service = Containers()
    with anyio.fail_after(5):
        await provide_and_open(service.provide, service, places())  # type: ignore[arg-type]
    assert service.asked == [("wait", OWN), ("provided", None)]


async def test_an_applications_container_is_opened_once_pool_or_job_names_it() -> None:
    service = Containers()
    with anyio.fail_after(5):
        await provide_and_open(service.provide, service, places(application=True))  # type: ignore[arg-type]
    assert service.asked == [
        ("wait", OWN),
        ("provided", None),
        ("open", ("app-1",)),
        ("wait", ("app-1",)),
    ]


@pytest.mark.parametrize("application", [False, True])
async def test_after_a_long_wait_for_the_pool_all_are_looked_at_again(application: bool) -> None:
    service = Containers()
    with anyio.fail_after(5):
        await provide_and_open(
            service.provide,
            service,  # type: ignore[arg-type]
            places(application=application),
            long=-1,
        )
    assert service.asked[2:] == [("open", None), ("wait", None)]
