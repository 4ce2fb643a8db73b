"""What happens when a subscriber is slower than the events."""

from __future__ import annotations

import enum


class Policy(enum.Enum):
    """What a full backlog does. A backlog is full at `Limits.subscription_queue` events.

    Attributes:
        WAIT: publishing waits until there is room again. For built-in handlers only, because their graph of
            consumed and produced events has no cycle; users' code can't promise that.
        SPILL: publishing never waits and nothing is lost. What is more than a full backlog is read back from
            the journal when its turn comes; on a bus without one it stays in memory.
        COALESCE: only the latest event of each class and subject (task, node, pool, job) is kept, and the
            oldest is dropped when there are too many subjects; `Subscription.dropped` counts both kinds.
        DISCONNECT: the subscription is closed, and `Subscription.reason` says so; what it holds can still be
            read.
    """

    WAIT = "wait"
    SPILL = "spill"
    COALESCE = "coalesce"
    DISCONNECT = "disconnect"
