"""What stands between a handler and the client while the service's state is being kept on a disk."""

from __future__ import annotations

from typing import Protocol


class Keeper(Protocol):
    """Keeps what handlers change."""

    def check(self, *, reading: bool) -> None:
        """Refuse a request that could not be kept.

        Args:
            reading: whether it changes nothing.

        Raises:
            ApiError: naming the reason.
        """

    async def settle(self, *, reading: bool) -> None:
        """Wait until everything that has happened so far is kept.

        Args:
            reading: whether the request changed nothing.

        Raises:
            ApiError: naming the reason.
        """
