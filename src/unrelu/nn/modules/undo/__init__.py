"""How modules are undone, one by one, from the last to the first."""

from unrelu.nn.modules.undo._rules import RULES, Rule, has_statistics, rule_of, statistics_of
from unrelu.nn.modules.undo._step import Place, Step, Undone, steps_of

__all__ = [
    "RULES",
    "Place",
    "Rule",
    "Step",
    "Undone",
    "has_statistics",
    "rule_of",
    "statistics_of",
    "steps_of",
]
