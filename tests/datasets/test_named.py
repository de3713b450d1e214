"""The named data sets: shapes, counts, order, digests, and what is said where something is missing."""

import gzip
import hashlib
import io
import sys
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unrelu import datasets
from unrelu.datasets import _cifar10, _files, _mnist
from unrelu.datasets._files import Published
from unrelu.errors import DataError, MissingExtraError


@pytest.fixture
def no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNRELU_DATA", raising=False)


def test_iris():
    iris = datasets.load("iris")
    assert iris.inputs.shape == (150, 4) and iris.inputs.dtype == np.float64
    assert iris.kind == "table" and iris.layout is None
    assert iris.class_names == ("setosa", "versicolor", "virginica")
    np.testing.assert_array_equal(iris.inputs[0], [5.1, 3.5, 1.4, 0.2])
    np.testing.assert_array_equal(np.bincount(iris.labels), [50, 50, 50])


def test_digits():
    digits = datasets.load("digits")
    assert digits.inputs.shape == (1797, 1, 8, 8)
    assert digits.kind == "image" and digits.layout == "CHW"
    assert digits.inputs.min() == 0 and digits.inputs.max() == 1
    np.testing.assert_array_equal(digits.inputs * 16, np.round(digits.inputs * 16))


@pytest.mark.parametrize(
    ("split", "counts", "first"),
    [
        ("test", [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009], [7, 2, 1, 0, 4]),
        ("train", [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949], [5, 0, 4, 1, 9]),
    ],
)
def test_mnist(data_folder: Path, split: str, counts: list[int], first: list[int]):
    mnist = datasets.load(f"mnist:{split}", folder=data_folder)
    assert mnist.inputs.shape == (sum(counts), 1, 28, 28) and mnist.inputs.dtype == np.float32
    assert mnist.inputs.min() == 0 and mnist.inputs.max() == 1
    np.testing.assert_array_equal(np.bincount(mnist.labels), counts)
    np.testing.assert_array_equal(mnist.labels[:5], first)
    assert len(mnist.class_names) == 10


def test_mnist_keeps_every_pixel(data_folder: Path):
    """The pixels, multiplied by 255 again, are the published bytes."""
    mnist = datasets.load("mnist:test", folder=data_folder)
    pixels = np.round(mnist.inputs * 255).astype(np.uint8)
    published = gzip.decompress((data_folder / "mnist" / "t10k-images-idx3-ubyte.gz").read_bytes())
    assert hashlib.md5(published).hexdigest() == "2646ac647ad5339dbf082846283269ea"
    assert published[16:] == pixels.tobytes()


def test_cifar10_test(data_folder: Path):
    cifar = datasets.load("cifar10:test", folder=data_folder)
    assert cifar.inputs.shape == (10_000, 3, 32, 32) and cifar.inputs.dtype == np.float32
    assert cifar.inputs.min() >= 0 and cifar.inputs.max() <= 1
    np.testing.assert_array_equal(np.bincount(cifar.labels), [1000] * 10)
    np.testing.assert_array_equal(cifar.labels[:20], [*range(10), *range(10)])
    assert cifar.class_names[6] == "frog"
    # sample 16 is the second image of class 6, channel first
    with tarfile.open(data_folder / "cifar10" / "cifar10-test.tar.xz") as archive:
        frog = Image.open(io.BytesIO(archive.extractfile("test/frog/0001.jpg").read()))
        np.testing.assert_array_equal(cifar.inputs[16] * 255, np.asarray(frog).transpose(2, 0, 1))


@pytest.mark.slow
def test_cifar10_train(data_folder: Path):
    cifar = datasets.load("cifar10:train", folder=data_folder)
    assert cifar.inputs.shape == (50_000, 3, 32, 32)
    np.testing.assert_array_equal(np.bincount(cifar.labels), [5000] * 10)


def test_folder_from_the_environment(data_folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("UNRELU_DATA", str(data_folder))
    assert len(datasets.load("mnist:test")) == 10_000


@pytest.mark.parametrize("name", ["mnist", "mnist:", "mnist:val", "mnist:train:test"])
def test_a_split_must_be_named(name: str):
    with pytest.raises(DataError, match=r"expected mnist:train or mnist:test"):
        datasets.load(name)


def test_no_split_where_there_is_none():
    with pytest.raises(DataError, match="iris:train: expected iris"):
        datasets.load("iris:train")


def test_a_folder_without_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(DataError, match="expected a subfolder 'mnist'"):
        datasets.load("mnist:test", folder=tmp_path)
    monkeypatch.setenv("UNRELU_DATA", str(tmp_path))
    with pytest.raises(DataError, match="given by UNRELU_DATA"):
        datasets.load("cifar10:test")


def test_a_subfolder_without_the_files(tmp_path: Path):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "cifar10").mkdir()
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz: cannot be read"):
        datasets.load("mnist:test", folder=tmp_path)
    with pytest.raises(DataError, match=r"cifar-10-binary\.tar\.gz or cifar10-test\.tar\.xz"):
        datasets.load("cifar10:test", folder=tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(b"something else"), "not the published file"),
        (gzip.compress(bytes(9_000_000)), "not the published file"),
        (gzip.compress(bytes(1000))[:-9], "gzip"),
        (b"no gzip at all", "gzip"),
        (b"", "not the published file"),
    ],
    ids=["other", "longer", "truncated", "text", "empty"],
)
def test_a_wrong_mnist_file(tmp_path: Path, content: bytes, message: str):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "t10k-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(DataError, match=rf"t10k-images-idx3-ubyte\.gz: .*{message}"):
        datasets.load("mnist:test", folder=tmp_path)


@pytest.mark.parametrize("name", ["cifar-10-binary.tar.gz", "cifar10-test.tar.xz"])
def test_a_wrong_cifar10_file(tmp_path: Path, name: str):
    (tmp_path / "cifar10").mkdir()
    (tmp_path / "cifar10" / name).write_bytes(b"something else")
    with pytest.raises(DataError, match=f"{name}: .*not the published file"):
        datasets.load("cifar10:test", folder=tmp_path)


def cifar_archive(path: Path, records: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in records.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def accept(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Let the loader take this file for the published one."""
    digest = "md5:" + hashlib.md5(path.read_bytes()).hexdigest()
    monkeypatch.setattr(_cifar10, "_BINARY", Published(path.name, path.as_uri(), digest))


def test_cifar10_binary_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator):
    """Five batches, stored out of order, come out in order, the red plane first."""
    labels = rng.integers(0, 10, 50_000, dtype=np.uint8)
    pixels = np.zeros((50_000, 3, 32, 32), dtype=np.uint8)
    pixels[:, 0, 0, 1], pixels[:, 2, 31, 31] = 255, labels
    records = np.concatenate([labels[:, None], pixels.reshape(50_000, -1)], axis=1)
    batches = {f"data_batch_{i + 1}.bin": part.tobytes() for i, part in enumerate(np.split(records, 5))}
    (tmp_path / "cifar10").mkdir()
    path = tmp_path / "cifar10" / "cifar-10-binary.tar.gz"
    cifar_archive(path, dict(reversed(batches.items())) | {"readme.html": b"text"})
    accept(monkeypatch, path)
    cifar = datasets.load("cifar10:train", folder=tmp_path)
    np.testing.assert_array_equal(cifar.labels, labels)
    np.testing.assert_array_equal(np.round(cifar.inputs[:, 2, 31, 31] * 255), labels)
    assert (cifar.inputs[:, 0, 0, 1] == 1).all() and cifar.inputs[:, 1].max() == 0


@pytest.mark.parametrize("records", [{}, {"test_batch.bin": b"short"}], ids=["missing", "short"])
def test_cifar10_binary_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, records: dict[str, bytes]
):
    (tmp_path / "cifar10").mkdir()
    path = cifar_archive(tmp_path / "cifar10" / "cifar-10-binary.tar.gz", records)
    accept(monkeypatch, path)
    with pytest.raises(DataError, match=r"expected test_batch\.bin with 30730000 bytes"):
        datasets.load("cifar10:test", folder=tmp_path)


@pytest.mark.parametrize("member", ["test/frog/1000.jpg", "test/newt/0000.jpg", "train/frog/0000.jpg", "x"])
def test_cifar10_foreign_member(member: str):
    with pytest.raises(DataError, match="expected members test/<class>/<index>"):
        _cifar10._position(Path("archive"), member, "test")


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which it can be downloaded."""
    root = tmp_path / "public"
    root.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=root)) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield root, f"http://127.0.0.1:{httpd.server_port}/"
        httpd.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import pooch

    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path / "cache" / "unrelu"


@pytest.mark.usefixtures("no_folder")
def test_download(data_folder: Path, server: tuple[Path, str], cache: Path, monkeypatch: pytest.MonkeyPatch):
    """Files are fetched once, kept, and fetched again when the kept copy is damaged."""
    root, address = server
    served = {}
    for name, file in _mnist._FILES.items():
        if name.startswith("t10k"):
            (root / name).write_bytes((data_folder / "mnist" / name).read_bytes())
            served[name] = Published(name, address + name, file.digest)
    monkeypatch.setattr(_mnist, "_FILES", served)
    assert len(datasets.load("mnist:test")) == 10_000
    kept = cache / "mnist" / "t10k-labels-idx1-ubyte.gz"
    kept.write_bytes(b"damaged")
    assert len(datasets.load("mnist:test")) == 10_000
    for name in served:
        (root / name).unlink()
    assert len(datasets.load("mnist:test")) == 10_000


@pytest.mark.usefixtures("no_folder", "cache")
def test_download_of_another_file(server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch):
    root, address = server
    (root / "cifar-10-binary.tar.gz").write_bytes(b"something else")
    file = _cifar10._BINARY
    monkeypatch.setattr(_cifar10, "_BINARY", Published(file.name, address + file.name, file.digest))
    with pytest.raises(DataError, match=r"cannot be downloaded .*put cifar-10-binary.* UNRELU_DATA"):
        datasets.load("cifar10:test")


@pytest.mark.usefixtures("no_folder", "cache")
def test_download_of_nothing(server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch):
    name = "t10k-images-idx3-ubyte.gz"
    monkeypatch.setattr(_mnist, "_FILES", {name: Published(name, server[1] + name, "md5:0")})
    with pytest.raises(DataError, match="404"):
        datasets.load("mnist:test")


@pytest.mark.usefixtures("no_folder")
def test_unwritable_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import pooch

    (tmp_path / "file").touch()
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "file" / project)
    with pytest.raises(DataError, match="cannot be downloaded"):
        datasets.load("mnist:test")


@pytest.mark.usefixtures("no_folder")
@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("iris", "sklearn.datasets"),
        ("digits", "sklearn.datasets"),
        ("mnist:test", "pooch"),
        ("cifar10:test", "pooch"),
    ],
)
def test_missing_extra(source: str, module: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'unrelu\[data\]'"):
        datasets.load(source)


def test_digest_of_a_file(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    _files.check_digest(path, "md5:900150983cd24fb0d6963f7d28e17f72")
    with pytest.raises(DataError, match="got 900150983cd24fb0d6963f7d28e17f72"):
        _files.check_digest(path, "md5:0")
    with pytest.raises(DataError, match="cannot be read"):
        _files.check_digest(tmp_path / "none", "md5:0")
