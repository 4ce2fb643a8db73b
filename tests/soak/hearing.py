"""A crowd that listens, one of them slowly: each hears everything, and memory has a bound."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from tests.acceptance.daemon.daemons import Daemon, until
from tests.soak.crowd import Ear
from tests.soak.readings import read
from tests.soak.traffic import Client, client_of, simulated

PATIENT = {"requests_per_second": 1_000_000, "request_burst": 10_000_000}
A_LISTENER = 64 * 1024
"""Bytes of memory that one more listener may cost; it was measured at about 20 KiB."""


async def wait_for(condition: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(until, condition, what)


async def one_run(client: Client, key: str) -> None:
    await client.submit(simulated(50, seconds=0.05), key)
    await client.all_over(1, within=60)


def slow_listener(address: str, token: str) -> socket.socket:
    """One that asks for all that ever was, and reads nothing."""
    url = urlsplit(address)
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect((url.hostname, url.port))
    head = f"GET /v1/events?after=0 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    slow.sendall(head.encode())
    return slow


async def what_is_said_when_cut_off(client: Client, slow: socket.socket) -> bytes:
    """All that waited for a listener by the time at which it was cut off."""
    while True:
        if (await client.metrics())["orchestrator_listeners_cut_off_total"]:
            break
        await asyncio.sleep(0.1)
    return await asyncio.to_thread(_all_of, slow)


def _all_of(slow: socket.socket) -> bytes:
    told = b""
    while piece := slow.recv(65536):
        told += piece
    return told


async def crowd_listens(daemon: Daemon, crowd: int) -> str:
    """Let so many listen while two runs take place, and one more that reads nothing.

    Returns:
        What was measured.
    """
    assert daemon.running is not None
    pid, token = daemon.running.process.pid, daemon.token()
    address = (daemon.state / "address").read_text().strip()
    async with client_of(daemon) as client:
        await one_run(client, "before")
        before = read(pid)
        ears = [await Ear.open(address, token) for _ in range(crowd)]
        async with asyncio.TaskGroup() as group:
            listening = [group.create_task(ear.listen()) for ear in ears]
            with slow_listener(address, token) as slow:
                connected = read(pid)
                saying = group.create_task(what_is_said_when_cut_off(client, slow))
                await one_run(client, "first")
                await one_run(client, "second")
                head = (await client.metrics())["orchestrator_events_head"]
                await wait_for(lambda: all(ear.last >= head for ear in ears), "all have heard everything")
                told = read(pid)
                assert len({ear.events for ear in ears}) == 1
                said = await saying
            for ear in ears:
                ear.close()
            await asyncio.wait(listening)
    assert b"ListenerCutOff" in said
    last = int(re.findall(rb'"last_event_id":(\d+)', said)[-1])
    assert [int(number) for number in re.findall(rb"^id: (\d+)", said, re.MULTILINE)][-1] == last
    rest = daemon.events("/v1/events", after=last)
    first_again, _, _ = next(rest)
    rest.close()
    assert first_again == last + 1
    until(lambda: read(pid).handles <= before.handles + 4, "the connections of the crowd are closed")
    grown = told.memory - before.memory
    assert grown < crowd * A_LISTENER + 8e6
    each = (connected.memory - before.memory) / crowd / 1024
    return (
        f"{crowd} listeners: {each:.0f} KiB each when connected, {grown / 1e6:.1f} MB in all after "
        f"{ears[0].events} events to each"
    )
