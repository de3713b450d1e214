import torch

from tests.layers.maps.linear_maps import check_linear, numbers
from unrelu.layers import Dense


def test_against_the_matrix():
    matrix = numbers(5, 4)
    check_linear(Dense(matrix), matrix)
    check_linear(Dense(matrix, (2, 2), (5, 1)), matrix)


def test_singular_matrices():
    zero_row, repeated = numbers(4, 3), numbers(4, 3)
    zero_row[1] = 0
    repeated[2] = repeated[0]
    for matrix in (zero_row, repeated, torch.zeros(3, 2, dtype=torch.float64), numbers(1, 1)):
        check_linear(Dense(matrix), matrix)


def test_dense_is_no_copy():
    matrix = numbers(3, 2)
    assert Dense(matrix).dense() is matrix
    assert not Dense(matrix).is_sparse
