"""The ONNX operators that are affine, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from unrelu.certificates.onnx._arithmetic import ARITHMETIC
from unrelu.certificates.onnx._model import Node
from unrelu.certificates.onnx._operators import OPERATORS, Operand
from unrelu.certificates.onnx._parts import PARTS
from unrelu.errors import ModelError

T = TypeVar("T")

AFFINE = OPERATORS | PARTS | ARITHMETIC


def applied(node: Node, operands: list[Operand | None]) -> Operand:
    """Return what an affine operator makes of its inputs.

    Raises:
        ModelError: If the operator, an option or an input is not understood.
    """
    if node.operator not in AFFINE:
        raise node.refuse("the operator is not read here")
    return guarded(AFFINE[node.operator], node, operands)


def is_affine(node: Node, operands: list[Operand | None]) -> bool:
    """Say whether an operator is affine in those of its inputs that depend on the model's input."""
    if node.operator == "Div":
        return isinstance(operands[-1], np.ndarray)
    several = node.operator == "Mul" and not any(isinstance(v, np.ndarray) for v in operands)
    return node.operator in AFFINE and not several


def guarded(
    operator: Callable[[Node, list[Operand | None]], T], node: Node, operands: list[Operand | None]
) -> T:
    """Return what an operator returns, with its node's name in every error.

    Raises:
        ModelError: If an option or an input is not understood.
    """
    try:
        return operator(node, operands)
    except ModelError:
        raise
    except (ArithmeticError, IndexError, TypeError, ValueError) as error:
        raise node.refuse(f"inputs or options do not fit each other: {error}") from None
