"""Fixtures for anyone's tests against a local Azure Batch.

pytest loads this at its start, so it imports nothing until a fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from orchestrator.local.faults.lab import FaultLab
    from orchestrator.local.in_thread import LocalServiceThread


@pytest.fixture(scope="session")
def azure_batch_local_options() -> dict[str, Any]:
    """Arguments of `LocalService` for `azure_batch_local`; override it to change them."""
    return {}


@pytest.fixture(scope="session")
def azure_batch_local(azure_batch_local_options: dict[str, Any]) -> Iterator[LocalServiceThread]:
    """A local Azure Batch and blob storage for the whole session, with `.settings` and `.faults`."""
    from orchestrator.local.in_thread import LocalServiceThread  # noqa: PLC0415  # see above

    with LocalServiceThread(**azure_batch_local_options) as service:
        yield service


@pytest.fixture
def azure_batch_faults(azure_batch_local: LocalServiceThread) -> Iterator[FaultLab]:
    """The service's fault lab, empty at the beginning of a test and again at its end."""
    lab = azure_batch_local.faults
    lab.clear()
    yield lab
    lab.clear()
