"""What our proof says of a GGUF file's texts is what llama.cpp does with it.

The readers of a header that decide in a proof (token ids, prompts of a server, where it stops) are
compared with llama.cpp itself, for each kind of vocabulary; and a whole checkpoint is asked.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.checkpoints.gguf_header import read_gguf_values
from engine.release.conversations import probe_conversations
from engine.worker.data.chat_template import choose_template, prompt_ids, render_prompt
from engine.worker.model.loading import load_tokenizer
from engine.worker.release.gguf.vocabulary import vocabulary_of
from engine.worker.release.gguf.write import write_gguf
from engine.worker.release.proving.end_checks import stops_in_llamacpp
from engine.worker.release.proving.probe_strings import probe_strings
from engine.worker.release.proving.shipped_texts import encode_all
from engine.worker.tokenizers import gguf, load
from engine.worker.tokenizers.pre_tokenizers import TABLE
from tests.worker.release.llamacpp import LlamaCpp, open_gguf
from tests.worker.release.proving.test_spoiled_texts import ROW, TEMPLATE
from tests.worker.release.tiny_gguf import write_tiny
from tests.worker.release.tokenizers_for_gguf import save_byte_level, save_sentence_pieces
from tests.worker.tiny import save_checkpoint

STRINGS = 400
DIGITS = next(row for row in TABLE if row.name == "smollm")


@dataclass
class Opened:
    run: Any
    file: Path
    reader: Any
    """Ours, of the file's header alone."""
    llama: LlamaCpp


@pytest.fixture(scope="module", params=["words of Qwen", "single digits", "Llama 2", "Gemma"])
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("vocabulary")
    if request.param in ("Llama 2", "Gemma"):
        save_sentence_pieces(folder, legacy=request.param == "Llama 2", template=TEMPLATE)
    else:
        row = ROW if request.param == "words of Qwen" else DIGITS
        save_byte_level(folder, row, template=TEMPLATE)
    run = load_tokenizer(folder)
    ends = (run.convert_tokens_to_ids("<|im_end|>"),)
    file = write_tiny(folder / "model.gguf", vocabulary_of(folder, ends))
    reader, _ = load.open_vocabulary(gguf.read_vocabulary(file), file)
    with open_gguf(file, context=2048) as llama:
        yield Opened(run, file, reader, llama)


def test_strings_have_the_token_ids_of_llama_cpp(opened: Opened) -> None:
    strings = probe_strings(STRINGS, 1, opened.run.all_special_tokens)

    by_llama = [opened.llama.token_ids(one) for one in strings]

    read = encode_all(opened.reader, strings)
    assert [pair for pair in zip(strings, read, by_llama, strict=True) if pair[1] != pair[2]] == []
    assert encode_all(opened.run, strings) == by_llama


def test_prompts_are_those_of_its_server(opened: Opened) -> None:
    template = choose_template(opened.run)
    marks = opened.run.all_special_tokens
    for conversation in probe_conversations(marks):
        text = template.render(
            conversation.messages,
            opened.run,
            answer_next=conversation.answer_next,
            tools=conversation.tools,
        )
        written = opened.llama.render(
            [_to_api(message.to_json()) for message in conversation.messages],
            conversation.tools,
            answer_next=conversation.answer_next,
        )
        # The file has llama.cpp add BOS, so that its server takes away the template's own.
        assert written == text.removeprefix("<s>"), conversation.name
        ids = opened.llama.token_ids(written, ends=True)
        assert ids == prompt_ids(text, opened.run, None), conversation.name


def _to_api(message: dict[str, Any]) -> dict[str, Any]:
    """As the protocol has it: a call's arguments are JSON in a text."""
    for call in message.get("tool_calls", ()):
        call["function"]["arguments"] = json.dumps(call["function"]["arguments"])
    return message


def test_it_stops_where_the_header_says_so(opened: Opened) -> None:
    stops = stops_in_llamacpp(
        read_gguf_values(opened.file), gguf.read_vocabulary(opened.file).pieces
    )
    marks = set(opened.run.all_special_ids) | stops | {300, 301}

    found = {token for token in marks if opened.llama.stops_at([300, 301], token)}

    assert found == stops
    # <|im_end|> is the run's end; </s> llama.cpp knows by its text.
    assert stops == set(opened.run.convert_tokens_to_ids(["<|im_end|>", "</s>"]))


def test_a_checkpoint_answers_and_stops_alike(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    checkpoint = save_checkpoint(tmp_path / "model")
    tokenizer = load_tokenizer(checkpoint)
    model: Any = AutoModelForCausalLM.from_pretrained(checkpoint)
    end, other = tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<s>")
    ends = (end, other)
    model.generation_config.eos_token_id = list(ends)
    model.generation_config.save_pretrained(checkpoint)
    write_gguf(checkpoint, tmp_path / "model.gguf", "", ends, lambda done, total: None)
    question = probe_conversations()[0].messages
    prompt = render_prompt(question, tokenizer)

    def generate(forced: int | None = None) -> list[int]:
        ids = torch.tensor([prompt])
        bias = {} if forced is None else {"sequence_bias": {(forced,): 1e4}}
        made = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False,
                              max_new_tokens=12, **bias)  # fmt: skip
        return [int(one) for one in made[0, len(prompt) :]]

    with open_gguf(tmp_path / "model.gguf") as llama:
        text = llama.render([message.to_json() for message in question])
        assert llama.token_ids(text, ends=True) == prompt
        answer = llama.complete(prompt, 12)
        assert answer.tokens == generate()
        assert len(set(answer.tokens)) > 4
        for token in ends:
            assert generate(token) == [token]
            assert llama.stops_at(prompt, token)
        assert generate(7) == [7] * 12
        assert not llama.stops_at(prompt, 7)
