"""A listener of all events that comes back after every death, with the number of what it saw last."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from typing import Any

import aiohttp

from tests.soak.traffic import Client

_PAUSE = 0.2


class Listener:
    """What was heard, in the order in which it came.

    Attributes:
        numbers: of the events.
        sequences: of each run's events, within the run.
        last_class: of each run's newest event.
        returns: how often it had to come back.
    """

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.sequences: dict[str, list[int]] = defaultdict(list)
        self.last_class: dict[str, str] = {}
        self.returns = 0
        self.listening = asyncio.Event()

    async def listen(self, client: Client) -> None:
        """Listen for ever."""
        while True:
            try:
                await self._once(client)
            except (aiohttp.ClientError, OSError):
                await asyncio.sleep(_PAUSE)
            self.returns += 1

    async def _once(self, client: Client) -> None:
        headers = dict(client.headers)
        if self.listening.is_set():
            headers["Last-Event-ID"] = str(self.numbers[-1] if self.numbers else 0)
        timeout = aiohttp.ClientTimeout(total=None, sock_read=60)
        async with client.session.get(client.url("/v1/events"), headers=headers, timeout=timeout) as answer:
            assert answer.status == 200, await answer.text()
            self.listening.set()
            number = 0
            async for line in answer.content:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "id":
                    number = int(value)
                elif name == "data" and number:
                    self._take(number, json.loads(value))
                    number = 0

    def _take(self, number: int, event: dict[str, Any]) -> None:
        self.numbers.append(number)
        if "sequence" in event:
            self.sequences[event["run_id"]].append(event["sequence"])
            self.last_class[event["run_id"]] = event["event"]

    def problem(self, run_id: str) -> str | None:
        """What is wrong with what was heard of a run that is over; None if nothing is."""
        heard = self.sequences[run_id]
        if heard != list(range(1, len(heard) + 1)):
            return f"{run_id}: events {heard}"
        if self.last_class.get(run_id) != "RunFinished":
            return f"{run_id}: last heard {self.last_class.get(run_id)}"
        return None
