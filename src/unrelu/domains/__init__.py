"""Where inputs live: sets of R^n (space, orthant, box, ball, sphere, shell, polytope), and noisy data."""

from unrelu.domains._base import Domain as Domain
from unrelu.domains._box import Box as Box
from unrelu.domains._parse import format_domain as format_domain
from unrelu.domains._parse import parse_domain as parse_domain
from unrelu.domains._polytope import Polytope as Polytope
from unrelu.domains._radial import Ball as Ball
from unrelu.domains._radial import Shell as Shell
from unrelu.domains._radial import Sphere as Sphere
from unrelu.domains._smoothed import Smoothed as Smoothed
from unrelu.domains._space import Orthant as Orthant
from unrelu.domains._space import Space as Space

__all__ = [
    "Ball",
    "Box",
    "Domain",
    "Orthant",
    "Polytope",
    "Shell",
    "Smoothed",
    "Space",
    "Sphere",
    "format_domain",
    "parse_domain",
]
