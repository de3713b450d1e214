"""Memory of a convolution that would not fit as a matrix many times over."""

import subprocess
import sys

import pytest

PROGRAM = """
import re
import numpy as np, torch
from unrelu import ReLULayer, analyse_points, invert
from torch import nn

torch.manual_seed(0)
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
small = ReLULayer.from_module(nn.Conv2d(1, 4, 3), (1, 24, 24))
x = np.random.default_rng(0).uniform(0, 1, (4, 3 * 32 * 32))
invert(small, small.apply(x[:, :576]))
analyse_points(small, x[:, :576])
before = peak()
module = nn.Conv2d(3, 32, 3, padding=1)
for shift in (0.0, -0.6):  # enough active rows, and too few
    module.bias.data += shift
    layer = ReLULayer.from_module(module, (3, 32, 32))
    points = analyse_points(layer, x, n_jobs=2)
    result = invert(layer, layer.apply(x), n_jobs=2)
    assert (result.unique == (points.singleton == 1)).all()
    print(points.singleton.tolist(), points.rank_certified.all())
print(before, peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_convolution_is_analysed_in_bounded_memory():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    first, second, growth = done.stdout.splitlines()
    assert first == "[1, 1, 1, 1] True"
    assert second == "[0, 0, 0, 0] True"
    assert int(growth.split()[1]) < 1 << 20  # KiB; the matrix itself would take 0.8 GiB
