"""Krippendorff's alpha against published and reference numbers, and its interval's coverage."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.judge.krippendorff import alpha, interval

PUBLISHED = ("1 2 3 3 2 1 4 1 2 . . .", "1 2 3 3 2 2 4 1 2 5 . 3", ". 3 3 3 2 3 4 2 2 5 1 .",
             "1 2 3 3 2 4 4 1 2 5 1 .")  # fmt: skip
"""Krippendorff 2011, section C: four observers, twelve units, missing values."""


def units_of(rows: tuple[str, ...]) -> list[list[str]]:
    cells = [row.split() for row in rows]
    return [[one for one in unit if one != "."] for unit in zip(*cells, strict=True)]


def test_the_published_example_with_missing_values() -> None:
    assert alpha(units_of(PUBLISHED)) == pytest.approx(0.743, abs=5e-4)
    assert alpha(units_of(PUBLISHED)) == pytest.approx(0.743421052631579, abs=1e-12)


def made(seed: int, labels: int, coders: int, count: int) -> list[list[str]]:
    """Units of coders who are right 6 times in 10, a quarter of the values missing."""
    random = Random(seed)
    units: list[list[str]] = []
    for _ in range(count):
        right = random.randrange(labels)
        row = [random.randrange(labels) if random.random() > 0.6 else right for _ in range(coders)]
        units.append([str(one) for one in row if random.random() > 0.25])
    return units


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((1, 2, 2, 10), 0.05714285714285705),
        ((2, 3, 2, 40), 0.23299319727891143),
        ((3, 3, 3, 25), 0.14993804213135065),
        ((4, 5, 4, 60), 0.31198830409356737),
        ((5, 4, 5, 30), 0.3379909084134436),
    ],
)
def test_equal_to_the_package_krippendorff(
    given: tuple[int, int, int, int], expected: float
) -> None:
    """Computed by krippendorff 0.9.0; 596 random matrices agreed to 4e-16 by hand."""
    assert alpha(made(*given)) == pytest.approx(expected, abs=1e-12)


def test_perfect_chance_and_opposite() -> None:
    assert alpha([["a", "a"], ["b", "b"]]) == 1
    assert alpha([["a", "b"], ["b", "a"]]) == pytest.approx(-0.5)
    assert alpha([["a", "a"], ["a", "a"]]) is None, "nothing was expected to differ"
    assert alpha([["a"], ["b"], []]) is None
    assert alpha([]) is None


@given(st.lists(st.lists(st.sampled_from("ABt"), max_size=4), max_size=20), st.randoms())
def test_neither_the_order_of_units_nor_of_coders_counts(
    units: list[list[str]], random: Random
) -> None:
    turned = [random.sample(unit, len(unit)) for unit in random.sample(units, len(units))]
    names = {"A": "x", "B": "y", "t": "z"}
    renamed = [[names[one] for one in unit] for unit in turned]
    before, after = alpha(units), alpha(renamed)
    assert (before is None) == (after is None)
    if before is not None:
        assert after == pytest.approx(before)
        assert before <= 1


def test_the_interval_covers_what_the_population_has() -> None:
    random = Random(5)

    def draw(count: int) -> list[list[str]]:
        units = []
        for _ in range(count):
            right = random.choices("ABt", (0.5, 0.3, 0.2))[0]
            units.append([right if random.random() < 0.8 else random.choice("ABt")
                          for _ in range(2)])  # fmt: skip
        return units

    truth = alpha(draw(40_000))
    assert truth is not None
    covered = 0
    for _ in range(200):
        bounds = interval(draw(60))
        assert bounds is not None
        covered += bounds[0] <= truth <= bounds[1]
    assert 0.90 <= covered / 200 <= 0.99


def test_groups_are_resampled_whole() -> None:
    units = made(7, 3, 2, 40)
    copies = [unit for unit in units for _ in range(5)]
    alone, together = interval(units), interval(copies, [at // 5 for at in range(200)])
    apart = interval(copies)
    assert alone is not None
    assert together is not None
    assert apart is not None
    # Copies say nothing new: as wide as without them, where taken for new ones they halve it.
    assert together[1] - together[0] == pytest.approx(alone[1] - alone[0], abs=0.06)
    assert apart[1] - apart[0] < 0.6 * (alone[1] - alone[0])


def test_no_interval_of_what_does_not_vary() -> None:
    assert interval([["a", "a"]] * 30 + [["b", "b"]] * 30) is None
    assert interval([["a", "a"]] * 30) is None
    assert interval([]) is None
