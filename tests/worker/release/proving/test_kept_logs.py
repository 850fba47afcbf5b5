"""Distributions that are kept on disk, and the numbers of two of them."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.worker.release.proving.answer_checks import (
    judge_greedy,
    judge_long,
    judge_rows,
)
from engine.worker.release.proving.kept_logs import (
    RowComparison,
    compare,
    compare_parts,
    distributions,
    keep,
)
from engine.worker.release.proving.long_prompts import (
    PLACES,
    Boundary,
    LongRow,
    LongRows,
    choose_long_rows,
    find_boundaries,
)
from engine.worker.release.proving.proof_rows import MOST_PLACES, ProofRow, choose_rows
from engine.worker.release.proving.proof_spec import ProofSpec
from engine.worker.release.proving.reference import RunReference
from engine.worker.release.proving.type_noise import FLOOR, USUAL
from tests.worker.release.made_exports import write_held_out
from tests.worker.tiny import make_model, make_tokenizer

ROWS = [ProofRow((5, 9, 30, 7, 80), (2, 4)), ProofRow((8, 8, 41), (1, 2))]


def nothing(done: int, total: int) -> None:
    """Of how far it is."""


@pytest.fixture(scope="module")
def model() -> Any:
    return make_model()


def test_distributions_are_those_of_the_places_before(model: Any) -> None:
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ROWS[0].ids])).logits[0]
    (first, second) = distributions(model, ROWS, nothing)
    expected = torch.log_softmax(logits[[1, 3]], -1)
    assert first.shape == (2, 300)
    assert second.shape == (2, 300)
    torch.testing.assert_close(first, expected, atol=1e-5, rtol=1e-5)


def test_a_divergence_is_exact_over_the_vocabulary(model: Any, tmp_path: Path) -> None:
    other = make_model(seed=1)
    file = tmp_path / "kept"
    keep(model, ROWS, file, nothing)
    assert file.stat().st_size == 4 * 4 * 300
    assert sum(one.divergence for one in compare(model, ROWS, file, nothing)) == pytest.approx(0)

    found = compare(other, ROWS, file, nothing)

    halves = [part for parts in compare_parts(other, ROWS, [1, 2], file, nothing) for part in parts]
    assert [one.places for one in halves] == [1, 1, 2]
    assert halves[0].divergence + halves[1].divergence == pytest.approx(found[0].divergence)
    assert halves[2].divergence == found[1].divergence

    p, q = (
        np.concatenate([one.double().numpy() for one in distributions(each, ROWS, nothing)])
        for each in (model, other)
    )
    by_hand = (np.exp(p) * (p - q)).sum(-1)
    assert [one.divergence for one in found] == pytest.approx(
        [by_hand[:2].sum(), by_hand[2:].sum()]
    )
    assert found[0].nll == pytest.approx(-(q[0, 30] + q[1, 80]), rel=1e-5)
    assert found[0].reference_nll == pytest.approx(-(p[0, 30] + p[1, 80]), rel=1e-5)
    top = np.sort(p, -1)
    differing = [d for one in found for d in one.disagreements]
    expected = [at for at in range(4) if p[at].argmax() != q[at].argmax()]
    assert [(d.row, d.place) for d in differing] == [
        [(0, 2), (0, 4), (1, 1), (1, 2)][at] for at in expected
    ]
    assert [d.margin for d in differing] == pytest.approx(
        [top[at, -1] - top[at, -2] for at in expected], rel=1e-4
    )


def compared(divergence: float, places: int = 10) -> RowComparison:
    return RowComparison(places, divergence * places, 5.0, 5.0, (), 0.0, finite=True)


def test_intervals_are_by_rows_and_weigh_tokens() -> None:
    """Student's t with a standard error by rows: of 0.1, 0.2, 0.3 it is 0.1 / sqrt(3)."""
    rows = [compared(0.1), compared(0.2), compared(0.3)]
    facts = judge_rows("x", rows, FLOOR, "q4_k_m", exact=False).facts
    reach = 4.302653 * 0.1 / math.sqrt(3)
    assert facts["divergence"] == pytest.approx(0.2)
    assert facts["divergence interval"] == pytest.approx([max(0.0, 0.2 - reach), 0.2 + reach])
    uneven = [compared(0.1, 30), compared(0.5, 10)]
    heavy = judge_rows("x", uneven, FLOOR, "q4_k_m", exact=False).facts
    assert heavy["divergence"] == pytest.approx((0.1 * 30 + 0.5 * 10) / 40)


@pytest.mark.parametrize(
    ("divergence", "dtype", "exact", "status"),
    [
        (5e-7, "float32", True, "passed"),
        (5e-6, "float32", True, "failed"),
        (0.01, "bfloat16", True, "passed"),
        (0.05, "bfloat16", True, "failed"),
        (0.05, "q8_0", False, "stated"),
        (0.2, "q8_0", False, "failed"),
        (0.5, "q4_k_m", False, "stated"),
        (3.0, "q4_k_m", False, "failed"),
    ],
)
def test_a_divergence_has_a_limit_in_each_type(
    divergence: float, dtype: str, exact: bool, status: str
) -> None:
    found = [compared(divergence), compared(divergence)]
    check = judge_rows("x", found, USUAL.get(dtype, FLOOR), dtype, exact=exact)
    assert check.status == status
    assert bool(check.differences) == (status == "failed")


def test_the_untouched_base_stays_within_the_tolerance_of_each_type(tmp_path: Path) -> None:
    """The tolerances are twice what the bundled model's own rounding moves a margin by."""
    from engine.bundled import BASE
    from engine.worker.model import loading

    tokenizer = loading.load_tokenizer(BASE)
    base = loading.load_base(BASE, torch.device("cpu"), torch.float32)
    spec = spec_with(None, rows=6)
    rows = choose_rows(spec, tokenizer, 512, loading.count_embeddings(base)).rows
    keep(base, rows, tmp_path / "kept", nothing)
    for name, least in (("float16", 0.005), ("bfloat16", 0.05)):
        rounded = loading.load_base(BASE, torch.device("cpu"), getattr(torch, name))
        found = compare(rounded, rows, tmp_path / "kept", nothing)
        noise = max(one.largest_noise for one in found)
        assert least < noise <= USUAL[name].margin
        assert judge_rows("x", found, USUAL[name], name, exact=True).status == "passed"


def spec_with(held_out: Path | None, rows: int, prompts: int = 4) -> ProofSpec:
    at = Path("nowhere")
    return ProofSpec(
        "merged", at, None, "float32", at, None, "none", at, None, at, held_out, (1,), prompts, rows
    )


def test_bundled_texts_stand_in_for_missing_rows(tmp_path: Path) -> None:
    held_out = write_held_out(tmp_path / "held_out.jsonl", rows=3)
    tokenizer = make_tokenizer()
    chosen = choose_rows(spec_with(held_out, rows=5), tokenizer, 256, 300)
    assert (len(chosen.prompts), chosen.held_out_prompts) == (4, 3)
    assert (len(chosen.rows), chosen.held_out_rows) == (5, 3)
    for row in chosen.rows:
        assert row.places[-1] == len(row.ids) - 1 <= 255
        assert len(row.places) <= MOST_PLACES
    # Of a held-out row its answer is predicted, and the token that ends it.
    answer = tokenizer.decode([chosen.rows[0].ids[at] for at in chosen.rows[0].places])
    assert answer in ("sadness<|im_end|>", "joy<|im_end|>", "anger<|im_end|>")
    assert choose_rows(spec_with(held_out, rows=5), tokenizer, 256, 300) == chosen


def test_boundaries_of_windows_and_of_scaled_rope() -> None:
    from transformers import Gemma3TextConfig, LlamaConfig, Phi3Config, Qwen2Config

    scaled = {
        "rope_type": "llama3",
        "rope_theta": 10000.0,
        "factor": 4.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 128,
    }
    llama = LlamaConfig(rope_parameters=scaled, max_position_embeddings=512)
    assert [one.length for one in find_boundaries(llama)] == [128]
    linear = {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}
    stretched = LlamaConfig(rope_parameters=linear, max_position_embeddings=512)
    assert [one.length for one in find_boundaries(stretched)] == [128]
    assert find_boundaries(LlamaConfig()) == ()
    assert [one.length for one in find_boundaries(Gemma3TextConfig(sliding_window=64))] == [64]
    assert find_boundaries(Qwen2Config(sliding_window=64, use_sliding_window=False)) == ()
    assert [one.length for one in find_boundaries(Phi3Config(sliding_window=32))] == [32]

    tokenizer = make_tokenizer()
    long = choose_long_rows(llama, tokenizer, 1000, 300)
    (one,) = long.rows
    assert len(one.row.ids) == 128 + 2 * PLACES
    assert (
        sum(at < 128 for at in one.row.places) == PLACES == sum(at >= 128 for at in one.row.places)
    )
    assert choose_long_rows(llama, tokenizer, 10**12, 300).rows == ()
    (reason,) = choose_long_rows(llama, tokenizer, 10**12, 300).left_out
    assert "the 128 tokens before RoPE was scaled: 224 tokens through 1000.0 billion" in reason


def test_what_was_not_read_is_not_passed(tmp_path: Path) -> None:
    """A boundary that is left out, and answers of which none could be compared."""
    row = LongRow(Boundary("a window", 8), ROWS[0])
    read = [(compared(0.0),)]
    for left_out, status in (((), "passed"), (("a scaled RoPE: takes too long",), "not proven")):
        reference = RunReference(tmp_path, "", (), 0, (), 0, LongRows((row,), left_out), ())
        check = judge_long(reference, read, [FLOOR], "float32", exact=True)
        assert check.status == status
        assert ("takes too long" in check.summary) == bool(left_out)
        wrong = judge_long(reference, [(compared(1.0),)], [FLOOR], "float32", exact=True)
        assert wrong.status == "failed"
    assert judge_greedy("x", reference, (), FLOOR.margin).status == "not proven"


def test_what_lies_beyond_a_boundary_is_judged_by_itself(tmp_path: Path) -> None:
    """Twice the limit beyond it, and nothing before: on average it would pass."""
    row = LongRow(Boundary("a window", 3), ROWS[0])
    assert row.before == 1
    reference = RunReference(tmp_path, "", (), 0, (), 0, LongRows((row,), ()), ())
    parts = (compared(0.0), compared(1.9e-6))
    check = judge_long(reference, [parts], [FLOOR, FLOOR], "float32", exact=True)
    assert check.status == "failed"
    assert [line.partition(" KL")[0] for line in check.differences] == ["a window: beyond it, mean"]
    facts = check.facts["boundaries"]["a window"]
    assert (facts["divergence before"], facts["divergence beyond"]) == (0.0, 1.9e-6)


def test_a_window_as_long_as_the_context_is_no_boundary() -> None:
    from transformers import Phi3Config

    config = Phi3Config(sliding_window=256, max_position_embeddings=256)
    long = choose_long_rows(config, make_tokenizer(), 1000, 300)
    assert (long.rows, long.left_out) == ((), ())
