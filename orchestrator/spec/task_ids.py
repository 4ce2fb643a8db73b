"""The ids of a factory's tasks: made from a template, and read back into the index that they are of."""

from __future__ import annotations

import re
from typing import Final

from orchestrator.spec.ids import INDEX_FORMAT, expand_run

_INDEX: Final = re.compile(rf"\{{index(?::({INDEX_FORMAT}))?\}}", re.ASCII)
_MOST_DIGITS: Final = 19


class TaskIds:
    """The ids of up to millions of tasks, none of which is kept.

    No two indexes give the same id: among ids of the same length the first `{index}` has the same width.

    Args:
        template: of the factory, with `{run}` and `{index}` in it.
        run_id: of the run.
    """

    def __init__(self, template: str, run_id: str) -> None:
        parts = _INDEX.split(expand_run(template, run_id))
        self._texts = parts[0::2]
        self._formats = [each or "" for each in parts[1::2]]

    def id(self, index: int) -> str:
        """The id of a task.

        Args:
            index: of the task.
        """
        made = self._texts[0]
        for spec, text in zip(self._formats, self._texts[1:], strict=True):
            made += format(index, spec) + text
        return made

    def index(self, task_id: str, *, ignore_case: bool = False) -> int | None:
        """The index whose id this is.

        Args:
            task_id: any text.
            ignore_case: whether the case counts for nothing, as it does where the service compares ids.

        Returns:
            The index; None where no index gives that id, and for a template without `{index}`, all of whose
            tasks have the same.
        """
        if not self._formats:
            return None
        begin = len(self._texts[0])
        if len(self._formats) == 1:
            return self._checked(task_id[begin : len(task_id) - len(self._texts[1])], task_id, ignore_case)
        width = int(self._formats[0].rstrip("d") or 0)
        for digits in range(max(width, 1), _MOST_DIGITS):
            found = self._checked(task_id[begin : begin + digits], task_id, ignore_case)
            if found is not None or begin + digits >= len(task_id):
                return found
        return None

    def _checked(self, text: str, task_id: str, ignore_case: bool) -> int | None:
        if not text.isdecimal() or len(text) > _MOST_DIGITS * len(self._formats):
            return None
        index = int(text)
        made = self.id(index)
        same = made == task_id or (ignore_case and made.lower() == task_id.lower())
        return index if same else None
