"""Whose turn it is: higher priorities first, then submitters in turn, then the order of arrival. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator

from orchestrator.daemon.records import RunRecord


def in_line(waiting: Iterable[RunRecord], under_way: Iterable[RunRecord]) -> tuple[RunRecord, ...]:
    """The runs that wait, in the order in which they will begin if nothing else comes.

    Among runs of one priority the submitter with the fewest runs under way goes first, so that a thousand
    runs of one do not make another wait for all of them; at a tie, the one whose run came first.

    Args:
        waiting: in any order.
        under_way: those that have begun and not ended; each counts for its submitter.
    """
    return tuple(_order(waiting, under_way))


def _order(waiting: Iterable[RunRecord], under_way: Iterable[RunRecord]) -> Iterator[RunRecord]:
    busy = Counter(record.submitter for record in under_way)
    levels: dict[int, dict[str, deque[RunRecord]]] = defaultdict(lambda: defaultdict(deque))
    for record in sorted(waiting, key=lambda record: record.number):
        levels[record.priority][record.submitter].append(record)
    for priority in sorted(levels, reverse=True):
        lines = levels[priority]
        while lines:
            submitter = min(lines, key=lambda name: (busy[name], lines[name][0].number))
            yield lines[submitter].popleft()
            busy[submitter] += 1
            if not lines[submitter]:
                del lines[submitter]
