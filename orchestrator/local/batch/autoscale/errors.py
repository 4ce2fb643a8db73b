"""What is wrong with a formula, in the service's words where they are known.

Source of facts: the recorded answer to a formula with an unknown name (code, message, `values` and the
"Line 1, Col 1: Undefined symbol: …" in it); the page "Pool autoscale event" (InsufficientSampleData);
the REST page "Batch Status and Error Codes" (the two codes that refuse a request). The sentences after
"Line …, Col …: " are the service's for an undefined symbol and for missing samples, and our own for
everything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

EVALUATION_ERROR: Final = "AutoScalingFormulaEvaluationError"
INSUFFICIENT_SAMPLES: Final = "InsufficientSampleData"
SYNTAX_ERROR: Final = "AutoScalingFormulaSyntaxError"
TOO_LONG: Final = "AutoScalingFormulaTooLong"

_MESSAGES: Final = {
    EVALUATION_ERROR: "The specified auto-scaling formula has evaluation error",
    INSUFFICIENT_SAMPLES: "Autoscale evaluation failed due to insufficient sample data",
    SYNTAX_ERROR: "The specified auto-scaling formula has a syntax error.",
    TOO_LONG: "The specified auto-scaling formula exceeds lengths limit.",
}


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a formula.

    Args:
        line: from 1.
        column: from 1, in characters.
    """

    line: int
    column: int

    def __str__(self) -> str:
        return f"Line {self.line}, Col {self.column}"


class FormulaError(Exception):
    """The formula can't be used; `values` say where and why.

    Args:
        code: one of the four above.
        reason: what is wrong, without the place.
        position: where, or None when it is about the whole formula.

    Attributes:
        code: as given.
        message: the service's sentence for the code.
        values: pairs of name and value; the only name in use is `Message` (recorded).
        position: as given.
    """

    def __init__(self, code: str, reason: str, position: Position | None = None) -> None:
        text = reason if position is None else f"{position}: {reason}"
        super().__init__(text)
        self.code: Final = code
        self.message: Final = _MESSAGES[code]
        self.values: Final = (("Message", text),)
        self.position: Final = position

    def body(self) -> dict[str, Any]:
        """Write it as an AutoScaleRun does: its values have a name, where those of an answer have a key.

        Returns:
            The JSON members `code`, `message` and `values`.
        """
        values = [{"name": name, "value": value} for name, value in self.values]
        return {"code": self.code, "message": self.message, "values": values}


class CannotEvaluateError(Exception):
    """A value can't be computed; whoever knows the place in the formula adds it."""

    code = EVALUATION_ERROR

    def at(self, position: Position) -> FormulaError:
        """Add the place.

        Args:
            position: of the operator, the call or the name.

        Returns:
            The error to raise.
        """
        return FormulaError(self.code, str(self), position)


class MissingSamplesError(CannotEvaluateError):
    """Fewer samples are there than the formula wants."""

    code = INSUFFICIENT_SAMPLES


def undefined(name: str) -> CannotEvaluateError:
    """Report a name that nothing has.

    Args:
        name: with its dollar sign, if it has one.

    Returns:
        The error to raise.
    """
    return CannotEvaluateError(f"Undefined symbol: {name}")


def insufficient_samples(name: str, wanted: float, received: float) -> MissingSamplesError:
    """Report that the data set has too few samples in the time asked for.

    Args:
        name: of the variable.
        wanted: percent.
        received: percent.

    Returns:
        The error to raise.
    """
    return MissingSamplesError(
        f"Insufficient data from data set: {name} wanted {wanted:.6g}%, received {received:.6g}%"
    )
