"""How the importers quote the errors of other libraries."""


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its class."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip() if lines else type(error).__name__
