"""The border to solvers: linear programs by HiGHS. What they answer is checked by whoever asked."""

from unrelu.solvers._linear_program import LinearSolution, minimize

__all__ = ["LinearSolution", "minimize"]
