import pytest

from unrelu.layers._converters import Converters


def twice(x):
    return 2 * x


def test_converters_are_found_by_operator():
    table = Converters()
    assert table.register("Double", "Twice")(twice) is twice
    assert dict(table) == {"Double": twice, "Twice": twice}
    assert table.get("Half") is None


def test_no_operator_has_two_converters():
    table = Converters()
    table.register("Double")(twice)
    with pytest.raises(ValueError, match="'Double' has a converter already"):
        table.register("Double")(twice)


def test_tables_are_merged():
    first, second = Converters(), Converters()
    first.register("Double")(twice)
    second.register("Twice")(twice)
    assert set(Converters(first, second)) == {"Double", "Twice"}
    with pytest.raises(ValueError, match="'Double' has a converter already"):
        Converters(first, second, first)
