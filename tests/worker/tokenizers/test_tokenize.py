"""Tokenizers of every kind, read and made to cut: what they say must be what the libraries say."""

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from engine.chat import Message
from engine.errors import EngineError
from engine.tokenizers.sample_texts import CONVERSATION, LINES
from engine.tokenizers.tokenizer_output import (
    MOST_CHARACTERS,
    MOST_TOKENS,
    TokenizerOutput,
    from_table,
)
from engine.worker.companion.handlers import Handlers
from engine.worker.companion.tokenize_handler import names_of
from engine.worker.tokenizers import load
from tests.checkpoints.made import LFS_POINTER
from tests.worker.tiny import CHATML, make_tokenizer
from tests.worker.tokenizers.vocabularies import pack_gguf, pack_model, small_model

REAL = Path(os.environ.get("FINETOP_TEST_VOCABULARIES") or "no-vocabularies")
"""Llama.cpp's ggml-vocab-*.gguf with the ids that are expected of them, where somebody has them."""
TEXTS = [(line.name, line.text) for line in LINES] + [
    ("controls", "a\x1b]0;pwn\x07\u202eb\r\n\tc"),
    ("spaces", "  two  and   three \n\n"),
    ("long", "x" * 10_000),
    ("empty", ""),
]
CORPUS = [line.text for line in LINES] * 3


def ask(refs: list[str], texts: Any = (), **more: Any) -> list[TokenizerOutput]:
    request = {"tokenizers": refs, "texts": [list(one) for one in texts], **more}
    events = list(Handlers().by_type["tokenize"](request, lambda: False))
    assert events[-1] == {"event": "done"}
    return [from_table(json.loads(json.dumps(one["reading"]))) for one in events[:-1] if one]


def save_bytes(path: Path) -> Path:
    make_tokenizer().save_pretrained(path)
    return path


def save_unigram(path: Path) -> Path:
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=260, unk_token="<unk>", special_tokens=["<unk>", "</s>"], show_progress=False
    )
    made.train_from_iterator(CORPUS, trainer)
    made.save(str(path))
    return path


def save_word_pieces(path: Path) -> Path:
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=200, special_tokens=["[UNK]", "[CLS]"], show_progress=False
    )
    made.train_from_iterator(CORPUS[:1], trainer)
    made.save(str(path))
    return path


def gguf_of(tokenizer: Any, **more: Any) -> bytes:
    """A byte-level tokenizer as llama.cpp would keep it."""
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    special = set(tokenizer.added_tokens_decoder)
    return pack_gguf(
        {
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.pre": "gpt-2",
            "tokenizer.ggml.tokens": pieces,
            "tokenizer.ggml.token_type": [3 if at in special else 1 for at in range(len(pieces))],
            "tokenizer.ggml.merges": [" ".join(pair) for pair in model["merges"]],
            "tokenizer.ggml.eos_token_id": tokenizer.eos_token_id,
            "tokenizer.chat_template": CHATML,
            **more,
        }
    )


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tokenizers")
    (folder / "words.gguf").write_bytes(gguf_of(make_tokenizer()))
    (folder / "small.model").write_bytes(small_model())
    return {
        "byte-level BPE": save_bytes(folder / "bytes"),
        "Unigram": save_unigram(folder / "unigram.json"),
        "WordPiece": save_word_pieces(folder / "word.json"),
        "GGUF": folder / "words.gguf",
        "SentencePiece": folder / "small.model",
    }


def test_every_kind_gives_all_of_the_text_and_all_of_its_ids(kinds: dict[str, Path]) -> None:
    outputs = ask([str(path) for path in kinds.values()], TEXTS)
    for (kind, path), output in zip(kinds.items(), outputs, strict=True):
        assert output.trouble is None, output
        tokenizer, _ = load.load(str(path), [])
        for (name, text), found in zip(TEXTS, output.texts, strict=True):
            assert "".join(one.text for one in found.tokens) == text, (kind, name)
            ids = [one for token in found.tokens for one in token.ids]
            assert ids == tokenizer(text, add_special_tokens=False)["input_ids"], (kind, name)
            assert found.count.tokens == len(ids)
            assert (found.count.name, found.count.bytes) == (name, len(text.encode()))
    bytes_, unigram, words, gguf, small = outputs
    assert [one.kind for one in (bytes_, unigram, words)] == list(kinds)[:3]
    assert all(found.count.lost == () for found in bytes_.texts), "bytes lose nothing"
    assert gguf.texts == bytes_.texts, "the same vocabulary in another format"
    by_name = {found.count.name: found.count for found in words.texts}
    assert "letter case" in by_name["English"].lost
    assert by_name["Persian"].unknown > 0
    assert small.texts[0].count.unknown > 0


def test_tokens_of_one_character_come_together(kinds: dict[str, Path]) -> None:
    (output,) = ask([str(kinds["byte-level BPE"])], [("x", "ab 👋🏽é")])
    shown = [(one.text, len(one.ids)) for one in output.texts[0].tokens]
    assert shown[-3:] == [("👋", 4), ("🏽", 4), ("é", 2)]


def test_special_tokens_in_a_text_are_marked(kinds: dict[str, Path]) -> None:
    (output,) = ask([str(kinds["byte-level BPE"])], [("x", "a<|im_end|>b")])
    marks = {one.text: one.mark for one in output.texts[0].tokens}
    assert marks["<|im_end|>"] == "special"
    assert marks["a"] == ""


def test_a_huge_text_is_cut_and_half_characters_are_replaced(kinds: dict[str, Path]) -> None:
    text = "y\ud800" * MOST_CHARACTERS
    (output,) = ask([str(kinds["byte-level BPE"])], [("huge", text)])
    found = output.texts[0]
    assert (found.count.characters, found.count.cut) == (MOST_CHARACTERS, MOST_CHARACTERS)
    assert len(found.tokens) <= MOST_TOKENS < found.count.tokens
    assert found.tokens[1].text == "�"


def test_a_spelled_sentencepiece_model_cuts_at_the_best_pieces(tmp_path: Path) -> None:
    path = tmp_path / "m.model"
    for kind, found in ((1, ["▁ab", "c"]), (2, ["▁a", "bc"])):
        last = -0.1 if kind == 1 else -5.0
        scores = {"▁": -9, "a": -9, "b": -9, "c": -3, "bc": -1.5, "▁a": -2, "▁ab": last}
        pieces = [("<unk>", 0.0, 2), *((piece, score, 1) for piece, score in scores.items())]
        path.write_bytes(pack_model(pieces, kind))
        (output,) = ask([str(path)], [("x", "abc")])
        assert [one.pieces[0] for one in output.texts[0].tokens] == found


def test_templates_beside_raw_with_special_tokens_marked(kinds: dict[str, Path]) -> None:
    said = [{"role": one.role, "content": one.content} for one in CONVERSATION]
    own, alone, words = ask(
        [str(kinds["byte-level BPE"]), str(kinds["GGUF"]), str(kinds["WordPiece"])],
        messages=said, forms=["", "raw", "chatml", "nowhere.jinja"], answer_next=True,
    )  # fmt: skip
    chat, raw, chatml, missing = own.renders
    assert chat.text.endswith("<|im_end|>\n<|im_start|>assistant\n")
    assert chat.count == sum(len(one.ids) for one in chat.tokens)
    assert [one.text for one in chat.tokens if one.mark == "special"] == [
        "<|im_start|>", "<|im_end|>",
    ] * 3 + ["<|im_start|>"]  # fmt: skip
    assert raw.text == "\n\n".join(one.content for one in CONVERSATION)
    assert chatml.text == chat.text
    assert "cannot be read" in missing.trouble
    assert alone.renders[0].text == chat.text, "the GGUF brings its template"
    assert "no EOS token" in words.renders[0].trouble
    assert words.renders[1].trouble == ""


def test_a_nasty_template_is_refused_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "nasty.gguf"
    for template, reason in (
        ("{{ ''.__class__.__mro__ }}{{ messages[0].content }}", "unsafe"),
        ("{{ 9 ** 9 }}", "power"),
        ("{% for %}", "syntax error"),
        ("{{ raise_exception('no') }}", "no"),
    ):
        changes = {"tokenizer.chat_template": template}
        path.write_bytes(gguf_of(make_tokenizer(), **changes))
        (output,) = ask([str(path)], messages=[{"role": "user", "content": "hi"}])
        assert reason in output.renders[0].trouble
        assert output.renders[1].trouble == "", "raw needs no template"


class Evil:
    def __reduce__(self) -> Any:
        return (os.system, ("touch owned",))


def test_what_cannot_be_read_says_why_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {
        "lfs/tokenizer.json": LFS_POINTER,
        "cut/tokenizer.json": b'{"model": {"type": "BPE", "vocab": {"a": 0',
        "odd/tokenizer.json": b'{"model": {"type": "Unheard"}}',
        "none/tokenizer.json": b"[1, 2]",
        "evil/tokenizer.pkl": pickle.dumps(Evil()),
        "evil/tokenizer.model": pickle.dumps(Evil()),
        "mine.tiktoken": b"IQ== 0\n",
        "text.txt": b"just a text",
        "code/tokenizer_config.json": b'{"auto_map": {"AutoTokenizer": ["evil.Evil", null]}}',
        "code/tokenizer.model": small_model(),
        "code/evil.py": b"open('owned', 'w')",
        "code/config.json": b'{"model_type": "llama"}',
        "empty/readme": b"",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "pipe.json")
    expected = {
        "lfs/tokenizer.json": "git-LFS",
        "cut/tokenizer.json": "is not JSON",
        "cut": "truncated or not JSON",
        "odd/tokenizer.json": "cannot be read",
        "none/tokenizer.json": "has no tokenizer",
        "evil/tokenizer.pkl": "not a supported tokenizer",
        "evil/tokenizer.model": "not a SentencePiece model",
        "evil": "not a SentencePiece model",
        "mine.tiktoken": "tiktoken",
        "text.txt": "not a supported tokenizer",
        "code": "custom code, which is not supported",
        "empty": "missing tokenizer",
        "pipe.json": "not a regular file",
        "nowhere": "Tokenizer not found:",
        "": "path is empty",
    }
    outputs = ask([str(tmp_path / name) if name else "" for name in list(expected)[:8]])
    outputs += ask([str(tmp_path / name) if name else "" for name in list(expected)[8:]])
    for output, (name, reason) in zip(outputs, expected.items(), strict=True):
        assert output.trouble is not None, name
        assert reason in " ".join(output.trouble), (name, output.trouble)
    assert not (tmp_path / "owned").exists()


def test_too_much_at_once_is_refused_and_a_cancel_ends_it(kinds: dict[str, Path]) -> None:
    with pytest.raises(EngineError, match="Too many"):
        ask(["x"] * 17)
    with pytest.raises(EngineError, match="No tokenizer"):
        ask([])
    with pytest.raises(EngineError, match="texts"):
        ask(["x"], [("only a name",)])
    refs = [str(kinds["GGUF"])] * 2
    request = {"tokenizers": refs, "texts": []}
    events = list(Handlers().by_type["tokenize"](request, lambda: True))
    assert events == [{"event": "done"}]


def test_names_tell_tokenizers_apart() -> None:
    assert names_of(["bundled:demo-base", "/a/x/tokenizer.json", "/b/x.gguf", "/c/x.gguf"]) == [
        "demo-base", "x/tokenizer.json", "b/x.gguf", "c/x.gguf",
    ]  # fmt: skip
    cached = "/c/models--org--name/snapshots/0123456789"
    assert names_of([cached, f"{cached}/tokenizer.json", "/c/models--o--m/snapshots/01"]) == [
        "org/name", "org/name/tokenizer.json", "o/m",
    ]  # fmt: skip
    assert names_of([cached, cached.replace("01", "91")]) == [
        "org/name@01234567", "org/name@91234567",
    ]  # fmt: skip


@pytest.mark.skipif(not REAL.is_dir(), reason="no vocabularies of others here")
@pytest.mark.parametrize("name", ["gpt-2", "llama-spm", "phi-3"])
def test_vocabularies_of_others_give_the_ids_that_are_expected(name: str) -> None:
    path = REAL / f"ggml-vocab-{name}.gguf"
    texts = path.with_name(path.name + ".inp").read_bytes().decode()
    expected = path.with_name(path.name + ".out").read_text().split("\n")
    tokenizer, _ = load.load(str(path), [])
    asked = texts.split("\n__ggml_vocab_test__\n")
    assert len(asked) > 40
    for text, ids in zip(asked, expected, strict=False):
        found = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert found == [int(one) for one in ids.split()], text


def test_messages_are_checked() -> None:
    with pytest.raises(EngineError, match="A conversation is a list"):
        ask(["bundled:demo-base"], messages=[{"role": "nobody", "content": Message}])
