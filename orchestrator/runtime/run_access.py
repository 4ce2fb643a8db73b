"""The containers of a run as its tasks use them: which are opened, for how long, and when they are tried."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import anyio

from orchestrator.accounts.access import Access
from orchestrator.accounts.storage import StorageAccount
from orchestrator.events import Publish
from orchestrator.limits import Limits
from orchestrator.runtime.history import RunHistory
from orchestrator.runtime.horizon import address_lifetime
from orchestrator.spec.plan import RunPlan
from orchestrator.stages.renewal import AccessRenewal, Opened
from orchestrator.stages.staging import StagingPlaces
from orchestrator.stages.workers import run_all

_LONG: Final = 60.0


def access_of_run(
    places: StagingPlaces,
    *,
    plan: RunPlan,
    storage: StorageAccount,
    publish: Publish,
    limits: Limits,
    past: RunHistory,
) -> AccessRenewal:
    """What keeps the addresses of a run's containers working.

    Args:
        places: the containers.
        plan: of the run.
        storage: where they are.
        publish: told when an extension keeps failing.
        limits: the numbers.
        past: what the run had done before its program died.
    """
    lifetime = min(address_lifetime(plan.spec, limits), limits.access_lifetime)
    containers = {
        places.input_container: Opened(access=Access.READ, lifetime=lifetime),
        places.output_container: Opened(access=Access.WRITE, lifetime=lifetime),
    }
    packed = places.application
    if application := packed.container if packed is not None else past.application:
        # Its start task needs it for as long as there may be a pool, whatever becomes of the run.
        kept = max(lifetime, limits.pool_sas_lifetime)
        containers[application] = Opened(access=Access.READ, lifetime=kept, needed=packed is not None)
    return AccessRenewal(
        run_id=plan.run_id, storage=storage, publish=publish, limits=limits, containers=containers
    )


async def provide_and_open(
    provide: Callable[[], Awaitable[None]],
    access: AccessRenewal,
    places: StagingPlaces,
    *,
    long: float = _LONG,
) -> None:
    """Get the pool and the job, and have found out by then that the addresses of the files work.

    Args:
        provide: gets pool and job.
        access: whose policies were set before.
        places: the containers.
        long: seconds for pool and job after which all containers are looked at again.

    Raises:
        OrchestratorError: the first of what either raises.
    """
    began = anyio.current_time()
    own = (places.input_container, places.output_container)
    await run_all(provide, partial(access.wait_until_open, own))
    if anyio.current_time() - began > long:
        # What was tried an hour ago, while the run waited for a quota, says nothing any more.
        await access.open()
        await access.wait_until_open()
    elif places.application is not None:
        # Before pool or job named it, another run's clean-up may have deleted it: then it was made anew, and
        # has no policy yet.
        application = (places.application.container,)
        await access.open(application)
        await access.wait_until_open(application)
