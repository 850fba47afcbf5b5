"""A tuned bundled model knows when to stop; the whole recipe is measured in the benchmarks."""

from pathlib import Path

from tests.benchmarks.bench_ending import BAR, BRIEF, measure


def test_greedy_answers_to_held_out_prompts_end_before_the_limit(root: Path) -> None:
    """Under a template whose end of a turn the base never saw."""
    few = ("training.max_steps=8", "data.limit=64", "data.template=chatml")
    ending = measure([*BRIEF, *few], 24, root)
    assert ending.answers == 24
    assert ending.share >= BAR
