"""Domains as the command line writes them, such as ``box:0,1``."""

from __future__ import annotations

from collections.abc import Callable

from unrelu.domains._base import Domain
from unrelu.domains._box import Box
from unrelu.domains._radial import Ball, Sphere
from unrelu.domains._space import Orthant, Space
from unrelu.errors import ArgumentError

# name: (form shown in errors, number of figures, constructor)
_FORMS: dict[str, tuple[str, int, Callable[..., Domain]]] = {
    "space": ("space", 0, Space),
    "orthant": ("orthant", 0, Orthant),
    "box": ("box:LO,HI", 2, Box),
    "ball": ("ball:RADIUS", 1, lambda radius: Ball(0.0, radius)),
    "sphere": ("sphere:RADIUS", 1, Sphere),
}


def parse_domain(text: str) -> Domain:
    """The domain that a short text names.

    Args:
        text: ``space``, ``orthant``, ``box:LO,HI`` (bounds may be ``-inf`` and ``inf``), ``ball:RADIUS`` or
            ``sphere:RADIUS``; balls and spheres are centered at the origin.

    Returns:
        A domain that fits every dimension.

    Raises:
        ArgumentError: The text has none of these forms, or figures that the domain refuses.

    Example:
        >>> parse_domain("box:0,1")
        Box(lo=0.0, hi=1.0)
    """
    name, colon, rest = text.strip().partition(":")
    form = _FORMS.get(name.strip().lower())
    parts = rest.split(",") if colon else []
    if form is None or len(parts) != form[1]:
        raise _unreadable(text)
    try:
        figures = [float(part) for part in parts]
    except ValueError:
        raise _unreadable(text) from None
    try:
        return form[2](*figures)
    except ArgumentError as error:
        raise ArgumentError(f"domain {text!r}: {error}") from None


def format_domain(domain: Domain) -> str:
    """The text from which `parse_domain` makes this domain again.

    Raises:
        ArgumentError: It has no short form: vectors as parameters, another center, a shell or polytope.

    Example:
        >>> format_domain(Ball(0.0, 0.5))
        'ball:0.5'
    """
    match domain:
        case Box():
            text = f"box:{domain.lo!r},{domain.hi!r}"
        case Ball() | Sphere():
            text = f"{type(domain).__name__.lower()}:{domain.radius!r}"
        case _:
            text = type(domain).__name__.lower()
    try:
        faithful = parse_domain(text) == domain
    except ArgumentError:
        faithful = False
    if not faithful:
        raise ArgumentError(f"domain: expected one that can be written as {_accepted()}, got {domain!r}")
    return text


def _accepted() -> str:
    return ", ".join(form for form, _, _ in _FORMS.values())


def _unreadable(text: str) -> ArgumentError:
    return ArgumentError(f"domain {text!r}: expected one of {_accepted()}")
