"""The script that made the base model: the same tokens, the same steps, the same losses."""

import math
import multiprocessing
from itertools import islice

import pytest
import torch
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from engine.bundled import BASE, PRETRAIN_RUN
from engine.demo.making.corpus.document import Document
from engine.demo.making.corpus.stream import MIX, TRAINING_SEED, documents
from engine.demo.making.pretrain.model import make_model
from engine.demo.making.pretrain.muon import orthogonal
from engine.demo.making.pretrain.phases import PHASES, Phase
from engine.demo.making.pretrain.rows import batches, encode
from engine.demo.making.pretrain.tokens import make_tokenizer
from engine.demo.making.pretrain.training import PretrainLoop, Team
from engine.events.log_dir import LogDir

FIRST_LOSSES = (
    *(7.6831, 7.5403, 7.3986, 7.1704, 6.9629, 6.8042, 6.9707, 6.9681, 6.4964, 6.749),
    *(6.2354, 6.5063, 6.3293, 6.2001, 5.9123, 6.0688, 5.9547, 5.8926, 5.9656, 5.6266),
)
"""Of 20 steps of about 1,024 tokens at a fifth of the highest learning rate, in nats per token."""
TOLERANCE = 0.02
"""Nats: what the order of sums may change on another processor, grown over 20 steps."""


@pytest.fixture(scope="module")
def made() -> PreTrainedTokenizerFast:
    return make_tokenizer(TRAINING_SEED)


def test_the_tokenizer_is_made_again_as_it_is_bundled(made: PreTrainedTokenizerFast) -> None:
    bundled = AutoTokenizer.from_pretrained(BASE)
    assert made.get_vocab() == bundled.get_vocab()
    assert made.chat_template == bundled.chat_template
    text = "Ünïcode ☃ 𝕏\n\tTabs, 12345 and <b>tags</b>"
    assert made(text).input_ids == bundled(text).input_ids


def test_rows_are_what_the_chat_template_writes(made: PreTrainedTokenizerFast) -> None:
    seen = 0
    for document in islice(documents(8), 400):
        if document.messages:
            seen += 1
            messages = [{"role": role, "content": content} for role, content in document.messages]
            written = made.apply_chat_template(messages, tokenize=True, return_dict=False)
            assert list(encode(made, document).ids) == written
    assert seen > 300


def test_answers_and_ends_are_learned_and_nothing_else(made: PreTrainedTokenizerFast) -> None:
    messages = (("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello!"))
    row = encode(made, Document("talk", messages * 2, "", 0, ()))
    learned = [token for token, counts in zip(row.ids, row.learned, strict=True) if counts]
    assert made.decode(learned) == "Hello!<|end|>Hello!<|end|>"


def test_plain_text_is_learned_from_where_it_says(made: PreTrainedTokenizerFast) -> None:
    row = encode(made, Document("facts", (), "Question: why?\nAnswer: so", 22, ()))
    learned = [token for token, counts in zip(row.ids, row.learned, strict=True) if counts]
    assert made.decode(learned) == " so<|end|>"
    assert row.ids[0] == made.bos_token_id


def test_a_batch_holds_each_document_once(made: PreTrainedTokenizerFast) -> None:
    batch = next(batches(made, documents(4), 2000))
    rows = [row for part in batch.parts for row in part]
    source = documents(4)
    wanted = sorted(encode(made, next(source)).ids for _ in rows)
    assert sorted(row.ids for row in rows) == wanted
    assert batch.tokens == sum(len(row.ids) for row in rows) >= 2000
    assert batch.learned == sum(sum(row.learned) for row in rows)


def test_orthogonal_has_singular_values_near_one() -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonal(torch.randn(3, 20, 50)))
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_the_rate_rises_holds_and_falls() -> None:
    phase = Phase(100, 1000, MIX, top=0.8, level=0.4, end=0.1)
    shares = [phase.share(at / 100) for at in range(101)]
    assert 0 < shares[0] < 0.1
    assert shares[2] == shares[40] == pytest.approx(0.8)
    assert shares[40:] == sorted(shares[40:], reverse=True)
    assert shares[70] == pytest.approx(0.45)
    assert shares[100] == pytest.approx(0.1)


def test_one_phase_ends_about_where_the_next_begins_and_the_last_at_nothing() -> None:
    assert PHASES[0].end == pytest.approx(PHASES[1].top, abs=0.1)
    assert PHASES[-1].end == 0


def training(
    made: PreTrainedTokenizerFast, step_tokens: int, seed: int = TRAINING_SEED
) -> PretrainLoop:
    source = batches(made, documents(seed), step_tokens)
    return PretrainLoop(make_model(len(made), seed), source, Team())


def test_the_first_losses_are_pinned(made: PreTrainedTokenizerFast) -> None:
    steps = training(made, 1024)
    losses = [steps.step(0.2)[0] for _ in range(20)]
    assert losses == pytest.approx(FIRST_LOSSES, abs=TOLERANCE)


def test_the_first_step_is_that_of_the_bundled_run(made: PreTrainedTokenizerFast) -> None:
    log = LogDir(PRETRAIN_RUN / "events")
    log.poll()
    series = log.series["train/loss"]
    assert series.steps[0] == 1
    loss, *_ = training(made, PHASES[0].step_tokens).step(PHASES[0].share(0.0))
    assert loss == pytest.approx(float(series.values[0]), abs=0.002)


def test_an_untrained_model_knows_nothing(made: PreTrainedTokenizerFast) -> None:
    loss, *_ = training(made, 512, TRAINING_SEED + 1).step(0.0)
    assert loss == pytest.approx(math.log(len(made)), abs=0.3)


def test_a_team_takes_each_part_once_whoever_is_faster(made: PreTrainedTokenizerFast) -> None:
    counter = multiprocessing.get_context("spawn").Value("q", 0)
    team = [Team(rank, 2, counter) for rank in range(2)]
    for batch in islice(batches(made, documents(6), 8000), 3):
        shares = [mate.take(batch.parts) for mate in team]
        taken = []
        for turn in (0, 0, 0, 1):
            taken += list(islice(shares[turn], 1))
        for share in shares:
            taken += list(share)
        assert sorted(map(id, taken)) == sorted(map(id, batch.parts))
