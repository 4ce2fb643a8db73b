from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.daemon.daemons import Daemon
from tests.acceptance.program import Running
from tests.page.install import find_chromium
from tests.page.window import Window, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ARGUMENTS = (
    "--no-sandbox",  # refused to root with one; the page comes from this machine
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, without a screen."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - see tests/page/window.py

    path = find_chromium()
    assert path is not None, "there is no Chromium: make test-page installs it"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def env_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The settings of a local service."""
    home = tmp_path_factory.mktemp("service")
    settings = home / "settings.env"
    with Running("local", "--state-dir", home / "state", "--env-file", settings, home=home) as service:
        assert service.line() == "ready"
        yield settings
        service.signal(signal.SIGTERM)
        assert service.end()[0] == 0


def make_daemon(home: Path, env_file: Path) -> Daemon:
    """One that soon says why nothing moves, and has the same address after a restart."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    daemon = Daemon(home, env_file, f"[listen]\nport = {port}\n")
    config = home / "daemon.toml"
    quick = "[limits]\nstall_after = 1.0\nstall_interval = 0.5\n"
    config.write_text(config.read_text().replace("[limits]\n", quick))
    return daemon


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory, env_file: Path) -> Iterator[Daemon]:
    """A daemon that runs."""
    with make_daemon(tmp_path_factory.mktemp("daemon"), env_file) as running:
        yield running


@pytest.fixture
def open_window(browser: Browser) -> Iterator[Callable[..., Window]]:
    """Opens windows, each of which must have nothing to complain of at its end."""
    with ExitStack() as stack:
        yield lambda daemon, **options: stack.enter_context(opened(browser, daemon, **options))


@pytest.fixture
def window(daemon: Daemon, open_window: Callable[..., Window]) -> Window:
    """A window on the daemon, not logged in."""
    return open_window(daemon)
