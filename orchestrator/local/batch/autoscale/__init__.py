"""The autoscale formula language: from a formula's text and what was sampled to targets, without I/O.

Source of facts: the Learn page "Create a formula to automatically scale compute nodes in a Batch pool"
("the autoscale page" below), the REST pages "Pool - Evaluate Auto Scale" and "Batch Status and Error
Codes", the page "Pool autoscale event", and recorded answers. Each file names what it takes from where,
and what is a guess.
"""

from orchestrator.local.batch.autoscale.errors import FormulaError, Position
from orchestrator.local.batch.autoscale.evaluation import Evaluation, check_syntax, evaluate
from orchestrator.local.batch.autoscale.samples import Metrics, SampleHistory
from orchestrator.local.batch.autoscale.variables import SAMPLED, Current

__all__ = [
    "SAMPLED",
    "Current",
    "Evaluation",
    "FormulaError",
    "Metrics",
    "Position",
    "SampleHistory",
    "check_syntax",
    "evaluate",
]
