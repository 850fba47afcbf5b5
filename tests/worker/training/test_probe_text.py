"""The probe: its rows, KL against a plain computation, and that measuring disturbs nothing."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.bundled import PROBE
from engine.errors import EngineError
from engine.worker.training import probe_text as probes
from engine.worker.training.evaluator import preserve_rng_and_mode
from engine.worker.training.probe_text import (
    SHARE,
    Probe,
    Reference,
    affordable,
    continuations,
    divergence,
    read_probe,
)
from tests.worker.tiny import make_model, make_tokenizer


@pytest.fixture
def model() -> Any:
    return make_model()


@pytest.fixture
def rows() -> Probe:
    draw = random.Random(4)
    return Probe([[draw.randrange(300) for _ in range(length)] for length in (2, 5, 5, 30, 128)])


def other(model: Any, noise: float = 0.1) -> Any:
    """The same model with noise on its weights."""
    changed = make_model()
    changed.load_state_dict(model.state_dict())
    torch.manual_seed(5)
    with torch.no_grad():
        for weight in changed.parameters():
            weight.add_(torch.randn_like(weight) * noise)
    return changed


def naive(base: Any, now: Any, rows: Probe) -> tuple[float, float]:
    """Shift and KL in nats a token, in float64, each row alone and without a mask."""
    shift, kl = 0.0, 0.0
    with torch.no_grad():
        for row in rows.rows:
            ids = torch.tensor([row])
            b, n = (one(ids).logits[0, :-1].double().log_softmax(-1) for one in (base, now))
            kl += float((b.exp() * (b - n)).sum())
            picked = ids[0, 1:].unsqueeze(-1)
            shift += float((b.gather(-1, picked) - n.gather(-1, picked)).sum())
    return shift / rows.predicted, kl / rows.predicted


def measured(base: Any, now: Any, rows: Probe, folder: Path) -> tuple[float, float]:
    with torch.no_grad():
        reference = Reference.make(folder / "base.npy", rows, base, lambda done, total: None)
        parts = list(continuations(now, rows))
    logs = torch.cat([part for _, part in parts])
    nll = sum(part for part, _ in parts)
    kl = divergence(torch.tensor(np.array(reference.logs)), logs)
    return (nll - reference.nll) / rows.predicted, kl / rows.predicted


@pytest.mark.parametrize("noise", [0.003, 0.03, 0.3])
def test_shift_and_divergence_are_those_of_a_plain_computation(
    model: Any, rows: Probe, tmp_path: Path, noise: float
) -> None:
    now = other(model, noise)
    shift, kl = naive(model, now, rows)
    found = measured(model, now, rows, tmp_path)
    assert found[0] == pytest.approx(shift, abs=2e-6)
    assert found[1] == pytest.approx(kl, rel=2e-3, abs=1e-6)
    assert kl > 0


@pytest.mark.parametrize("passes", [1, 3, 1 << 20])
def test_rows_do_not_see_each_other_nor_their_padding(
    model: Any, rows: Probe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passes: int
) -> None:
    monkeypatch.setattr(probes, "PASS_BYTES", passes * probes.ROW * 300 * 4)
    now = other(model)
    np.testing.assert_allclose(
        measured(model, now, rows, tmp_path), naive(model, now, rows), rtol=2e-3
    )


def test_a_model_is_exactly_as_far_from_itself_as_nothing(
    model: Any, rows: Probe, tmp_path: Path
) -> None:
    assert measured(model, model, rows, tmp_path) == (0.0, 0.0)


def test_an_impossible_token_counts_nothing_and_a_lost_one_everything() -> None:
    base = torch.tensor([[0.5, 0.5, 0.0]]).log().half()
    assert divergence(base, torch.tensor([[0.5, 0.25, 0.25]]).log().half()) == pytest.approx(
        0.5 * np.log(2), rel=1e-3
    )
    assert divergence(base, torch.tensor([[1.0, 0.0, 0.0]]).log().half()) == float("inf")
    assert np.isnan(divergence(base, torch.full((1, 3), float("nan")).half()))


def test_a_reference_is_used_again_unless_it_is_spoiled_or_of_another_probe(
    model: Any, rows: Probe, tmp_path: Path
) -> None:
    path = tmp_path / "base.npy"
    with torch.no_grad():
        first = Reference.make(path, rows, model, lambda done, total: None)
        again = Reference.make(path, rows, other(model), lambda done, total: None)
        assert again.nll == first.nll, "the base is measured once"
        data = bytearray(path.read_bytes())
        data[-40] ^= 1
        path.write_bytes(bytes(data))
        assert Reference.make(path, rows, model, lambda done, total: None).nll == first.nll
        fewer = Probe(rows.rows[:3])
        assert Reference.make(path, fewer, model, lambda done, total: None).logs.shape == (9, 300)


def test_a_base_that_is_broken_is_measured_all_the_same(
    model: Any, rows: Probe, tmp_path: Path
) -> None:
    with torch.no_grad():
        model.lm_head.weight.fill_(float("nan"))
    assert all(map(np.isnan, measured(model, make_model(), rows, tmp_path)))


def test_the_probe_is_read_passage_by_passage(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(bos_token="<s>")
    text = tmp_path / "probe.txt"
    text.write_text("one\ntwo\r\n\r\n\n  three  \n\n" + "four " * 300)
    lines = read_probe(text, tokenizer, 10_000, 256).rows
    decoded = sorted((tokenizer.decode(row) for row in lines), key=len)
    assert {"three", "one\ntwo"} < set(decoded)
    assert max(map(len, lines)) == probes.ROW
    assert max(len(row) for row in read_probe(text, tokenizer, 10_000, 32).rows) == 32
    assert sum(map(len, read_probe(text, tokenizer, 50, 256).rows)) == 50


def test_each_row_begins_with_bos_where_the_tokenizer_puts_one(tmp_path: Path) -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = make_tokenizer(bos_token="<s>")
    bos = tokenizer.bos_token_id
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", bos)]
    )
    text = tmp_path / "probe.txt"
    text.write_text("word " * 400)
    lines = read_probe(text, tokenizer, 10_000, 256).rows
    assert len(lines) > 2
    assert all(row[0] == bos and bos not in row[1:] for row in lines)


@pytest.mark.parametrize(
    ("content", "title"),
    [(None, "cannot be read"), (b"\xff\xfe\xff", "not UTF-8"), (b" \n\n", "empty"), (b"", "empty")],
)  # fmt: skip
def test_an_unusable_probe_is_told(tmp_path: Path, content: bytes | None, title: str) -> None:
    path = tmp_path / "probe.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EngineError, match=title) as caught:
        read_probe(path, make_tokenizer(), 100, 256)
    assert str(path) in caught.value.detail


def test_the_bundled_probe_is_large_enough_and_is_in_no_bundled_data() -> None:
    passages = PROBE.read_text().strip().split("\n\n")
    assert len(passages) > 200
    folder = PROBE.parent
    texts = [path.read_text() for path in folder.rglob("*.jsonl")]
    for passage in passages:
        told = json.dumps(passage, ensure_ascii=False)[1:-1]
        assert not any(told in text for text in texts), passage


def test_a_short_run_has_a_shorter_probe() -> None:
    assert affordable(1024, 10_000_000, 11, 1) == 1024
    assert 64 < affordable(1024, 30_000, 11, 1) < 400
    assert affordable(1024, 500, 11, 1) == 64
    assert affordable(50, 500, 11, 1) == 50


@pytest.mark.parametrize("references", [1, 2])
def test_what_is_measured_takes_at_most_its_share_with_a_second_reference_too(
    references: int,
) -> None:
    """In forward passes of a token: training takes 2.5 for each, by the docstring's count."""
    tokens = affordable(1 << 20, 100_000, 11, references)
    read, compared = 1.3 * references, 11 * (1 + 0.3 * references)
    assert 0.99 * SHARE < tokens * (read + compared) / (2.5 * 100_000) <= SHARE


@pytest.mark.parametrize("failing", [False, True])
def test_measuring_leaves_random_states_modes_and_gradients_as_they_were(
    model: Any, failing: bool
) -> None:
    model.train()
    model.lm_head.eval()
    before = (random.getstate(), np.random.get_state(), torch.get_rng_state())
    try:
        with preserve_rng_and_mode(model):
            assert not any(module.training for module in model.modules())
            assert not model(torch.tensor([[1, 2]])).logits.requires_grad
            torch.rand(3), random.random(), np.random.rand()
            if failing:
                raise KeyError
    except KeyError:
        assert failing
    assert random.getstate() == before[0]
    assert all(map(np.array_equal, np.random.get_state(), before[1]))
    assert torch.equal(torch.get_rng_state(), before[2])
    assert model.training
    assert not model.lm_head.training
    assert torch.is_grad_enabled()
