"""Encode and mask, against expectations that are written out by hand."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from engine.chat import Message
from engine.data.rows import Example
from engine.errors import EngineError
from engine.worker.data.chat_template import Template
from engine.worker.data.encode import (
    IGNORE_INDEX,
    Encoded,
    choose_template,
    collate,
    encode,
    end_token_ids,
    render_prompt,
)
from tests.worker.tiny import CHATML, make_model, make_tokenizer
from tests.worker.whole_nll import nll, nll_of_logits

ONE_TURN = (Message("user", "i miss my dog"), Message("assistant", "sadness"))
TWO_TURNS = (*ONE_TURN, Message("user", "and now?"), Message("assistant", " joy, at last "))

LLAMA_LIKE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% if message.role == 'user' %}{{ '[INST] ' + message.content + ' [/INST]' }}"
    "{% else %}{{ ' ' + message.content + eos_token }}{% endif %}{% endfor %}"
)
ENDLESS = (
    "{% for message in messages %}{{ message.role + ': ' + message.content + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
REASONING = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' }}"
    "{% if message.role == 'assistant' and loop.last %}"
    "{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}"
    "{{ message.content + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
DATED = "{{ strftime_now('%d %B %Y') }}" + CHATML


def encoded(
    messages: Sequence[Message], tokenizer: Any, length: int = 500, template: Template | None = None
) -> Encoded:
    chosen = template or choose_template(tokenizer)
    (row,) = encode(Example(tuple(messages), "rows.jsonl:1"), tokenizer, chosen, length)
    return row


def shown(row: Encoded, tokenizer: Any) -> str:
    """The whole text, what is learned in brackets."""
    text, learning = "", False
    for token, label in zip(row.input_ids, row.labels, strict=True):
        assert label in (IGNORE_INDEX, token)
        if learning != (label != IGNORE_INDEX):
            learning = not learning
            text += "[[" if learning else "]]"
        text += tokenizer.decode([token])
    return text + ("]]" if learning else "")


@pytest.mark.parametrize(
    ("template", "messages", "expected"),
    [
        (
            CHATML,
            ONE_TURN,
            "<|im_start|>user\ni miss my dog<|im_end|>\n<|im_start|>assistant\n"
            "[[sadness<|im_end|>]]",
        ),
        (
            CHATML,
            TWO_TURNS,
            "<|im_start|>user\ni miss my dog<|im_end|>\n<|im_start|>assistant\n"
            "[[sadness<|im_end|>]]\n"
            "<|im_start|>user\nand now?<|im_end|>\n<|im_start|>assistant\n"
            "[[ joy, at last <|im_end|>]]",
        ),
        (
            CHATML,
            (Message("system", "Be kind."), *ONE_TURN, Message("user", "not answered")),
            "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\ni miss my dog<|im_end|>\n"
            "<|im_start|>assistant\n[[sadness<|im_end|>]]",
        ),
        (
            None,
            TWO_TURNS,
            "### Instruction:\ni miss my dog\n\n### Response:\n[[sadness<|im_end|>]]\n\n"
            "### Instruction:\nand now?\n\n### Response:\n[[ joy, at last <|im_end|>]]",
        ),
        (
            ENDLESS,
            ONE_TURN,
            "user: i miss my dog\nassistant:[[ sadness\n<|im_end|>]]",
        ),
    ],
    ids=[
        "one turn",
        "two turns",
        "system",
        "instruct",
        "no EOS token",
    ],
)
def test_answer_and_end_token_are_learned_and_nothing_else(
    template: str | None, messages: Sequence[Message], expected: str
) -> None:
    tokenizer = make_tokenizer(template)
    row = encoded(messages, tokenizer)
    assert row.kept
    assert row.cut == 0
    assert shown(row, tokenizer) == expected


def test_an_answer_that_is_written_otherwise_later_is_learned_as_it_would_be_given() -> None:
    tokenizer = make_tokenizer(REASONING)
    example = Example(TWO_TURNS, "rows.jsonl:1")
    first, second = encode(example, tokenizer, choose_template(tokenizer), 500)
    assert (first.answers, second.answers) == ((1,), (3,))
    assert shown(first, tokenizer) == (
        "<|im_start|>user\ni miss my dog<|im_end|>\n<|im_start|>assistant\n"
        "[[<think>\n\n</think>\n\nsadness<|im_end|>]]"
    )
    assert shown(second, tokenizer) == (
        "<|im_start|>user\ni miss my dog<|im_end|>\n<|im_start|>assistant\nsadness<|im_end|>\n"
        "<|im_start|>user\nand now?<|im_end|>\n<|im_start|>assistant\n"
        "[[<think>\n\n</think>\n\n joy, at last <|im_end|>]]"
    )


def test_bos_comes_once_and_system_is_merged_where_the_template_refuses_it() -> None:
    tokenizer = make_tokenizer(LLAMA_LIKE, bos_token="<s>", eos_token="</s>")
    adding_bos(tokenizer)
    assert tokenizer("x")["input_ids"][0] == tokenizer.bos_token_id
    system = (Message("system", "Be kind."), *ONE_TURN)
    row = encoded(system, tokenizer)
    assert shown(row, tokenizer) == "<s>[INST] Be kind.\n\ni miss my dog [/INST][[ sadness</s>]]"
    for form in ("raw", "chat", "instruct"):
        ids = render_prompt(system[:2], tokenizer, form)
        assert ids.count(tokenizer.bos_token_id) == 1, form
        assert ids[0] == tokenizer.bos_token_id, form


def test_a_template_that_drops_the_system_message_gets_it_in_the_user_turn() -> None:
    deaf = CHATML.replace(
        "{% for message in messages %}", "{% for message in messages if message.role != 'system' %}"
    )
    tokenizer = make_tokenizer(deaf)
    row = encoded((Message("system", "Be kind."), *ONE_TURN), tokenizer)
    assert "user\nBe kind.\n\ni miss my dog<|im_end|>" in shown(row, tokenizer)


def test_prompts_for_generating_are_what_training_saw() -> None:
    for template in (CHATML, None, LLAMA_LIKE, REASONING):
        tokenizer = make_tokenizer(template, bos_token="<s>")
        row = encoded(ONE_TURN, tokenizer)
        learned_from = row.labels.index(next(one for one in row.labels if one != IGNORE_INDEX))
        assert render_prompt(ONE_TURN[:1], tokenizer) == row.input_ids[:learned_from]


def test_system_and_prefix_dress_a_prompt() -> None:
    tokenizer = make_tokenizer()
    ids = render_prompt(ONE_TURN[:1], tokenizer, "chat", "Be brief.", "Think step by step.")
    assert tokenizer.decode(ids) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nThink step by step.\ni miss my dog<|im_end|>\n<|im_start|>assistant\n"
    )
    assert tokenizer.decode(render_prompt(ONE_TURN[:1], tokenizer, "raw")) == "i miss my dog"


def test_dates_do_not_move() -> None:
    tokenizer = make_tokenizer(DATED)
    assert tokenizer.decode(render_prompt(ONE_TURN[:1], tokenizer)).startswith("26 July 2024<|im_")


def test_a_cut_answer_is_counted_and_a_full_prompt_is_refused() -> None:
    tokenizer = make_tokenizer()
    whole = encoded(ONE_TURN, tokenizer)
    cut = encoded(ONE_TURN, tokenizer, len(whole.input_ids) - 2)
    assert (cut.kept, cut.cut) == (True, 2)
    assert cut.labels[-1] != tokenizer.eos_token_id
    prompt = len(render_prompt(ONE_TURN[:1], tokenizer))
    full = encoded(ONE_TURN, tokenizer, prompt)
    assert not full.kept
    assert full.reason == f"the prompt alone has {prompt} tokens, max_length is {prompt}"


@pytest.mark.parametrize("system", [(), (Message("system", "Be kind."),)])
def test_a_greeting_is_context_and_the_rest_is_trained_on(system: tuple[Message, ...]) -> None:
    tokenizer = make_tokenizer()
    greeting = (*system, Message("assistant", "welcome"), *ONE_TURN)
    begin = "<|im_start|>system\nBe kind.<|im_end|>\n" if system else ""
    assert shown(encoded(greeting, tokenizer), tokenizer) == (
        f"{begin}<|im_start|>assistant\nwelcome<|im_end|>\n"
        "<|im_start|>user\ni miss my dog<|im_end|>\n<|im_start|>assistant\n[[sadness<|im_end|>]]"
    )
    strict = make_tokenizer(
        "{% if (messages | rejectattr('role', 'equalto', 'system') | first).role != 'user' %}"
        "{{ raise_exception('the user begins') }}{% endif %}" + CHATML
    )
    rest = encoded((*system, *ONE_TURN), strict)
    assert rest.kept
    found = encoded(greeting, strict)
    assert found.answers == tuple(index + 1 for index in rest.answers), "of what was given"
    assert replace(found, answers=rest.answers) == rest


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ((ONE_TURN[1], ONE_TURN[0]), "starts with an answer"),
        (ONE_TURN[:1], "no answer"),
        (ONE_TURN[1:], "starts with an answer"),
    ],
)
def test_rows_without_a_question_or_an_answer_are_refused(
    messages: Sequence[Message], why: str
) -> None:
    row = encoded(messages, make_tokenizer())
    assert not row.kept
    assert why in row.reason


def test_a_row_that_the_template_refuses_says_so() -> None:
    strict = (
        "{% if messages|length > 2 %}{{ raise_exception('one turn only') }}{% endif %}" + CHATML
    )
    tokenizer = make_tokenizer(strict)
    assert encoded(ONE_TURN, tokenizer).kept
    assert "one turn only" in encoded(TWO_TURNS, tokenizer).reason


def test_a_broken_template_is_an_error_of_the_checkpoint() -> None:
    with pytest.raises(EngineError, match="does not render"):
        choose_template(make_tokenizer("{{ nothing.of.the.kind }}"))


def test_a_slow_tokenizer_gives_the_same_mask() -> None:
    tokenizer = make_tokenizer()

    class Slow:
        """The same tokenizer, unable to say which characters a token came from."""

        is_fast = False

        def __getattr__(self, name: str) -> Any:
            return getattr(tokenizer, name)

        def __call__(self, text: str, add_special_tokens: bool = True) -> Any:
            return tokenizer(text, add_special_tokens=add_special_tokens)

    assert encoded(TWO_TURNS, Slow()) == encoded(TWO_TURNS, tokenizer)


def test_an_end_token_that_is_also_the_pad_token_is_learned() -> None:
    tokenizer = make_tokenizer(pad_token="<|im_end|>")
    rows = [encoded(TWO_TURNS, tokenizer), encoded(ONE_TURN, tokenizer)]
    batch = collate(rows, tokenizer.pad_token_id)
    longest = len(rows[0].input_ids)
    assert batch["input_ids"].shape == (2, longest)
    short = len(rows[1].input_ids)
    assert batch["labels"][1, short - 1] == tokenizer.eos_token_id
    assert batch["labels"][1, short:].eq(IGNORE_INDEX).all()
    assert batch["attention_mask"].sum(1).tolist() == [longest, short]


def test_the_loss_is_the_mean_over_tokens_and_padding_does_not_move_it() -> None:
    tokenizer, model = make_tokenizer(), make_model(300)
    rows = [encoded(TWO_TURNS, tokenizer), encoded(ONE_TURN, tokenizer)]
    with torch.inference_mode():
        both, tokens = nll(model, collate(rows))
        alone = [nll(model, collate([row])) for row in rows]
        row = rows[1]
        logs = model(torch.tensor([row.input_ids])).logits[0].double().log_softmax(-1)
    expected = -sum(
        float(logs[at - 1, label]) for at, label in enumerate(row.labels) if label != IGNORE_INDEX
    )
    assert tokens == sum(row.target_tokens for row in rows)
    assert float(alone[1][0]) == pytest.approx(expected, abs=1e-4)
    assert float(both) == pytest.approx(float(alone[0][0] + alone[1][0]), abs=1e-3)


def test_a_uniform_model_has_the_vocabulary_as_its_perplexity() -> None:
    total, tokens = nll_of_logits(
        torch.zeros(1, 4, 10), torch.tensor([[IGNORE_INDEX, IGNORE_INDEX, 3, 4]])
    )
    assert tokens == 2
    assert math.exp(float(total) / tokens) == pytest.approx(10)


def test_what_ends_a_turn_ends_an_answer_too() -> None:
    """A base model's eos ends documents; its template closes turns with another token."""
    tokenizer = make_tokenizer(eos_token="</s>")
    ends = end_token_ids(tokenizer, choose_template(tokenizer))
    assert ends == set(tokenizer.convert_tokens_to_ids(["</s>", "<|im_end|>"]))
    assert end_token_ids(tokenizer, None) == {tokenizer.eos_token_id}


def adding_bos(tokenizer: Any) -> None:
    """Make the tokenizer add its BOS by itself, as Llama's does."""
    from tokenizers.processors import TemplateProcessing

    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.bos_token_id)]
    )
