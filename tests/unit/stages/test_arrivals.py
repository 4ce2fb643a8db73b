"""Inputs arrive in any order, and each task gets the blobs of its own."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import StagingError
from orchestrator.stages.arrivals import Arrivals
from orchestrator.stages.staging import Arrival

BLOBS = st.builds(
    lambda first, key: f"{first}-{key.hex()}", st.integers(0, 10**7), st.binary(min_size=12, max_size=12)
)


@given(blobs=st.dictionaries(st.integers(0, 2000), BLOBS, min_size=1, max_size=20))
def test_each_input_has_the_blob_that_arrived_for_it(blobs: dict[int, str]) -> None:
    async def ask() -> None:
        send, receive = anyio.create_memory_object_stream[Arrival](len(blobs))
        with receive:
            arrivals = Arrivals(receive)
            with send:
                assert not any(map(arrivals.has, blobs))
                for arrival in blobs.items():
                    await send.send(arrival)
            for index in sorted(blobs):
                assert arrivals.has(index)
                assert await arrivals.blob(index) == blobs[index]
            missing = next(index for index in range(3000) if index not in blobs)
            assert not arrivals.has(missing)
            with pytest.raises(StagingError, match=f"input {missing}"):
                await arrivals.blob(missing)
            arrivals.close()

    anyio.run(ask)
