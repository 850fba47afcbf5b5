"""Any tokenizer that lies on this machine, as one that can be called: folders, files, GGUF.

Runs no code that comes with one. What cannot be read, or needs a library that is not there, is
refused with the reason.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    normalizers,
    pre_tokenizers,
    processors,
)
from tokenizers import models as algorithms

from engine.checkpoints import describe
from engine.checkpoints import tokenizer_check as catalogue
from engine.checkpoints.gguf_header import MAGIC
from engine.compare.arm_weights import locate
from engine.compare.arms import Arm
from engine.errors import EngineError
from engine.jobs.directory import RUN
from engine.safe_open import list_files, open_regular, read_bounded, recognise_impostor
from engine.worker.model import loading
from engine.worker.tokenizers import gguf, sentencepiece, splits
from engine.worker.tokenizers.vocabulary import BYTE, CONTROL, NORMAL, USER, Vocabulary

LARGEST = 256 << 20
"""Bytes of a tokenizer.json."""
KINDS = "tokenizer.json, a model's folder, a SentencePiece .model, or a .gguf"
_SPACE = "▁"
_NOT_STRIPPED = ("<unk>", "<s>", "<|endoftext|>")
"""Of Phi-3, the special tokens that leave the white space after them."""
UNKNOWN_SPLIT = "unknown pre-tokenizer"
"""How the note of a split that is not known begins."""


def load(ref: str, runs: Sequence[Path]) -> tuple[Any, tuple[str, ...]]:
    """The tokenizer that `ref` names, and what the user should know of it. Raises EngineError.

    `ref` is a file, a folder, `bundled:NAME`, `run:ID` or a name in the hub's cache.
    """
    path = find(ref, runs)
    if path.is_dir():
        return _read_folder(path)
    return load_file(path)


def find(ref: str, runs: Sequence[Path]) -> Path:
    """Where the tokenizer lies; a folder of weights is not needed. Raises EngineError."""
    if not ref.strip():
        raise EngineError("A tokenizer path is empty.", hint=f"Use {KINDS}.")
    if ref.startswith((RUN, "bundled:")):
        return locate(Arm("tokenizer", ref), runs).tokenizer
    try:
        path = Path(ref).expanduser()
        there = path.exists()
    except (OSError, RuntimeError, ValueError):
        there = False
    if there and not path.is_dir():
        return path
    folder = describe.locate(ref)
    if folder is None:
        raise EngineError(
            f"Tokenizer not found: {ref}", hint=describe.suggest_get(ref) or f"Use {KINDS}."
        )
    if "adapter_config.json" in list_files(folder) and not _vocabularies(folder):
        return locate(Arm("tokenizer", ref), runs).tokenizer
    return folder


def _vocabularies(folder: Path) -> list[str]:
    names = list_files(folder)
    return [name for name in catalogue.VOCABULARIES if name in names]


def _read_folder(folder: Path) -> tuple[Any, tuple[str, ...]]:
    names = list_files(folder)
    files = _vocabularies(folder)
    models_here = [name for name in names if name.endswith(".gguf")]
    if not files and len(models_here) == 1:
        return load_file(folder / models_here[0])
    if reason := catalogue.check_tokenizer(folder, list(names)):
        raise EngineError(f"The tokenizer of {folder.name} cannot be used: {reason}", str(folder))
    if "tokenizer_config.json" not in names and "config.json" not in names:
        return load_file(folder / files[0])
    with _library(folder):
        return loading.load_tokenizer(folder), ()


def load_file(path: Path) -> tuple[Any, tuple[str, ...]]:
    """The tokenizer in a file, and what the user should know of it. Raises EngineError."""
    with open_regular(path) as file:
        head = file.read(512)
    if impostor := recognise_impostor(head):
        raise EngineError(f"{path.name} {impostor}", str(path))
    if head.startswith(MAGIC):
        vocabulary = gguf.read_vocabulary(path)
        return open_vocabulary(vocabulary, path)
    if path.suffix == ".json" or head.lstrip().startswith(b"{"):
        return _read_json(path)
    if path.suffix == ".tiktoken":
        raise EngineError(
            f"{path.name} needs tiktoken and rules of its model",
            str(path),
            "Use the model folder, if it has a tokenizer.json.",
        )
    if path.suffix == ".model" or head.startswith(b"\n"):
        return open_vocabulary(sentencepiece.read_vocabulary(path), path)
    raise EngineError(f"{path.name} is not a supported tokenizer", str(path), f"Use {KINDS}.")


def _read_json(path: Path) -> tuple[Any, tuple[str, ...]]:
    text = read_bounded(path, LARGEST).decode("utf-8", "replace")
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EngineError(f"{path.name} is not JSON", f"{path}: {error}") from None
    if not isinstance(table, dict) or not isinstance(table.get("model"), dict):
        raise EngineError(f"{path.name} has no tokenizer", str(path), f"Use {KINDS}.")
    with _library(path):
        fast = _fast(Tokenizer.from_str(text), path, **_unknown(table["model"]))
    return fast, ("a tokenizer.json has no chat template",)


def _unknown(model: dict[str, Any]) -> dict[str, str]:
    """The token for what the vocabulary lacks, by name or, in Unigram, by its place."""
    name, at, pieces = model.get("unk_token"), model.get("unk_id"), model.get("vocab")
    if name is None and isinstance(at, int) and isinstance(pieces, list) and at < len(pieces):
        name = pieces[at][0]
    return {"unk_token": name} if isinstance(name, str) else {}


def open_vocabulary(vocabulary: Vocabulary, path: Path) -> tuple[Any, tuple[str, ...]]:
    """The tokenizer of a vocabulary that was read from `path`, and what the user should know of
    it. Raises EngineError."""
    with _library(path):
        built, notes = build(vocabulary)
        names = {
            f"{name}_token": vocabulary.pieces[at]
            for name in ("bos", "eos", "pad")
            if (at := getattr(vocabulary, name)) is not None
        }
        if vocabulary.unknown is not None:
            names["unk_token"] = vocabulary.pieces[vocabulary.unknown]
        fast = _fast(built, path, **names)
    fast.chat_template = vocabulary.template or None
    return fast, (*vocabulary.notes, *notes)


def build(vocabulary: Vocabulary) -> tuple[Tokenizer, tuple[str, ...]]:
    """The tokenizer that a vocabulary describes, and what could not be told from it."""
    notes: tuple[str, ...] = ()
    if vocabulary.kind == "byte-level BPE":
        built, notes = _byte_level(vocabulary)
    elif vocabulary.kind == "WordPiece":
        built = _word_pieces(vocabulary)
    else:
        built = _sentence_pieces(vocabulary)
    for kind, special in ((CONTROL, True), (USER, False)):
        pieces = [vocabulary.pieces[at] for at in vocabulary.of_type(kind)]
        built.add_tokens(
            [
                AddedToken(
                    one,
                    normalized=False,
                    special=special,
                    rstrip=vocabulary.strips_right and one not in _NOT_STRIPPED,
                )
                for one in pieces
                if one
            ]
        )
    _add_ends(built, vocabulary)
    return built, notes


def _byte_level(vocabulary: Vocabulary) -> tuple[Tokenizer, tuple[str, ...]]:
    ids = _ids(vocabulary)
    merges = [pair for pair in vocabulary.merges if {*pair, "".join(pair)} <= ids.keys()]
    name = vocabulary.split
    built = Tokenizer(algorithms.BPE(ids, merges, ignore_merges=splits.takes_whole_words(name)))
    built.decoder = decoders.ByteLevel()
    split = splits.split_of(name)
    built.pre_tokenizer = split or pre_tokenizers.ByteLevel(add_prefix_space=False)
    if split is None:
        return built, (f"{UNKNOWN_SPLIT} {name}: GPT-2's is used; counts may differ slightly",)
    return built, ()


def knows_split(vocabulary: Vocabulary) -> bool:
    """Whether it is known how text is cut into words before the vocabulary's merges."""
    if vocabulary.kind != "byte-level BPE":
        return True
    return splits.split_of(vocabulary.split) is not None


def _word_pieces(vocabulary: Vocabulary) -> Tokenizer:
    """GGUF writes ▁ before what begins a word; WordPiece writes ## before what does not."""
    types = vocabulary.types or (NORMAL,) * len(vocabulary.pieces)
    spelled = [
        piece[1:] if piece.startswith(_SPACE) else piece if kind != NORMAL else f"##{piece}"
        for piece, kind in zip(vocabulary.pieces, types, strict=True)
    ]
    ids = {piece: at for at, piece in reversed(list(enumerate(spelled)))}
    unknown = spelled[vocabulary.unknown] if vocabulary.unknown is not None else "[UNK]"
    built = Tokenizer(algorithms.WordPiece(ids, unk_token=unknown))
    built.normalizer = normalizers.BertNormalizer()
    built.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    built.decoder = decoders.WordPiece()
    return built


def _sentence_pieces(vocabulary: Vocabulary) -> Tokenizer:
    falls_back = BYTE in vocabulary.types
    pieces = vocabulary.pieces
    unknown = vocabulary.unknown
    if vocabulary.kind == "Unigram":
        scored = list(zip(pieces, vocabulary.scores, strict=True))
        model: Any = algorithms.Unigram(scored, unknown or 0, byte_fallback=falls_back)
    else:
        model = algorithms.BPE(
            _ids(vocabulary),
            list(vocabulary.merges) or _merges(vocabulary),
            unk_token=None if unknown is None else pieces[unknown],
            fuse_unk=True,
            byte_fallback=falls_back,
        )
    built = Tokenizer(model)
    rules: list[Any] = []
    if vocabulary.charsmap:
        rules.append(normalizers.Precompiled(vocabulary.charsmap))
    if vocabulary.squeezes_spaces:
        rules += [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    space = _SPACE if vocabulary.escapes_spaces else " "
    if vocabulary.leading_space:
        rules.append(normalizers.Prepend(space))
    if vocabulary.escapes_spaces:
        rules.append(normalizers.Replace(" ", _SPACE))
    built.normalizer = normalizers.Sequence(rules)
    undone: list[Any] = [decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    if vocabulary.leading_space:
        undone.append(decoders.Strip(" ", 1, 0))
    built.decoder = decoders.Sequence(undone)
    return built


def _ids(vocabulary: Vocabulary) -> dict[str, int]:
    """Of pieces that occur twice, the first counts, as for SentencePiece."""
    return {piece: at for at, piece in reversed(list(enumerate(vocabulary.pieces)))}


def _merges(vocabulary: Vocabulary) -> list[tuple[str, str]]:
    """The merges that the scores imply: the pair that makes the best piece is joined first."""
    ids = {
        piece: at
        for piece, at in _ids(vocabulary).items()
        if not vocabulary.types or vocabulary.types[at] in (NORMAL, USER)
    }
    scores = vocabulary.scores or tuple(-float(at) for at in range(len(vocabulary.pieces)))
    merges = [
        (-scores[at], ids[piece[:cut]], ids[piece[cut:]], piece[:cut], piece[cut:])
        for piece, at in ids.items()
        for cut in range(1, len(piece))
        if piece[:cut] in ids and piece[cut:] in ids
    ]
    return [(left, right) for *_, left, right in sorted(merges)]


def _add_ends(built: Tokenizer, vocabulary: Vocabulary) -> None:
    """What the tokenizer itself puts before and after a text."""
    first = vocabulary.bos if vocabulary.adds_bos else None
    last = vocabulary.eos if vocabulary.adds_eos else None
    known = [(vocabulary.pieces[at], at) for at in (first, last) if at is not None]
    if known:
        ends = [vocabulary.pieces[at] if at is not None else "" for at in (first, last)]
        single = f"{ends[0]} $A {ends[1]}".split()
        built.post_processor = processors.TemplateProcessing(single=single, special_tokens=known)


def _fast(built: Tokenizer, path: Path, **names: str) -> Any:
    from transformers import PreTrainedTokenizerFast

    wrapper: Any = PreTrainedTokenizerFast
    fast = wrapper(tokenizer_object=built, clean_up_tokenization_spaces=False, **names)
    fast.name_or_path = str(path)
    return fast


@contextmanager
def _library(path: Path) -> Iterator[None]:
    """What the tokenizers library says of a file as EngineError: it raises Exception itself."""
    try:
        yield
    except BaseException as error:
        rusts = type(error) is Exception or type(error).__module__ == "pyo3_runtime"
        if not rusts and not isinstance(error, ValueError | TypeError | KeyError | OverflowError):
            raise
        reason = str(error).strip().splitlines()
        raise EngineError(
            f"The tokenizer {path.name} cannot be read.",
            f"{path}: {reason[0][:300] if reason else type(error).__name__}",
            "It was written by another library version, or is damaged.",
        ) from None
