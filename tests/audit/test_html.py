"""The report: complete, self-contained, well formed, and deaf to what names try."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from tests.audit import factory
from unrelu.audit._html import to_html
from unrelu.errors import OutputError

VOID = {"meta", "img", "source", "br", "link"}


class Reader(HTMLParser):
    """Collects elements, checks that they nest, and gathers the text."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


@pytest.fixture(scope="module", params=factory.CASES)
def report(request):
    page = to_html(factory.CASES[request.param]())
    return request.param, page, read(page)


def test_nothing_is_loaded_or_run(report):
    _, page, reader = report
    addresses = [entry.get(name) for _, entry in reader.elements for name in ("src", "srcset", "href")]
    assert all(address.startswith(("data:image/svg+xml;base64,", "#")) for address in addresses if address)
    assert not reader.all("script") and not reader.all("link") and not reader.all("iframe")
    assert not [name for _, entry in reader.elements for name in entry if name.startswith("on")]
    assert "@import" not in page and "url(" not in page


def test_structure_serves_screen_readers(report):
    *_, reader = report
    assert len(reader.all("h1")) == len(reader.all("main")) == 1
    assert reader.all("html")[0]["lang"] == "en"
    assert len(reader.all("caption")) == len(reader.all("table"))
    assert all(header.get("scope") in {"col", "row"} for header in reader.all("th"))
    assert all(image["alt"] for image in reader.all("img"))
    names = [entry["id"] for _, entry in reader.elements if "id" in entry]
    assert len(names) == len(set(names))
    assert {entry["aria-labelledby"] for entry in reader.all("section")} <= set(names)
    assert not re.search(r"\bnan\b|None|Undefined", "".join(reader.text))


def test_names_are_text_everywhere():
    page = to_html(factory.hostile())
    reader = read(page)
    assert "<script" not in page.lower()
    assert "alert(1)" in "".join(reader.text)
    assert "49" not in re.findall(r"\[red\](.{8})", "".join(reader.text))
    assert "\x1b" not in page and "\u202e" not in page
    for address in [image["src"] for image in reader.all("img")]:
        drawing = base64.b64decode(address.split(",")[1]).decode()
        assert "<script" not in drawing.lower()
    page.encode("utf-8")


def test_says_what_was_found():
    reader = read(to_html(factory.realistic()))
    text = " ".join("".join(reader.text).split())
    for expected in (
        "models/mnist-classifier.onnx",
        "on mnist:test: 500 samples of shape 1 × 28 × 28",
        "features.conv1 loses 5.2 % of the samples (26 of 498); 2 samples are undecided.",
        "fc1 gives back every one of the 500 samples.",
        "fc2 loses every one of the 500 samples",
        "every input closer to the sample than this Euclidean distance has a singleton preimage",
        "by count",
        "by rank",
        "max pooling is not affine",
        "2.13.0",
        "arXiv:1806.09730",
        "12.3 s",
        "Repeated rows were found",
        "upper Lipschitz constant3.1–3.4",
        "lower Lipschitz constant0.02–0.04",
        "searched for a short time only",
        "different inputs have the same output",
        "relative error under noise",
        "normal noise of 1 % of their root mean square; over 200 samples",
        "along all 784 entries of the model’s input",
        "Medians over 4 samples, evenly spread.",
    ):
        assert expected in text
    assert "PARTIAL" not in text
    # Overview, active rows, examples, kinds, collisions, singular values.
    assert len(reader.all("img")) == 1 + 3 + 2 + 1 + 2 + 2


def test_says_over_how_many_samples_errors_are():
    layers = (factory.layer("a", reconstructed=100), factory.layer("b"))
    text = " ".join("".join(read(to_html(factory.realistic(layers=layers))).text).split())
    assert "Error and condition number: over 100 to 500 of the samples, evenly spread." in text
    assert text.count("Over 500 samples; error and condition number: over 100 of the samples") == 1
    assert "of the samples, evenly spread" not in to_html(factory.realistic())


def test_the_radius_has_a_scale():
    text = " ".join("".join(read(to_html(factory.realistic())).text).split())
    assert "0.025 × ‖x‖" in text
    assert "its median is 0.025 times the median norm" in text
    assert "‖x‖: Euclidean" not in text and "norm of the input, ‖x‖" in text


def test_an_interrupted_audit_says_so():
    text = " ".join("".join(read(to_html(factory.realistic(partial=True, samples=900))).text).split())
    assert "PARTIAL: the audit was interrupted; the figures cover 500 of 900 samples." in text


def test_the_same_audit_gives_the_same_page():
    assert to_html(factory.realistic()) == to_html(factory.realistic())


def test_writes_a_file_once(tmp_path):
    path = tmp_path / "report.html"
    page = to_html(factory.single(), path)
    assert path.read_text(encoding="utf-8") == page
    with pytest.raises(OutputError, match="--force"):
        to_html(factory.single(), path)


@pytest.mark.parametrize(("count", "pictures"), [(0, 0), (1, 1), (2, 2), (5, 2)])
def test_reconstructions_in_two_columns(count, pictures):
    layer = factory.layer(examples=factory.examples(count=count))
    reader = read(to_html(factory.realistic(layers=(layer,))))
    told = [image["alt"] for image in reader.all("img")][2:]
    assert len(told) == pictures
    assert sum(alt.count("relative error") for alt in told) == count


def test_preimages_and_collisions():
    layers = (factory.layer(preimages=factory.preimages(), collisions=factory.collisions(count=3)),)
    page = to_html(factory.realistic(layers=layers))
    told = [image["alt"] for image in read(page).all("img")][2:]
    assert [alt.split()[0] for alt in told] == ["Histogram", "Samples,", "Samples,"]
    assert sum(alt.count("outputs differ") for alt in told) == 3
    assert "a bounded set of inputs has the same output" in page
    assert "neither of these was proved" not in page  # of a kind that no sample has
    assert "What shares an output" not in to_html(factory.realistic(layers=(factory.layer(),)))


def test_singular_values():
    page = to_html(factory.realistic(layers=(factory.layer(spectrum=factory.spectrum(60, 0)),)))
    reader = read(page)
    assert reader.all("img")[2]["alt"].endswith("after the ReLU all are 0.")
    text = " ".join("".join(reader.text).split())
    assert "rank60 0" in text.replace("\n", " ") or "rank600" in text
    assert "largest9.87–" in text and "condition number1,000–" in text
    assert "From the data up to here" not in to_html(factory.realistic(layers=(factory.layer(),)))


def test_what_is_no_image_is_left_out():
    example = replace(factory.examples(count=1)[0], original=np.zeros(9), reconstruction=np.zeros(9))
    page = to_html(factory.realistic(layers=(factory.layer(examples=(example,)),)))
    assert "What the output gives back" not in page
