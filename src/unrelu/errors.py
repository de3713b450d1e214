"""Everything unrelu raises or warns: one root, so that a caller can catch it whole."""


class UnreluError(Exception):
    """Root of all errors raised on purpose by unrelu."""


class ArgumentError(UnreluError, ValueError):
    """An argument has a wrong shape, dtype, range or content; the message names it and what was expected."""


class ModelError(UnreluError, ValueError):
    """A model cannot be read or is outside what unrelu understands; the message names the file or node."""


class DataError(UnreluError, ValueError):
    """A data source cannot be read or does not fit the model; the message names the file or array."""


class OutputError(UnreluError, OSError):
    """A result cannot be written where it was asked for."""


class MissingExtraError(UnreluError, ImportError):
    """An optional dependency is not installed; the message says which extra brings it."""


class NumericalWarning(UserWarning):
    """A figure is less accurate than usual."""
