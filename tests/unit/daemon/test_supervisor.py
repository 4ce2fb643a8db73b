from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.daemon.supervisor import Supervisor


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """What systemd listens on, and its address."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(path)
        systemd.settimeout(5)
        yield systemd, path


def test_each_state_is_told(listening: tuple[socket.socket, str]) -> None:
    systemd, path = listening
    supervisor = Supervisor({"NOTIFY_SOCKET": path})
    supervisor.ready()
    supervisor.reloading()
    supervisor.stopping()
    supervisor.beat()
    assert systemd.recv(100) == b"READY=1"
    assert systemd.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
    assert systemd.recv(100) == b"STOPPING=1"
    systemd.setblocking(False)
    with pytest.raises(BlockingIOError):
        systemd.recv(100)


def test_the_watchdog_is_fed_by_beats_no_more_often_than_it_needs(
    listening: tuple[socket.socket, str],
) -> None:
    systemd, path = listening
    supervisor = Supervisor(
        {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}
    )
    supervisor.beat()
    supervisor.beat()
    supervisor.stopping()
    assert [systemd.recv(100), systemd.recv(100)] == [b"WATCHDOG=1", b"STOPPING=1"]


def test_another_process_s_watchdog_and_an_absent_supervisor_are_left_alone(
    listening: tuple[socket.socket, str], tmp_path: Path
) -> None:
    systemd, path = listening
    Supervisor({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}).beat()
    Supervisor({}).ready()
    Supervisor({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    systemd.setblocking(False)
    with pytest.raises(BlockingIOError):
        systemd.recv(100)


def test_an_abstract_address_is_understood() -> None:
    name = f"orchestrator-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0{name}")
        systemd.settimeout(5)
        Supervisor({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert systemd.recv(100) == b"READY=1"
