"""The vocabulary of a GGUF file: what llama.cpp makes of texts with it, token by token."""

import dataclasses
import json
import unicodedata
from pathlib import Path
from typing import Any

import gguf
import pytest
from tokenizers import AddedToken

from engine.bundled import BASE
from engine.errors import EngineError
from engine.worker.model.loading import load_tokenizer
from engine.worker.release.gguf import vocabulary as vocabularies
from engine.worker.release.gguf.vocabulary import GgufVocabulary, vocabulary_of
from engine.worker.tokenizers.pre_tokenizers import TABLE, PreTokenizer, pre_tokenizer_of
from tests.worker.release.llamacpp import open_gguf
from tests.worker.release.tiny_gguf import write_tiny
from tests.worker.release.tokenizers_for_gguf import (
    PROBES,
    TEXT,
    save_byte_level,
    save_sentence_pieces,
)

ROWS = {row.name: row for row in TABLE}
CONTROL, USER, UNUSED = (
    int(one) for one in (gguf.TokenType.CONTROL, gguf.TokenType.USER_DEFINED, gguf.TokenType.UNUSED)
)


def differing(folder: Path, vocabulary: GgufVocabulary, file: Path) -> list[str]:
    """The probes of which llama.cpp has other token ids than the tokenizer."""
    tokenizer = load_tokenizer(folder)
    with open_gguf(write_tiny(file, vocabulary)) as model:
        return [
            text
            for text in PROBES
            if tokenizer(text, add_special_tokens=False)["input_ids"] != model.token_ids(text)
        ]


def change(folder: Path, file: str, edit: Any) -> Path:
    """`folder` after `edit` changed the parsed JSON of one of its files in place."""
    body = json.loads((folder / file).read_text())
    edit(body)
    (folder / file).write_text(json.dumps(body))
    return folder


@pytest.mark.parametrize("name", ROWS)
def test_each_row_is_known_by_its_rules_and_cuts_as_llama_cpp_does(
    name: str, tmp_path: Path
) -> None:
    folder = save_byte_level(tmp_path / "model", ROWS[name])

    vocabulary = vocabulary_of(folder, [1])
    differ = differing(folder, vocabulary, tmp_path / "model.gguf")

    assert vocabulary.pre == name
    # Where a row says that some texts differ, no others do.
    if ROWS[name].differs:
        assert differ
        assert all(_has_marks_or_cases(text) or "\u3000" in text for text in differ)
        assert any(ROWS[name].differs in note for note in vocabulary.notes)
    else:
        assert differ == []


def _has_marks_or_cases(text: str) -> bool:
    return any(
        unicodedata.category(one) in ("Mn", "Mc", "Me") or (not one.isascii() and one.isupper())
        for one in text
    )


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("qwen2", "llama-bpe"), ("smollm", "gpt-2"), ("dbrx", "qwen2"), ("gpt-2", "smollm")],
)
def test_a_wrong_pre_tokenizer_shows_in_the_token_ids(
    right: str, wrong: str, tmp_path: Path
) -> None:
    folder = save_byte_level(tmp_path / "model", ROWS[right])
    vocabulary = dataclasses.replace(vocabulary_of(folder, [1]), pre=wrong)

    differ = differing(folder, vocabulary, tmp_path / "model.gguf")

    assert "1234567890" in TEXT[1]
    assert TEXT[1] in differ


@pytest.mark.parametrize("name", ["gpt-2", "llama-bpe", "dbrx", "qwen2", "qwen35", "tekken"])
def test_transformers_reads_the_file_as_the_tokenizer_that_it_was_made_of(
    name: str, tmp_path: Path
) -> None:
    folder = save_byte_level(tmp_path / "model", ROWS[name])
    write_tiny(tmp_path / "model.gguf", vocabulary_of(folder, [1]))

    tokenizer, own = load_tokenizer(folder), _read_by_transformers(tmp_path / "model.gguf")

    different = [text for text in PROBES if _ids(tokenizer, text) != _ids(own, text)]
    # It knows no flag for words that are one token whatever the merges say.
    assert different == [] or ROWS[name].whole_words


def _read_by_transformers(file: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def test_a_tokenizer_that_is_in_no_row_is_refused_with_what_it_has(tmp_path: Path) -> None:
    folder = save_byte_level(tmp_path / "model", PreTokenizer("own", (("split", r"\p{N}{1,2}"),)))

    with pytest.raises(EngineError) as refused:
        vocabulary_of(folder, [1])

    assert r"\p{N}{1,2}" in refused.value.detail
    assert "FINETOP_LLAMACPP" in refused.value.hint


def test_rules_say_which_row_it_is_and_not_how_they_are_spelled() -> None:
    split = {"type": "Split", "pattern": {"Regex": "[\r\n]"}, "behavior": "Isolated"}
    row = ROWS["deepseek-coder"]
    others = [
        {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
        for _, regex in row.steps[1:-1]
    ]
    tail = [
        {"type": "Digits", "individual_digits": True},
        {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
    ]
    rules = {"type": "Sequence", "pretokenizers": [split, *others, *tail]}

    assert pre_tokenizer_of({"pre_tokenizer": rules, "model": {}}) is row

    tail[1]["add_prefix_space"] = True
    with pytest.raises(EngineError, match="in no table"):
        pre_tokenizer_of({"pre_tokenizer": rules, "model": {}})
    whole = {"pre_tokenizer": {"type": "ByteLevel"}, "model": {"ignore_merges": True}}
    with pytest.raises(EngineError, match="in no table"):
        pre_tokenizer_of(whole)


@pytest.mark.parametrize("legacy", [True, False])
def test_sentence_pieces_get_the_scores_of_their_merges(legacy: bool, tmp_path: Path) -> None:
    folder = save_sentence_pieces(tmp_path / "model", legacy=legacy)

    vocabulary = vocabulary_of(folder, [4])

    assert vocabulary.model == "llama"
    assert vocabulary.add_space_prefix is legacy
    assert differing(folder, vocabulary, tmp_path / "model.gguf") == []


def test_runs_of_spaces_may_share_a_score(tmp_path: Path) -> None:
    folder = save_sentence_pieces(tmp_path / "model", runs=8)

    vocabulary = vocabulary_of(folder, [4])

    scores = {vocabulary.scores[vocabulary.tokens.index("▁" * count)] for count in range(3, 9)}
    assert len(scores) == 1
    assert differing(folder, vocabulary, tmp_path / "model.gguf") == []


def test_runs_that_scores_would_join_otherwise_are_refused(tmp_path: Path) -> None:
    folder = save_sentence_pieces(tmp_path / "model", runs=8)

    def sort(body: Any) -> None:
        merges = body["model"]["merges"]
        runs = [one for one in merges if set(_made(one)) == {"▁"}]
        rest = [one for one in merges if one not in runs]
        body["model"]["merges"] = rest + sorted(runs, key=lambda pair: [*map(len, pair)])

    change(folder, "tokenizer.json", sort)

    with pytest.raises(EngineError, match="join it otherwise") as refused:
        vocabulary_of(folder, [4])
    assert refused.value.detail == "9 times '▁'"


def test_swapped_scores_show_in_the_token_ids(tmp_path: Path) -> None:
    folder = save_sentence_pieces(tmp_path / "model")
    vocabulary = vocabulary_of(folder, [4])
    made = [at for at, score in enumerate(vocabulary.scores) if score > -100]
    scores = list(vocabulary.scores)
    for at, other in zip(made, reversed(made), strict=True):
        scores[at] = vocabulary.scores[other]

    spoiled = dataclasses.replace(vocabulary, scores=tuple(scores))

    assert differing(folder, spoiled, tmp_path / "model.gguf")


def test_a_space_before_the_first_word_alone_follows_the_chats(tmp_path: Path) -> None:
    """llama.cpp puts it after each special token or nowhere; prompts begin with special tokens."""
    chat = "{% for m in messages %}{{ '<|im_start|>' + m.content + '</s>' }}{% endfor %}"
    folder = save_sentence_pieces(tmp_path / "model", scheme="first", template=chat)

    vocabulary = vocabulary_of(folder, [4])

    tokenizer = load_tokenizer(folder)
    prompt = "<|im_start|>hello world</s><|im_start|>and again"
    bare = dataclasses.replace(vocabulary, chat_template="")
    with open_gguf(write_tiny(tmp_path / "model.gguf", bare)) as model:
        assert model.token_ids(prompt) == _ids(tokenizer, prompt)
    assert any("first word" in note for note in vocabulary.notes)


def test_tokens_have_their_texts_types_and_rows(tmp_path: Path) -> None:
    folder = save_byte_level(tmp_path / "model", ROWS["qwen2"])
    tokenizer = load_tokenizer(folder)
    tokenizer.add_tokens([AddedToken("<tool>", normalized=False), "<|seems special|>"])
    tokenizer.save_pretrained(folder)
    rows = len(tokenizer) + 5
    change(folder, "config.json", lambda body: body.update(vocab_size=rows))

    vocabulary = vocabulary_of(folder, [1])

    at = tokenizer.convert_tokens_to_ids("<tool>")
    assert len(vocabulary.tokens) == len(vocabulary.token_types) == rows
    assert vocabulary.tokens[at : at + 3] == ("<tool>", "<|seems special|>", f"[PAD{at + 2}]")
    assert vocabulary.token_types[at : at + 3] == (USER, CONTROL, UNUSED)
    assert vocabulary.token_types[:4] == (CONTROL,) * 4
    assert differing(folder, vocabulary, tmp_path / "model.gguf") == []


def test_a_wrong_token_type_shows_in_the_token_ids(tmp_path: Path) -> None:
    folder = save_byte_level(tmp_path / "model", ROWS["qwen2"])
    vocabulary = vocabulary_of(folder, [1])
    types = (1, *vocabulary.token_types[1:])

    spoiled = dataclasses.replace(vocabulary, token_types=types)

    differ = differing(folder, spoiled, tmp_path / "model.gguf")
    assert [text for text in differ if "<|im_start|>" in text] == differ != []


def test_a_token_without_a_row_in_the_embedding_is_left_out_and_named(tmp_path: Path) -> None:
    folder = save_byte_level(tmp_path / "model", ROWS["gpt-2"])
    tokenizer = load_tokenizer(folder)
    size = len(tokenizer)
    tokenizer.add_tokens([AddedToken("<image>", normalized=False)])
    tokenizer.save_pretrained(folder)

    vocabulary = vocabulary_of(
        change(folder, "config.json", lambda b: b.update(vocab_size=size)), [1]
    )

    assert len(vocabulary.tokens) == size
    assert any("<image>" in note for note in vocabulary.notes)


def test_llama_cpp_stops_at_every_end(tmp_path: Path) -> None:
    """One by the key of each kind, one by its text alone, and at no other token."""
    folder = save_byte_level(tmp_path / "model", ROWS["gpt-2"])
    tokenizer = load_tokenizer(folder)
    marks = ["<stop1>", "<stop2>", "<stop3>", "<|eot_id|>", "<go on>"]
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    tokenizer.save_pretrained(folder)
    change(folder, "config.json", lambda body: body.update(vocab_size=len(tokenizer)))
    ids = tokenizer.convert_tokens_to_ids(marks)

    vocabulary = vocabulary_of(folder, ids[:4])

    assert (vocabulary.eos, vocabulary.eot, vocabulary.eom) == tuple(ids[:3])
    with open_gguf(write_tiny(tmp_path / "model.gguf", vocabulary)) as model:
        prompt = model.token_ids("hello")
        assert [model.stops_at(prompt, at) for at in ids] == [True] * 4 + [False]


def test_an_end_that_cannot_be_said_is_refused_by_name(tmp_path: Path) -> None:
    folder = save_byte_level(tmp_path / "model", ROWS["gpt-2"])
    tokenizer = load_tokenizer(folder)
    marks = [f"<stop{at}>" for at in range(4)]
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    tokenizer.save_pretrained(folder)
    change(folder, "config.json", lambda body: body.update(vocab_size=len(tokenizer)))

    with pytest.raises(EngineError) as refused:
        vocabulary_of(folder, tokenizer.convert_tokens_to_ids(marks))

    assert refused.value.detail == "Not at <stop3>"


@pytest.mark.parametrize(
    ("texts", "ends", "left"),
    [
        (["<|return|>", "<|call|>", "<|end|>"], [0, 1, 2], (2,)),
        (["<|end|>", "<|call|>"], [0, 1], ()),
        (["</s>", "<|tool_response>"], [0], (0,)),
        (["a", "b", "c", "d", "<eos>"], [0, 1, 2, 4], ()),
    ],
)
def test_llama_cpp_takes_some_ends_off_its_list_again(
    texts: list[str], ends: list[int], left: tuple[int, ...]
) -> None:
    from engine.worker.release.gguf.end_tokens import end_keys

    assert end_keys(ends, texts).left == left


def test_a_bos_that_the_template_does_not_write_is_not_added(tmp_path: Path) -> None:
    """Conversations were trained without it, and llama.cpp has one flag for both."""
    plain = "{% for m in messages %}{{ m.content }}{% endfor %}"
    with_bos = save_byte_level(tmp_path / "a", ROWS["gpt-2"], template="{{ bos_token }}" + plain)
    without = save_byte_level(tmp_path / "b", ROWS["gpt-2"], template=plain)
    no_template = save_byte_level(tmp_path / "c", ROWS["gpt-2"])

    found = [vocabulary_of(folder, [1]) for folder in (with_bos, without, no_template)]

    assert [one.add_bos for one in found] == [True, False, True]
    assert any("no BOS" in note for note in found[1].notes)


def test_templates_keep_their_names(tmp_path: Path) -> None:
    folder = save_byte_level(
        tmp_path / "model", ROWS["gpt-2"], template="{{ messages[0].content }}"
    )
    more = folder / "additional_chat_templates"
    more.mkdir()
    (more / "tool_use.jinja").write_text("{{ tools }}{{ messages[0].content }}")

    write_tiny(tmp_path / "model.gguf", vocabulary_of(folder, [1]))

    fields = gguf.GGUFReader(tmp_path / "model.gguf").fields
    assert fields["tokenizer.chat_template"].contents() == "{{ messages[0].content }}"
    assert fields["tokenizer.chat_template.tool_use"].contents().startswith("{{ tools }}")


def test_the_bundled_model_is_known_and_reads_as_it_does_in_llama_cpp(tmp_path: Path) -> None:
    vocabulary = vocabulary_of(BASE, [2])

    assert (vocabulary.pre, vocabulary.eos, vocabulary.bos) == ("smollm", 2, 1)
    assert vocabulary.add_bos
    assert differing(BASE, vocabulary, tmp_path / "model.gguf") == []


def test_a_normalizer_that_llama_cpp_lacks_is_refused_or_stated(tmp_path: Path) -> None:
    folder = save_byte_level(tmp_path / "model", ROWS["qwen2"])

    change(folder, "tokenizer.json", lambda body: body.update(normalizer={"type": "NFC"}))
    notes = vocabulary_of(folder, [1]).notes
    change(folder, "tokenizer.json", lambda body: body.update(normalizer={"type": "Lowercase"}))

    assert any("NFC" in note for note in notes)
    with pytest.raises(EngineError, match="normalizer Lowercase"):
        vocabulary_of(folder, [1])


def test_merges_that_scores_cannot_say_are_refused(tmp_path: Path) -> None:
    folder = save_sentence_pieces(tmp_path / "model")
    saved = (folder / "tokenizer.json").read_text()

    change(folder, "tokenizer.json", lambda body: body["model"]["merges"].pop(0))
    with pytest.raises(EngineError, match="would join"):
        vocabulary_of(folder, [4])

    def move(body: Any) -> None:
        merges = body["model"]["merges"]
        twice = next(
            one for at, one in enumerate(merges) if at and _made(one) == _made(merges[at - 1])
        )
        merges.remove(twice)
        merges.append(twice)

    (folder / "tokenizer.json").write_text(saved)
    change(folder, "tokenizer.json", move)
    with pytest.raises(EngineError, match="not sorted"):
        vocabulary_of(folder, [4])


def _made(merge: Any) -> str:
    return "".join(merge if isinstance(merge, list) else merge.split(" "))


@pytest.mark.parametrize("field", ["lstrip", "rstrip", "single_word"])
def test_an_added_token_that_takes_its_neighbours_along_is_refused(
    field: str, tmp_path: Path
) -> None:
    folder = save_byte_level(
        tmp_path / "model", ROWS["gpt-2"], template="<|im_start|>{{ messages[0].content }}"
    )

    change(folder, "tokenizer.json", lambda body: body["added_tokens"][0].update({field: True}))

    with pytest.raises(EngineError, match="lstrip, rstrip or single_word") as refused:
        vocabulary_of(folder, [1])
    assert refused.value.detail == "<|im_start|>"


def test_an_added_token_that_the_normalizer_changes_is_refused(tmp_path: Path) -> None:
    folder = save_sentence_pieces(tmp_path / "model")
    tokenizer = load_tokenizer(folder)
    tokenizer.add_tokens(["<tool>"])
    tokenizer.save_pretrained(folder)
    change(folder, "config.json", lambda body: body.update(vocab_size=len(tokenizer)))

    with pytest.raises(EngineError, match="normalizer changes") as refused:
        vocabulary_of(folder, [4])
    assert "normalized=False" in refused.value.hint


def test_phi3_strips_white_space_where_the_name_says_so(tmp_path: Path) -> None:
    """llama.cpp reads it off `general.name`: with another name its token ids differ."""
    folder = save_sentence_pieces(tmp_path / "model")
    tokenizer = load_tokenizer(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|endoftext|>"]})
    tokenizer.save_pretrained(folder)
    kept = ("<unk>", "<s>", "<|endoftext|>")

    def strip(body: Any) -> None:
        for token in body["added_tokens"]:
            token["rstrip"] = token["content"] not in kept

    change(folder, "tokenizer.json", strip)
    change(folder, "config.json", lambda body: body.update(vocab_size=len(tokenizer)))
    vocabulary, tokenizer = vocabulary_of(folder, [4]), load_tokenizer(folder)
    text = "<|im_start|>\n hello</s>  there<s> x"

    assert vocabulary.strips_right
    ids = {}
    for name in ("phi-3", "other"):
        with open_gguf(write_tiny(tmp_path / f"{name}.gguf", vocabulary, name)) as model:
            ids[name] = model.token_ids(text)
    assert ids["phi-3"] == _ids(tokenizer, text) != ids["other"]


def test_unigram_and_vocabularies_without_an_end_are_refused(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    make: Any = PreTrainedTokenizerFast
    unigram = Tokenizer(models.Unigram([("<unk>", 0.0), ("a", -1.0)], unk_id=0))
    make(tokenizer_object=unigram).save_pretrained(tmp_path / "unigram")
    (tmp_path / "unigram" / "config.json").write_text('{"model_type": "llama", "vocab_size": 2}')
    with pytest.raises(EngineError, match="Unigram"):
        vocabulary_of(tmp_path / "unigram", [1])

    folder = save_byte_level(tmp_path / "model", ROWS["gpt-2"])
    change(folder, "tokenizer_config.json", lambda body: body.pop("eos_token"))
    with pytest.raises(EngineError, match="no end token"):
        vocabulary_of(folder, [])


def test_texts_to_learn_from_are_read_by_the_probes() -> None:
    assert set(TEXT) <= set(PROBES)
    assert vocabularies.looks_special("<|x|>")
    assert not vocabularies.looks_special("<x>")
