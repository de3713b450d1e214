"""The border to solvers: linear programs by HiGHS, quadratic ones by an interior point method.

What they answer is checked by whoever asked.
"""

from unrelu.solvers._interior_point import DiagonalProgram, InteriorSolution, interior_point
from unrelu.solvers._linear_program import LinearProgram, LinearSolution, minimize

__all__ = [
    "DiagonalProgram",
    "InteriorSolution",
    "LinearProgram",
    "LinearSolution",
    "interior_point",
    "minimize",
]
