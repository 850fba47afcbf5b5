"""The end token: taught at the end of every answer, never by padding, and what generating stops at.

Over the shapes of tokenizers that are met in the wild, and every template.
"""

from pathlib import Path
from typing import Any

import pytest
import torch

from engine.chat import Message
from engine.data.rows import Example
from engine.recipes.settings import Decode
from engine.worker.data.chat_template import choose_template
from engine.worker.data.encode import IGNORE_INDEX, collate, encode, encode_messages, end_token_ids
from engine.worker.inference.decoding import BatchDecoder
from engine.worker.inference.models import LoadedArm, wrap_model
from engine.worker.model.saving import keep_template
from tests.worker.data.test_encode import adding_bos
from tests.worker.tiny import CHATML, make_model, make_tokenizer

SHORT = (Message("user", "which?"), Message("assistant", "joy"))
LONG = (*SHORT, Message("user", "i miss my dog"), Message("assistant", "sadness and love"))
LLAMA = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message.role == 'user' %}{{ '[INST] ' + message.content + ' [/INST]' }}"
    "{% else %}{{ ' ' + message.content + eos_token }}{% endif %}{% endfor %}"
)


def make(shape: str) -> Any:
    """A tokenizer of a known family's shape."""
    if shape == "pad is eos":
        return make_tokenizer(None, eos_token="</s>", pad_token="</s>")
    if shape == "no pad":
        return make_tokenizer(None, eos_token="</s>", pad_token="")
    if shape == "gpt-2":
        end = "<|endoftext|>"
        return make_tokenizer(
            None, (end,), bos_token=end, eos_token=end, unk_token=end, pad_token=""
        )
    if shape == "llama":
        tokenizer = make_tokenizer(LLAMA, bos_token="<s>", eos_token="</s>", pad_token="")
        adding_bos(tokenizer)
        return tokenizer
    assert shape == "chat ends turns"
    return make_tokenizer(CHATML, eos_token="</s>")


SHAPES = ("pad is eos", "no pad", "gpt-2", "llama", "chat ends turns")
FORMS = ("", "instruct", "chatml", "raw", "file")


def form_of(form: str, folder: Path) -> str:
    if form != "file":
        return form
    path = folder / "mine.jinja"
    path.write_text("{% for message in messages %}\n{{ message.content }}\n{% endfor %}")
    return str(path)


def make_rigged(vocabulary: int) -> Any:
    """A model that names no end token of its own and finds every token equally likely."""
    model = make_model(vocabulary)
    model.generation_config.eos_token_id = None
    with torch.no_grad():
        model.lm_head.weight.zero_()
    return model


def say(loaded_arm: LoadedArm, prompt: list[int], token: int) -> None:
    """Make `token` what the model says to the prompt."""
    with loaded_arm.model.with_adapter(None) as model, torch.no_grad():
        hidden = model.model(torch.tensor([prompt])).last_hidden_state[0, -1]
        model.lm_head.weight[token] = hidden


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_answer_ends_in_a_token_that_generating_stops_at(
    shape: str, form: str, tmp_path: Path
) -> None:
    tokenizer = make(shape)
    template = choose_template(tokenizer, form_of(form, tmp_path))
    row = encode_messages(LONG, tokenizer, template, 500)
    assert row.kept, row.reason
    stops = [
        label
        for label, following in zip(row.labels, [*row.labels[1:], IGNORE_INDEX], strict=True)
        if label != IGNORE_INDEX and following == IGNORE_INDEX
    ]
    assert len(stops) == 2, "two answers are learned"
    if form == "file":  # it ends no answer itself: only the last one can be ended for it
        stops = stops[1:]
    ends = end_token_ids(tokenizer, template)
    assert set(stops) <= ends
    # As another program finds it: by the saved template, with a model that always says the end.
    keep_template(template, tokenizer)
    loaded_arm = wrap_model(make_rigged(len(tokenizer)), tokenizer)
    prompt = loaded_arm.prompt(SHORT[:1])
    say(loaded_arm, prompt, stops[-1])
    answers = BatchDecoder(loaded_arm, [prompt], Decode(max_new_tokens=3))
    while not answers.done:
        answers.step()
    answer = answers.answers[0]
    assert (answer.output_ids, answer.finish) == ([stops[-1]], "stop")
    if tokenizer.pad_token_id != tokenizer.eos_token_id:
        assert tokenizer.pad_token_id not in loaded_arm.ends
    assert row.input_ids[: len(loaded_arm.prompt(LONG[:1]))] == loaded_arm.prompt(LONG[:1])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_padding_is_never_learned(shape: str, form: str, tmp_path: Path) -> None:
    tokenizer = make(shape)
    template = choose_template(tokenizer, form_of(form, tmp_path))
    rows = [encode_messages(one, tokenizer, template, 500) for one in (LONG, SHORT)]
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    batch = collate(rows, pad)
    length = len(rows[1].input_ids)
    assert batch["labels"][1, :length].tolist() == rows[1].labels
    assert batch["labels"][1, length:].eq(IGNORE_INDEX).all()
    assert batch["attention_mask"][1, length:].eq(0).all()
    if pad not in end_token_ids(tokenizer, template):
        assert not batch["labels"].eq(pad).any(), "a pad token of its own is taught nowhere"


@pytest.mark.parametrize("shape", SHAPES)
def test_plain_text_has_one_bos_and_one_end(shape: str) -> None:
    tokenizer = make(shape)
    template = choose_template(tokenizer)
    row = encode(Example((), "a.txt:1", text="joy and love"), tokenizer, template, 500)
    bos = [tokenizer.bos_token_id] if shape == "llama" else []
    plain = tokenizer("joy and love", add_special_tokens=False)["input_ids"]
    assert row.input_ids == [*bos, *plain, tokenizer.eos_token_id]
    assert row.labels == [IGNORE_INDEX, *row.input_ids[1:]]
    again = encode(
        Example((), "a.txt:1", text=tokenizer.decode(row.input_ids)), tokenizer, template, 500
    )
    assert again.input_ids == row.input_ids, "what stands in the text already comes once"


def test_rows_that_are_too_long_are_cut_or_dropped() -> None:
    tokenizer = make("pad is eos")
    template = choose_template(tokenizer)
    text = Example((), "a.txt:1", text="joy and love")
    whole = encode(text, tokenizer, template, 500)
    size = len(whole.input_ids)
    for example in (text, Example(LONG, "a.jsonl:1")):
        size = len(encode(example, tokenizer, template, 500).input_ids)
        cut = encode(example, tokenizer, template, size - 1, "truncate")
        assert (cut.kept, cut.cut, len(cut.input_ids)) == (True, 1, size - 1)
        assert cut.labels[-1] != tokenizer.eos_token_id
        dropped = encode(example, tokenizer, template, size - 1, "drop")
        assert (dropped.kept, dropped.cut) == (False, 1)
        assert dropped.reason == f"{size} tokens, more than max_length {size - 1}"
        assert encode(example, tokenizer, template, size, "drop").kept
