"""Near-duplicates: precision and recall of the gate on 1,000 made pairs with known truth.

    python -m tests.benchmarks.bench_duplicates [--each N]

Half of the pairs are one text twice, so precision is that of a set in which half are. Beside them,
how many pairs that reach the threshold by brute force hashing does not propose.
"""

import argparse
import time
from collections.abc import Sequence
from importlib.metadata import version
from itertools import combinations

from engine.statistics import wilson
from engine.synthesis.gates.likeness import SHINGLE, jaccard, normalise, shingles_of
from engine.worker.synthesis.near_duplicates import NearTexts
from tests.benchmarks.results import Outcome, Row, printed
from tests.worker.synthesis.made_duplicates import KINDS, MORE_KINDS, PairKind, draw_pairs, measure

EACH = 100
BRIEF = 10
THRESHOLD = 0.8


def bench(each: int = EACH) -> Outcome:
    """Measure so many pairs of each kind."""
    begin = time.perf_counter()
    found = measure(KINDS, each)
    seconds = time.perf_counter() - begin
    held = [(kind, found[kind.name]) for kind in KINDS]
    right = sum(count for kind, count in held if kind.is_same)
    wrong = sum(count for kind, count in held if not kind.is_same)
    same = each * sum(kind.is_same for kind in KINDS)
    pairs = each * len(KINDS)
    missed, near = count_missed(KINDS, each // 4)
    rows = [
        Row(f"{pairs:,} pairs of {len(KINDS)} kinds: precision", share(right, right + wrong),
            "at least 99%"),
        Row("the same: recall", share(right, same), "at least 97%"),
        *(row_of(kind, count, each) for kind, count in held),
        *(row_of(kind, measure([kind], each)[kind.name], each, is_beside=True)
          for kind in MORE_KINDS),
        Row(f"pairs from {THRESHOLD} on that hashing misses", f"{missed} of {near}",
            f"at most {near * 0.01:.0f}"),
        Row("time of a row, taken up and compared", f"{seconds / pairs * 1e3:.1f} ms"),
    ]  # fmt: skip
    return Outcome(
        rows,
        {
            "pairs of a kind": each,
            "threshold": THRESHOLD,
            "shingle": SHINGLE,
            "datasketch": version("datasketch"),
        },
    )


def row_of(kind: PairKind, count: int, each: int, *, is_beside: bool = False) -> Row:
    """Of a kind, how many second texts are held back; `is_beside`: it counts for nothing."""
    truth = "one text" if kind.is_same else "two texts"
    return Row(f"{kind.name} ({truth}{', beside' if is_beside else ''})", share(count, each))


def share(count: int, total: int) -> str:
    """With the 95% interval."""
    low, high = wilson(count, total)
    percent = f"{count / total * 100:.1f}%" if total else "none"
    return f"{percent} [{low * 100:.1f}, {high * 100:.1f}] of {total}"


def count_missed(kinds: Sequence[PairKind], each: int) -> tuple[int, int]:
    """Of all pairs of long texts that reach the threshold, how many are not found; and these."""
    texts = [
        text
        for kind in kinds
        for pair in draw_pairs(kind, each, seed=2)
        for text in (pair.first, pair.second)
        if not kind.name.startswith("short")
    ]
    sets = [shingles_of(normalise(text)) for text in texts]
    index = NearTexts(THRESHOLD)
    for at, text in enumerate(texts):
        index.add(str(at), text)
    found = [index.find(text) for text in texts]
    near = [
        (first, second)
        for first, second in combinations(range(len(texts)), 2)
        if jaccard(sets[first], sets[second]) >= THRESHOLD
    ]
    return sum(str(second) not in found[first] for first, second in near), len(near)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=EACH)
    print(printed(bench(parser.parse_args().each).rows))


if __name__ == "__main__":
    main()
