"""A tokenizer with more tokens than the model has embeddings: only tokens in use matter.

So have Gemma 3 1B and CodeLlama 34B. Every way to a model says which row holds which token, before
torch fails on it.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM

from engine.chat import Message
from engine.compare import samples
from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.worker.companion.handlers import Handlers
from engine.worker.data.encode import Encoded
from engine.worker.data.token_ids import check_row, explain_unknown, readable_pad_id
from engine.worker.inference.models import wrap_model
from engine.worker.inference.text_likelihood import read_texts
from tests.worker.data.test_report import inspect
from tests.worker.here import train_here
from tests.worker.inference.labelled import label_scores
from tests.worker.inference.test_generate_job import attempt_at, job_of
from tests.worker.tiny import WORDS, make_model, make_tokenizer, save_adapter
from tests.worker.training.test_train import make_recipe

NEW = [f"<new{at}>" for at in range(4)]
TOKENIZER = make_tokenizer()
KNOWN = len(TOKENIZER)
TOKENIZER.add_tokens(NEW)
REASON = f"token <new1> has id {KNOWN + 1}, and the model has {KNOWN} embeddings"


def save_wordy(path: Path, pad: str = "<|pad|>") -> Path:
    """A checkpoint whose tokenizer has four tokens too many; `pad` may be one of them."""
    tokenizer = make_tokenizer()
    tokenizer.add_tokens(NEW)
    tokenizer.pad_token = pad
    model = make_model(KNOWN)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_wordy(tmp_path_factory.mktemp("wordy") / "base")


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def pairs(bad: bool = True) -> list[dict[str, Any]]:
    """Rows of unequal length; the fifth has a token that the model does not know."""
    rows: list[dict[str, Any]] = [
        {"prompt": "say " * (at % 3) + f"number {at}", "completion": "yes " * (1 + at % 4)}
        for at in range(12)
    ]
    if bad:
        rows[4]["completion"] = "the <new1>"
    return rows


def rejects_of(job: JobDirectory) -> list[dict[str, Any]]:
    return [json.loads(line) for line in job.rejects.read_text().splitlines()]


def test_the_first_unknown_token_is_named() -> None:
    assert explain_unknown([5, KNOWN + 1, KNOWN], TOKENIZER, KNOWN) == REASON
    assert explain_unknown([5, KNOWN - 1], TOKENIZER, KNOWN) == ""
    assert explain_unknown([], TOKENIZER, KNOWN) == ""
    assert explain_unknown([KNOWN + 1], TOKENIZER, None) == ""
    assert explain_unknown([10**12], TOKENIZER, KNOWN).startswith("token id 1000000000000, and")


def test_a_row_is_refused_by_what_is_left_of_it() -> None:
    row = Encoded([3, KNOWN], [3, KNOWN], 2, True, "")
    refused = check_row(row, TOKENIZER, KNOWN)
    assert (refused.kept, refused.cut) == (False, 0)
    assert refused.reason.startswith("token <new0>")
    assert check_row(row, TOKENIZER, KNOWN + 1) is row
    already = Encoded([KNOWN], [KNOWN], 0, False, "too long")
    assert check_row(already, TOKENIZER, KNOWN) is already


@pytest.mark.parametrize(
    "changes",
    [(), ("method.kind=full",), ("training.packing=true",), ("forgetting.tokens=64",)],
)
def test_a_run_trains_on_all_other_rows(
    base: Path, tmp_path: Path, changes: tuple[str, ...]
) -> None:
    rows = write(tmp_path / "rows.jsonl", pairs())
    job = train_here(make_recipe(base, rows, "training.max_steps=2", *changes), tmp_path)
    (reject,) = rejects_of(job)
    assert (reject["line"], reject["reason"]) == (5, REASON)


def test_pairs_whose_worse_answer_cannot_be_read(base: Path, tmp_path: Path) -> None:
    pytest.importorskip("trl")
    rows = [
        {"prompt": f"say {at}", "chosen": "yes " * (1 + at % 3), "rejected": "no " * (2 + at % 2)}
        for at in range(12)
    ]
    rows[2]["rejected"] = "<new1>"
    path = write(tmp_path / "pairs.jsonl", rows)
    changes = ("training.objective=dpo", "training.max_steps=2")
    job = train_here(make_recipe(base, path, *changes), tmp_path)
    (reject,) = rejects_of(job)
    assert (reject["line"], reject["reason"]) == (3, f"the rejected answer: {REASON}")
    report = inspect(str(base), str(path), {"objective": "dpo"})
    assert [one["reason"] for one in report["rejects"]] == [f"the rejected answer: {REASON}"]
    assert (report["kept"], report["rejected"]) == (11, 1)
    report = inspect(str(base), str(path))
    assert report["unusable_pairs"] == {"rows": 1, "example": f"{path}:3"}
    assert (report["kept"], report["rejected"]) == (12, 0)


@pytest.mark.parametrize(
    "changes", [("method.kind=full",), ("method.kind=lora",), ("training.packing=true",)]
)
def test_a_pad_token_that_the_model_does_not_know_is_never_read(
    tmp_path: Path, changes: tuple[str, ...]
) -> None:
    """The most usual one: `<pad>` is added to a tokenizer, and the embedding left as it is."""
    base = save_wordy(tmp_path / "base", pad="<new3>")
    rows = write(tmp_path / "rows.jsonl", pairs(bad=False))
    recipe = make_recipe(base, rows, "training.max_steps=2", "training.batch_size=6", *changes)
    job = train_here(recipe, tmp_path)
    left = job.model if "method.kind=full" in changes else base
    model = AutoModelForCausalLM.from_pretrained(left)
    assert model.get_input_embeddings().num_embeddings == KNOWN
    if left == job.model:
        assert model.config.pad_token_id is None
        assert model.generation_config.pad_token_id is None


def test_padding_is_the_tokenizers_own_where_the_model_knows_it() -> None:
    assert readable_pad_id(TOKENIZER, KNOWN) == WORDS.index("<|pad|>")
    assert readable_pad_id(TOKENIZER, 2) == 0
    assert readable_pad_id(TOKENIZER, None) == WORDS.index("<|pad|>")


def test_a_template_that_writes_such_a_token_leaves_no_row(tmp_path: Path) -> None:
    base = save_wordy(tmp_path / "base")
    tokenizer = make_tokenizer("{% for m in messages %}<new1>{{ m.content }}{% endfor %}")
    tokenizer.add_tokens(NEW)
    tokenizer.save_pretrained(base)
    rows = write(tmp_path / "rows.jsonl", pairs(bad=False))
    with pytest.raises(EngineError, match="No rows left to train on") as error:
        train_here(make_recipe(base, rows), tmp_path)
    assert REASON in error.value.detail


def test_the_probe_of_the_forgetting_alarm_is_read_before_the_model(
    base: Path, tmp_path: Path
) -> None:
    rows = write(tmp_path / "rows.jsonl", pairs(bad=False))
    probe = tmp_path / "probe.txt"
    probe.write_text("the sea <new1>\n\n" * 9)
    changes = ("forgetting.tokens=64", f"forgetting.probe={probe}")
    with pytest.raises(EngineError, match="probe text") as error:
        train_here(make_recipe(base, rows, *changes), tmp_path)
    assert error.value.detail == REASON


def test_a_report_names_row_and_token(base: Path, tmp_path: Path) -> None:
    rows = str(write(tmp_path / "rows.jsonl", pairs()))
    report = inspect(str(base), rows, {"rows": 12})
    assert report["rejected"] == 1
    assert (report["rejects"][0]["line"], report["rejects"][0]["reason"]) == (5, REASON)
    assert [row["kept"] for row in report["rows"]].count(False) == 1
    assert report["too_long"]["dropped"]["rows"] == 0
    (before,) = Handlers().preview(
        {"checkpoint": str(base), "data": rows, "rows": 5}, lambda: False
    )
    assert before["rows"][4]["reason"] == REASON
    cut = inspect(str(base), rows, max_length=8)
    assert REASON not in [reject["reason"] for reject in cut["rejects"]]


def test_a_job_answers_all_other_prompts(base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(tmp_path / "adapter", base)
    job = job_of(tmp_path, [f"b={base}", f"t={base}+{adapter}"], ["no", "is <new1>?", "sea"])
    assert attempt_at(job) == "4 answers, 2 left out (see the log)"
    assert len(samples.read(job.samples)) == 4
    assert {reject["prompt_id"] for reject in rejects_of(job)} == {"asked-2"}
    assert all(REASON in reject["reason"] for reject in rejects_of(job))


def test_compare_says_so_before_it_loads_a_model(base: Path) -> None:
    handlers = Handlers()
    list(handlers.hello({"device": "cpu", "warm": False}, lambda: False))
    first, *_ = handlers.by_type["facts"](
        {"arms": [f"b={base}"], "text": "is <new1>?"}, lambda: False
    )
    assert first is not None
    assert REASON in first["arms"][0]["error"]["detail"]
    with pytest.raises(EngineError, match="does not know") as error:
        list(handlers.by_type["generate"]({"arm": f"b={base}", "text": "<new1>"}, lambda: False))
    assert REASON in error.value.detail


def test_texts_and_labels_are_checked_before_they_are_scored() -> None:
    arm = wrap_model(make_model(KNOWN), TOKENIZER)
    with pytest.raises(EngineError) as error:
        read_texts(arm, {"fine": "the sea", "poem": "the <new1> sea"})
    assert error.value.detail.startswith(f"poem: {REASON}")
    with pytest.raises(EngineError) as error:
        label_scores(arm, [[Message("user", "say")]], ["joy", "<new1>"])
    assert REASON in error.value.detail
