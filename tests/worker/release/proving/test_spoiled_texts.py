"""Exports whose texts are spoiled in one way each: the check that is for it names what differs.

Files are tokenizers without weights, for no check of texts reads a weight.
"""

import dataclasses
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, processors

from engine.errors import EngineError
from engine.release.proof import Check
from engine.worker.model.loading import load_tokenizer
from engine.worker.release.proving import end_checks, text_checks, token_checks
from engine.worker.release.proving.proof_spec import ProofSpec
from engine.worker.release.proving.text_checks import check_texts
from engine.worker.tokenizers.pre_tokenizers import TABLE
from tests.worker.release.gguf_headers import Header, header_of, write_header
from tests.worker.release.tokenizers_for_gguf import save_byte_level, save_sentence_pieces

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\\n' + message.content }}"
    "{% for call in message.tool_calls or [] %}{{ call.function | tojson }}{% endfor %}"
    "{{ '<|im_end|>\\n' }}"
    "{% endfor %}{% if tools %}{{ tools | tojson }}{% endif %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
STRINGS = 500
BYTE_LEVEL, PIECES = "byte-level", "SentencePiece"
ROW = next(row for row in TABLE if row.name == "qwen2")
THINK = "<think>"


@dataclass(frozen=True)
class Run:
    """A run's tokenizer, what is shipped of it unspoiled, and the ids that end its answers."""

    folder: Path
    header: Header
    ends: tuple[int, ...]


def make_run(kind: str, folder: Path) -> Run:
    saved: dict[str, Any] = {"template": TEMPLATE, "rows": 960 if kind == BYTE_LEVEL else 1200}
    if kind == BYTE_LEVEL:
        save_byte_level(folder, ROW, **saved)
    else:
        save_sentence_pieces(folder, **saved)
    tokenizer = load_tokenizer(folder)
    tokenizer.add_tokens([AddedToken(THINK, normalized=False)])
    tokenizer.save_pretrained(folder)
    ends = tuple(tokenizer.convert_tokens_to_ids(["<|im_end|>", THINK]))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": list(ends)}))
    return Run(folder, header_of(folder, folder.parent, ends), ends)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    return {
        kind: make_run(kind, tmp_path_factory.mktemp("run") / "run")
        for kind in (BYTE_LEVEL, PIECES)
    }


def spec_of(run: Run, shipped: Path, target: str) -> ProofSpec:
    return ProofSpec(
        target, shipped, None, "float32", run.folder, None, "none", run.folder, None, run.folder,
        None, run.ends, strings=STRINGS,
    )  # fmt: skip


def prove(run: Run, shipped: Path, target: str) -> dict[str, Check]:
    spec = spec_of(run, shipped, target)
    tokenizer = load_tokenizer(spec.tokenizer)
    return {check.name: check for check in check_texts(spec, tokenizer, lambda done, total: None)}


def prove_folder(run: Run, folder: Path, spoil: Callable[[Path], None]) -> dict[str, Check]:
    shutil.copytree(run.folder, folder)
    spoil(folder)
    return prove(run, folder, "merged")


def prove_gguf(run: Run, folder: Path, *edits: Callable[[Header], None]) -> dict[str, Check]:
    return prove(run, write_header(folder / "model.gguf", run.header, *edits), "gguf:bf16")


def failures(checks: dict[str, Check]) -> dict[str, str]:
    """The first difference of each check that failed, by its name."""
    return {
        name: check.differences[0] for name, check in checks.items() if check.status == "failed"
    }


@pytest.mark.parametrize("kind", [BYTE_LEVEL, PIECES])
def test_nothing_fails_that_is_not_spoiled(
    runs: dict[str, Run], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    run = runs[kind]
    folder = prove_folder(run, tmp_path / "folder", lambda folder: None)
    (tmp_path / "Modelfile").write_text(
        f'FROM ./model.gguf\nPARAMETER stop "<|im_end|>"\nPARAMETER stop """{THINK}"""\n'
    )
    file = prove_gguf(run, tmp_path)

    statuses = {name: check.status for name, check in (folder | file).items()}
    assert statuses == {
        text_checks.PROMPTS: "passed",
        text_checks.DOUBLED: "passed",
        token_checks.IDS: "passed",
        token_checks.CONVERSION: "passed" if kind == BYTE_LEVEL else "not proven",
        token_checks.LLAMACPP: "not proven",
        **({token_checks.PRE: "passed"} if kind == BYTE_LEVEL else {}),
        token_checks.TYPES: "passed",
        end_checks.ENDS: "passed",
        end_checks.OLLAMA_ENDS: "passed",
    }
    assert folder[token_checks.IDS].facts["strings"] == STRINGS
    # Template and tokenizer both bring a BOS, in the run as in what is shipped.
    assert folder[text_checks.DOUBLED].status == "stated"
    assert file[text_checks.PROMPTS].facts["with_tools"] == 5
    assert not any(check.differences for check in (folder | file).values())


def rewrite(name: str, edit: Callable[[Any], None]) -> Callable[[Path], None]:
    """Edits a JSON file of the folder."""

    def spoil(folder: Path) -> None:
        body = json.loads((folder / name).read_bytes())
        edit(body)
        (folder / name).write_text(json.dumps(body, ensure_ascii=False))

    return spoil


def replace_template(old: str, new: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "chat_template.jinja"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return spoil


def double_bos(rules: Any) -> None:
    rules["post_processor"]["single"].insert(0, rules["post_processor"]["single"][0])


def drop_added(rules: Any) -> None:
    rules["added_tokens"] = [
        one for one in rules["added_tokens"] if one["content"] != "<|im_start|>"
    ]
    del rules["model"]["vocab"]["<|im_start|>"]


def stop_special(rules: Any) -> None:
    for one in rules["added_tokens"]:
        if one["content"] == "<|im_start|>":
            one["content"] = "<|im_star|>"
    rules["model"]["vocab"]["<|im_star|>"] = rules["model"]["vocab"].pop("<|im_start|>")


def single_digits(rules: Any) -> None:
    text = json.dumps(rules["pre_tokenizer"])
    rules["pre_tokenizer"] = json.loads(text.replace("\\\\p{N}|", "\\\\p{N}{1,3}|"))


@pytest.mark.parametrize(
    ("spoil", "check", "shows"),
    [
        (replace_template("<|im_end|>\\n", "<|im_end|>"), text_checks.PROMPTS, "character"),
        (
            replace_template("{% if tools %}", "{% if not tools %}{{ raise_exception('no') }}"),
            text_checks.PROMPTS,
            "refuses it: no",
        ),
        (lambda folder: (folder / "chat_template.jinja").unlink(), text_checks.PROMPTS, "none"),
        (
            lambda folder: (folder / "generation_config.json").unlink(),
            end_checks.ENDS,
            "generation_config.json",
        ),
        (rewrite("tokenizer.json", stop_special), token_checks.IDS, "<|im_star"),
        (rewrite("tokenizer.json", drop_added), token_checks.IDS, "<|im_start|>"),
        (rewrite("tokenizer.json", single_digits), token_checks.IDS, "0"),
        (
            rewrite("tokenizer_config.json", lambda body: body.update(eos_token="</s>")),
            token_checks.IDS,
            "eos_token is",
        ),
        (lambda folder: (folder / "tokenizer.json").unlink(), text_checks.OPENED, "tokenizer"),
    ],
)
def test_a_folder_that_is_spoiled_is_named(
    runs: dict[str, Run],
    spoil: Callable[[Path], None],
    check: str,
    shows: str,
    tmp_path: Path,
) -> None:
    found = failures(prove_folder(runs[BYTE_LEVEL], tmp_path / "folder", spoil))

    assert check in found
    assert shows in found[check]


def test_a_file_that_is_none_is_named_without_its_path(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")

    found = failures(prove(runs[BYTE_LEVEL], tmp_path / "model.gguf", "gguf:bf16"))

    assert list(found) == [text_checks.OPENED]
    assert str(tmp_path) not in found[text_checks.OPENED]


def test_a_run_that_cannot_be_opened_is_an_error(runs: dict[str, Run], tmp_path: Path) -> None:
    run = dataclasses.replace(runs[BYTE_LEVEL], folder=tmp_path / "gone")

    with pytest.raises(EngineError, match="tokenizer"):
        prove(run, runs[BYTE_LEVEL].folder, "merged")


def test_a_tokenizer_that_doubles_bos_where_that_of_the_run_does_not(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    run = runs[PIECES]
    plain = tmp_path / "run"
    shutil.copytree(run.folder, plain)
    tokenizer = load_tokenizer(plain)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing("$A")
    tokenizer.save_pretrained(plain)

    checks = prove(Run(plain, {}, run.ends), run.folder, "merged")

    assert list(failures(checks)) == [text_checks.DOUBLED]
    assert "as a server reads it: token 2: run" in failures(checks)[text_checks.DOUBLED]


def test_an_adapters_ends_that_its_base_does_not_bring_are_stated(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    run = runs[BYTE_LEVEL]
    base = tmp_path / "base"
    base.mkdir()
    spec = dataclasses.replace(spec_of(run, run.folder, "adapter"), shipped_base=base)

    def state(ends: Any) -> Check:
        (base / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))
        tokenizer = load_tokenizer(spec.tokenizer)
        checks = check_texts(spec, tokenizer, lambda done, total: None)
        found = {check.name: check for check in checks}
        assert not failures(found)
        return found[end_checks.BASE_ENDS]

    assert state(list(run.ends)).status == "passed"
    lacking = state(run.ends[0])
    assert lacking.status == "stated"
    assert f"which lacks '{THINK}'" in lacking.summary


def test_characters_that_llama_cpp_does_not_compose_are_stated(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(runs[BYTE_LEVEL].folder, folder)
    rewrite("tokenizer.json", lambda rules: rules.update(normalizer={"type": "NFC"}))(folder)
    run = dataclasses.replace(runs[BYTE_LEVEL], folder=folder)

    found = prove_gguf(run, tmp_path)

    assert not failures(found)
    stated = found[token_checks.COMPOSED]
    assert stated.status == "stated"
    assert 10 < stated.facts["different"] <= stated.facts["strings"]
    assert found[token_checks.IDS].facts["left_out"] == stated.facts["strings"]
    assert "strings that are not composed (NFC) are left out" in found[token_checks.IDS].summary
    # Not so where a folder is shipped: its tokenizer composes as the run's does.
    assert token_checks.COMPOSED not in prove(run, folder, "merged")


@pytest.mark.parametrize(("template", "note"), [(TEMPLATE, "after a special"), ("", "read alone")])
def test_a_space_before_the_first_word_alone_is_compared_where_it_can_be(
    template: str, note: str, tmp_path: Path
) -> None:
    folder = save_sentence_pieces(tmp_path / "run", scheme="first", template=template)
    ends = (load_tokenizer(folder).eos_token_id,)
    run = Run(folder, header_of(folder, tmp_path, ends), ends)

    found = prove_gguf(run, tmp_path)

    assert not failures(found)
    assert found[token_checks.IDS].status == "passed"
    assert note in found[token_checks.IDS].summary
    space = run.header["tokenizer.ggml.add_space_prefix"]
    spoiled = prove_gguf(run, tmp_path, set_key("ggml.add_space_prefix", not space))
    assert token_checks.IDS in failures(spoiled) or text_checks.PROMPTS in failures(spoiled)


def set_type(text: str, kind: int) -> Callable[[Header], None]:
    def edit(header: Header) -> None:
        header["tokenizer.ggml.token_type"][header["tokenizer.ggml.tokens"].index(text)] = kind

    return edit


def set_key(name: str, value: Any) -> Callable[[Header], None]:
    def edit(header: Header) -> None:
        header[f"tokenizer.{name}"] = value

    return edit


def rename(old: str, new: str) -> Callable[[Header], None]:
    def edit(header: Header) -> None:
        tokens = header["tokenizer.ggml.tokens"]
        tokens[tokens.index(old)] = new

    return edit


def swap_file_merges(header: Header) -> None:
    header["tokenizer.ggml.merges"][:40] = reversed(header["tokenizer.ggml.merges"][:40])


@pytest.mark.parametrize(
    ("kind", "edit", "check", "shows"),
    [
        (BYTE_LEVEL, set_key("ggml.pre", "llama-bpe"), token_checks.IDS, "token"),
        (BYTE_LEVEL, set_key("ggml.pre", "default"), token_checks.PRE, "'default'"),
        (BYTE_LEVEL, swap_file_merges, token_checks.IDS, "token"),
        (PIECES, set_key("ggml.add_space_prefix", False), token_checks.IDS, "token 1"),
        (BYTE_LEVEL, set_type("<|im_start|>", 1), token_checks.IDS, "<|im_start|>"),
        (PIECES, set_type("<|im_start|>", 4), token_checks.TYPES, "is user-defined, not control"),
        (PIECES, set_type("<0x0A>", 1), token_checks.TYPES, "is normal, not byte"),
        (BYTE_LEVEL, set_type(THINK, 1), token_checks.TYPES, "is normal, not user-defined"),
        (BYTE_LEVEL, set_type("a", 3), token_checks.TYPES, "'a' is control, not normal"),
        (BYTE_LEVEL, rename(THINK, "[PAD7]"), token_checks.IDS, "think"),
        (BYTE_LEVEL, set_key("ggml.bos_token_id", 3), text_checks.PROMPTS, "</s>"),
        (BYTE_LEVEL, set_key("ggml.add_eos_token", True), text_checks.PROMPTS, "server reads it"),
        (BYTE_LEVEL, set_key("ggml.eot_token_id", 5), end_checks.ENDS, THINK),
    ],
)  # fmt: skip
def test_a_gguf_file_that_is_spoiled_is_named(
    runs: dict[str, Run],
    kind: str,
    edit: Callable[[Header], None],
    check: str,
    shows: str,
    tmp_path: Path,
) -> None:
    found = failures(prove_gguf(runs[kind], tmp_path, edit))

    assert check in found
    assert shows in found[check]
