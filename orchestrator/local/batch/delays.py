"""How long the service takes where the real one takes its time."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Delays:
    """Seconds. With 0 every state is still passed through, in order.

    Args:
        allocation: of virtual machines, from `resizing` to `steady`.
        node_creation: in `creating`.
        node_start: in `starting`.
        node_removal: in `leavingpool`.
        node_reboot: in `rebooting`.
        pool_deletion: in `deleting`, once the nodes are gone.
        job_disabling: in `disabling`, once no task runs.
        job_termination: in `terminating`, once no task runs and the release tasks are over.
        job_deletion: in `deleting`, likewise.
        task_start: from adding a task until an idle node may take it, at least.
        task_start_most: likewise, at most.
        empty_job: from a job's creation with `onAllTasksComplete: terminatejob` until it ends for want of
        tasks.
            The one that is not 0: recorded clients add the first task after such a job. Never scaled, since
            it waits for a client.
    """

    allocation: float = 0.0
    node_creation: float = 0.0
    node_start: float = 0.0
    node_removal: float = 0.0
    node_reboot: float = 0.0
    pool_deletion: float = 0.0
    job_disabling: float = 0.0
    job_termination: float = 0.0
    job_deletion: float = 0.0
    task_start: float = 0.0
    task_start_most: float = 0.0
    empty_job: float = 2.0

    def scaled(self, factor: float) -> Delays:
        """Make all of it shorter or longer.

        Args:
            factor: 1 changes nothing, 0.01 makes a minute 0.6 s.

        Returns:
            The new delays; `empty_job` stays.
        """
        names = [field.name for field in fields(self) if field.name != "empty_job"]
        return replace(self, **{name: getattr(self, name) * factor for name in names})


NO_DELAYS: Final = Delays()

LIVE_DELAYS: Final = Delays(
    # Recorded: a pool is steady after 50 s, its node starts 10 s later and is idle 10 s after that; a task is
    # running 0.6 to 2.5 s after it was added; an idle job ends within a second.
    allocation=50.0,
    node_creation=10.0,
    node_start=10.0,
    task_start=0.6,
    task_start_most=2.5,
    job_termination=1.0,
    # Known as "seconds" only: chosen.
    job_disabling=1.0,
    job_deletion=3.0,
    node_removal=5.0,
    node_reboot=20.0,
    pool_deletion=5.0,
)


class Profile(StrEnum):
    """Whose pace the service keeps."""

    INSTANT = "instant"
    """Nothing takes longer than it must."""
    LIVE = "live"
    """Everything takes as long as it was measured on the real service."""

    @property
    def delays(self) -> Delays:
        """What it means in seconds."""
        return LIVE_DELAYS if self is Profile.LIVE else NO_DELAYS


class Pace:
    """The delays that hold now; the scale may be changed while the service runs.

    Args:
        delays: at scale 1.
        scale: factor of all of them.

    Raises:
        ValueError: if the scale is negative or no number.
    """

    def __init__(self, delays: Delays, scale: float = 1.0) -> None:
        self._delays = delays
        self._draw = random.Random(0)  # noqa: S311  # not for secrets: a pause between two limits
        self.now = delays
        self.scale = 1.0
        self.set_scale(scale)

    def set_scale(self, scale: float) -> None:
        """Change the pace; what waits already goes on waiting.

        Args:
            scale: factor of all delays.

        Raises:
            ValueError: if it is negative or no number.
        """
        if not 0 <= scale < float("inf"):
            raise ValueError(f"a time scale is 0 or more, not {scale}")
        self.scale = scale
        self.now = self._delays.scaled(scale)

    def task_start(self) -> float:
        """Draw how long a task waits that was added just now."""
        now = self.now
        if not now.task_start_most:
            return now.task_start
        return self._draw.uniform(now.task_start, max(now.task_start, now.task_start_most))
