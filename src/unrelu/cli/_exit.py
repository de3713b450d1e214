"""Named exit codes of the command line."""

from enum import IntEnum


class Exit(IntEnum):
    """What the exit code of a command says."""

    OK = 0  # done; what was asked holds
    ERROR = 1  # bad model, data or output; one line on standard error says why
    USAGE = 2  # the command line itself is wrong
    REFUTED = 3  # what was asked does not hold
    UNDECIDED = 4  # neither proved nor refuted
    INTERRUPTED = 130  # Ctrl-C; what was written is marked partial
