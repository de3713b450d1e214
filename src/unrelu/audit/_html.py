"""The report of an audit: one HTML file that needs nothing else, for screen, phone and paper."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, TypeVar

from jinja2 import Environment, FunctionLoader, StrictUndefined

from unrelu._drawing import DARK, LIGHT
from unrelu.audit import _image_rows, _pictures, _words
from unrelu.audit._figures import CollisionExample, Example
from unrelu.audit._noise import NOISE
from unrelu.output import write_text

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Sequence

    from unrelu._drawing import Theme
    from unrelu.audit._pictures import Picture
    from unrelu.audit._result import AuditResult, LayerAudit

_E = TypeVar("_E", Example, CollisionExample)
_TESTS = {
    "structure": "the whole matrix has rank below n, so no sample can be given back",
    "count": "fewer than n rows are active; or n are, and any n rows are known to be independent",
    "rank": "the rank of the active rows, proved",
    "boundary": "undecided: rows whose pre-activation is exactly 0 make the difference",
    "precision": "undecided: the active rows are too close to dependent for the arithmetic spent on them",
}
_KINDS = {
    "singleton": "the sample is the only input with its output",
    "bounded": "a bounded set of inputs has the same output",
    "unbounded": "inputs arbitrarily far away have the same output",
    "undecided": "neither of these was proved",
}
_THEMES = (LIGHT, DARK)
_FILTERS = (
    "between",
    "clean",
    "number",
    "count",
    "percentage",
    "injective",
    "interval",
    "sizes",
    "rank",
    "standing",
    "verdict",
    "radius_scale",
    "reconstructed",
    "noisy",
    "samples_of",
)


@dataclass(frozen=True)
class _Image:
    """A picture in light and dark, as ``data:`` addresses."""

    light: str
    dark: str
    alt: str


@dataclass(frozen=True)
class _Section:
    """What the report shows of one layer."""

    layer: LayerAudit
    active: _Image
    kinds: _Image | None
    spectrum: _Image | None
    reconstructions: list[_Image]
    collisions: list[_Image]


def to_html(result: AuditResult, path: str | os.PathLike[str] | None = None, force: bool = False) -> str:
    """An audit as one self-contained HTML page, and in a file if one is named.

    The page loads nothing and runs nothing, and its own content security policy holds it to that. Whatever
    comes from the model or the data is escaped.

    Args:
        result: What the audit found.
        path: The file to write; ``None`` writes none.
        force: Whether a file that is there already may be replaced.

    Returns:
        The page.

    Raises:
        OutputError: The file cannot be written.
    """
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            result=result,
            headline=_words.headline(result),
            coverage=_words.coverage(result),
            overview=_overview(result),
            tests=_TESTS,
            kinds=_KINDS,
            noise=_words.percentage(NOISE),
            sections=[_section(layer) for layer in result.layers],
        )
    )
    if path is not None:
        write_text(path, page, force=force)
    return page


def _environment() -> Environment:
    """Templates from the package, everything escaped, a forgotten name an error."""
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {name: getattr(_words, name) for name in _FILTERS}
    return environment


def _template(name: str) -> str:
    return (files(__package__) / "templates" / name).read_text(encoding="utf-8")


def _section(layer: LayerAudit) -> _Section:
    active = (_pictures.active_rows(layer, theme) for theme in _THEMES)
    kinds, spectrum = layer.preimages, layer.spectrum
    return _Section(
        layer,
        _image(active),
        _image(_pictures.preimage_kinds(layer, kinds, theme) for theme in _THEMES) if kinds else None,
        _image(_pictures.singular_values(layer, spectrum, theme) for theme in _THEMES) if spectrum else None,
        _columns(layer.name, layer.examples, _image_rows.reconstructions),
        _columns(layer.name, layer.collisions, _image_rows.collisions),
    )


def _columns(
    name: str, examples: Sequence[_E], draw: Callable[[str, list[_E], Theme], Picture]
) -> list[_Image]:
    """Draw the examples that are images, in two columns."""
    shown = [example for example in examples if _image_rows.drawable(example.original)]
    middle = -(-len(shown) // 2)
    columns = [part for part in (shown[:middle], shown[middle:]) if part]
    return [_image(draw(name, part, theme) for theme in _THEMES) for part in columns]


def _overview(result: AuditResult) -> _Image | None:
    if not result.layers:
        return None
    return _image(_pictures.overview(result.layers, theme) for theme in _THEMES)


def _image(pictures: Iterable[Picture]) -> _Image:
    """A picture's light and dark variant as the page needs them."""
    light, dark = pictures
    return _Image(light.uri(), dark.uri(), light.alt)
