"""The daemon's API inside of an aiohttp application of your own: `python embedded.py STATE_DIR`."""

from __future__ import annotations

import sys

from aiohttp import web

from orchestrator.daemon import DaemonConfig, setup_orchestrator


async def hello(_request: web.Request) -> web.Response:
    """Your own business."""
    return web.Response(text="The daemon is below /orchestrator.\n")


def make_app(state_dir: str) -> web.Application:
    """An application that also takes jobs, with the tokens in its state directory."""
    app = web.Application()
    app.router.add_get("/", hello)
    setup_orchestrator(app, DaemonConfig(state_dir=state_dir))
    return app


if __name__ == "__main__":
    web.run_app(make_app(sys.argv[1]), host="127.0.0.1", port=8643)
