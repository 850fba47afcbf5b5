"""From a recipe's data to encoded rows: trained on, held out, counted, refused, replayed."""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from engine import atomic
from engine.chat import Message, message_from_json
from engine.compare import samples
from engine.compare.samples import Sample, Timings
from engine.data.rows import Example
from engine.data.unread import UnreadFields
from engine.errors import EngineError
from engine.jobs import directory, status
from engine.jobs.status import State
from engine.recipes.recipe import GenerateRecipe, TrainRecipe
from engine.recipes.settings import Data, Decode, Replay
from engine.worker.data.counts import Counts, describe
from engine.worker.data.encode import IGNORE_INDEX, Encoded, choose_template, encode, suggest_remedy
from engine.worker.data.prepare import PreparedDataset, prepare
from tests.worker.data.families import QWEN3
from tests.worker.tiny import CHATML, make_tokenizer

TOKENIZER = make_tokenizer()
TEMPLATE = choose_template(TOKENIZER)


def write(path: Path, rows: Iterable[object]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def pair(prompt: object, answer: object = "a") -> dict[str, str]:
    return {"prompt": str(prompt), "completion": str(answer)}


def make(data: Data, seed: int = 7, **more: Any) -> PreparedDataset:
    return prepare(data, TOKENIZER, TEMPLATE, seed, **more)


def said(row: Encoded) -> str:
    return str(TOKENIZER.decode(row.input_ids))


def learned(row: Encoded) -> str:
    return str(TOKENIZER.decode([label for label in row.labels if label != IGNORE_INDEX]))


def test_a_recipe_gives_the_same_rows_each_time(tmp_path: Path) -> None:
    data = Data(
        train=write(tmp_path / "a.jsonl", map(pair, range(40))), limit=20, eval_fraction=0.2
    )
    first = make(data)
    assert (len(first.train), len(first.eval)) == (16, 4)
    assert make(data) == first != make(data, seed=8)
    assert first.counts == Counts(read=40)
    assert (first.pairs, first.eval_pairs) == ([], [])


def test_what_became_of_every_row_is_counted(tmp_path: Path) -> None:
    rows = [
        *map(pair, range(6)),
        pair(" 0", "A"),
        pair("held", "a"),
        pair("asked", "one"),
        {"prompt": "bad"},
        pair("long", "word " * 200),
        pair("word " * 200, "truncated"),
    ]
    held = [pair("held"), pair("asked", "two"), pair("new")]
    path = write(tmp_path / "train.jsonl", rows)
    write(tmp_path / "eval.jsonl", held)
    cut = make(Data(train=path, max_length=40))
    assert (len(cut.train), len(cut.eval)) == (10, 3)
    assert cut.counts == Counts(read=15, rejected=2, cut=1, duplicates=1, leaked=1, asked=1)
    assert [(one["line"], one["reason"][:16]) for one in cut.rejects] == [
        (10, "missing field 'c"),
        (12, "the prompt alone"),
    ]
    assert cut.cut == 1
    dropped = make(Data(train=path, max_length=40, too_long="drop", deduplicate=True))
    assert (len(dropped.train), len(dropped.eval)) == (7, 3)
    assert dropped.counts == Counts(
        read=15, rejected=1, too_long=2, duplicates=1, leaked=1, asked=1, dropped=2
    )
    assert [one["line"] for one in dropped.rejects] == [10, 11, 12]
    assert not any("held" in said(row) for row in dropped.train)


def test_rows_that_open_with_an_answer_are_counted(tmp_path: Path) -> None:
    turns = [{"from": "gpt", "value": "hi"}, {"from": "human", "value": "q"}]
    turns.append({"from": "gpt", "value": "a"})
    path = write(tmp_path / "a.jsonl", [{"conversations": turns}, {"conversations": turns[1:]}])
    prepared = make(Data(train=path, eval_fraction=0))
    assert prepared.counts == Counts(read=2, greetings=1)
    assert list(map(learned, prepared.train)) == ["a<|im_end|>"] * 2


def test_rows_labelled_false_and_what_is_not_read_are_counted(tmp_path: Path) -> None:
    """In training, held-out and replayed rows together; the rejects say which rows they are."""
    rows = [pair(n) | {"label": n % 2 == 0, "id": f"n{n}"} for n in range(8)]
    path = write(tmp_path / "a.jsonl", [*rows, {"prompt": "bad"}])
    held = write(tmp_path / "b.jsonl", [pair("x") | {"label": good} for good in (True, False)])
    talk = [{"role": role, "content": role, "mood": "x"} for role in ("user", "assistant")]
    other = write(tmp_path / "c.jsonl", [{"messages": talk, "id": 1}] * 3)
    prepared = make(Data(train=path, eval=held), replay=Replay(data=other, share=0.2))
    assert (len(prepared.train), len(prepared.eval)) == (5, 1)
    assert (prepared.counts.labelled_false, prepared.counts.rejected) == (5, 1)
    assert (prepared.counts.unread.columns, prepared.counts.unread.keys) == ({"id": 7}, {"mood": 3})
    reasons = [one["reason"] for one in prepared.rejects]
    assert reasons.count("labelled false") == 5
    assert not any("1" in said(row) for row in prepared.train)


def test_where_all_rows_are_labelled_false_the_error_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [pair(n) | {"label": False} for n in range(3)])
    with pytest.raises(EngineError, match=r"3 labelled false"):
        make(Data(train=path))


def test_pairs_beside_conversations_are_pairs_for_dpo(tmp_path: Path) -> None:
    """The first row has a conversation alone; and what is before the answers is not compared."""
    asked = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    asked.append({"role": "user", "content": "r"})
    rows = [
        {"messages": asked, "chosen": {"role": "assistant", "content": f"good {n}"},
         "rejected": {"role": "assistant", "content": "bad"}}
        for n in range(4)
    ]  # fmt: skip
    first = {"messages": asked[:2], "chosen": None, "rejected": None}
    path = write(tmp_path / "a.jsonl", [first, *rows])
    prepared = make(Data(train=path, eval_fraction=0, shuffle=False), objective="dpo")
    assert [learned(one.chosen) for one in prepared.pairs] == [
        f"a<|im_end|>good {n}<|im_end|>" for n in range(4)
    ]
    assert {learned(one.rejected) for one in prepared.pairs} == {"a<|im_end|>bad<|im_end|>"}
    assert [one["line"] for one in prepared.rejects] == [1]
    sft = make(Data(train=path, eval_fraction=0, shuffle=False))
    assert [learned(row) for row in sft.train][:1] == ["a<|im_end|>"]
    only_pairs = write(tmp_path / "b.jsonl", rows)
    sft = make(Data(train=only_pairs, eval_fraction=0, shuffle=False))
    assert [said(row) for row in sft.train] == [said(one.chosen) for one in prepared.pairs]


def test_the_counts_are_said_in_sentences() -> None:
    unread = UnreadFields({"id": 12, "score": 12}, {"mood": 1})
    counts = Counts(
        2000, 3, 4, 5, 6, 7, 8, 9, 10, 50, 25, greetings=11, labelled_false=13, unread=unread
    )
    lines = list(describe(counts, 500, 256))
    for part in (
        "2,000 rows read, 3 rejected",
        "4 rows truncated at 256 tokens",
        "5 rows dropped: longer than 256 tokens",
        "6 duplicate training rows, 7 eval rows also in training; 9 rows dropped",
        "8 eval prompts also in training, with another answer",
        "10 training rows dropped",
        "11 rows open with an answer to nothing: it is not trained on",
        "13 rows labelled false: they are not trained on",
        "unread columns: id, score (12 rows)",
        "unread keys of messages: mood (1 row)",
        "50 of 500 rows are replay (25 distinct): 10.0%",
    ):
        assert any(part in line for line in lines), part
    assert list(describe(Counts(read=5), 5, 256)) == ["5 rows read"]


def test_named_eval_rows_are_read_like_the_training_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{"f": n, "text": "x", "w": "p"} for n in "bca"])
    held = write(tmp_path / "b.jsonl", [{"f": "a", "text": "y", "w": "r"}])
    data = Data(train=path, eval=held, columns={"label": "f"}, group="w")
    found = make(data)
    assert "one of: a, b, c." in said(found.eval[0])
    assert sorted(map(learned, found.train)) == ["a<|im_end|>", "b<|im_end|>", "c<|im_end|>"]
    write(tmp_path / "b.jsonl", [{"f": "a", "text": "y", "w": "r"}, {"f": "b", "text": "z"}])
    write(tmp_path / "a.jsonl", [{"f": n, "text": "x", "w": n} for n in "brca"])
    assert make(data).counts.grouped == 1


def test_plain_text_is_learned_whole(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("\n\n".join(f"Paragraph {number}, of some words." for number in range(40)))
    found = make(Data(train=str(path), max_length=64, eval_fraction=0.2))
    assert all("Paragraph" in learned(row) for row in found.train)
    assert found.eval


def test_no_row_left(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [pair("word " * 99)])
    with pytest.raises(EngineError, match="No rows left to train on") as caught:
        make(Data(train=path, max_length=16))
    assert "a.jsonl:1: the prompt alone" in caught.value.detail


def test_answers_in_contexts_of_their_own_are_rows_on_one_side_of_the_split(tmp_path: Path) -> None:
    tokenizer = QWEN3.tokenizer()
    path = write(tmp_path / "a.jsonl", [{"messages": talk(number)} for number in range(20)])
    data = Data(train=path, eval_fraction=0.25)
    found = prepare(data, tokenizer, choose_template(tokenizer), 7)
    sides = [
        [re.findall(r"which (\d+)", tokenizer.decode(row.input_ids)) for row in side]
        for side in (found.train, found.eval)
    ]
    # Of each conversation a row with its first answer, then one with both.
    assert [row[0] for row in sides[1][::2]] == [row[0] for row in sides[1][1::2]]
    assert {row[0] for row in sides[0]}.isdisjoint(row[0] for row in sides[1])
    assert (len(found.train), len(found.eval), len(found.eval_examples)) == (30, 10, 10)
    assert [row.answers for row in found.eval] == [(1,), (3,)] * 5
    assert (found.counts.read, found.counts.divided, found.counts.divided_rows) == (20, 20, 40)
    lines = list(describe(found.counts, 30, 1024))
    assert "20 conversations are 40 training rows" in lines[1]


def test_of_a_divided_conversation_each_row_is_refused_alone(tmp_path: Path) -> None:
    tokenizer = QWEN3.tokenizer()
    template = choose_template(tokenizer)
    path = write(tmp_path / "a.jsonl", [{"messages": talk(1)}])
    short, long = encode(
        Example(tuple(map(message_from_json, talk(1))), "x:1"), tokenizer, template, 500
    )
    limit = len(short.input_ids)
    assert limit < len(long.input_ids)
    found = prepare(Data(train=path, max_length=limit, too_long="drop"), tokenizer, template, 7)
    assert found.train == [short]
    assert (found.counts.rejected, found.counts.too_long) == (0, 1)
    assert [one["reason"] for one in found.rejects] == [
        f"training row 2 of 2: {len(long.input_ids)} tokens, more than max_length {limit}"
    ]


def test_replay_takes_as_many_rows_as_it_wants_of_divided_conversations(tmp_path: Path) -> None:
    tokenizer = QWEN3.tokenizer()
    own = write(tmp_path / "a.jsonl", [{"messages": talk(number)} for number in range(3)])
    old = write(tmp_path / "b.jsonl", [{"messages": talk(number)} for number in range(50, 60)])
    found = prepare(
        Data(train=own, eval_fraction=0), tokenizer, choose_template(tokenizer), 7,
        replay=Replay(data=old, share=1 / 3),
    )  # fmt: skip
    assert (len(found.train), found.counts.replayed) == (9, 3)


def talk(number: int, answer: str = "two") -> list[dict[str, str]]:
    texts = [f"which {number}?", f"one {number}", "and then?", f"{answer} {number}"]
    roles = ("user", "assistant") * 2
    return [{"role": one, "content": text} for one, text in zip(roles, texts, strict=True)]


def test_pairs_of_conversations_compare_the_rows_that_differ(tmp_path: Path) -> None:
    tokenizer = QWEN3.tokenizer()
    path = write(
        tmp_path / "a.jsonl",
        [
            {"chosen": talk(1, "good"), "rejected": talk(1, "bad")},
            {"chosen": talk(2, "same"), "rejected": talk(2, "same")},
        ],
    )
    data = Data(train=path, eval_fraction=0)
    found = prepare(data, tokenizer, choose_template(tokenizer), 7, objective="dpo")
    (pair_,) = found.pairs
    texts = [tokenizer.decode(row.input_ids) for row in (pair_.chosen, pair_.rejected)]
    assert texts[0].replace("good", "bad") == texts[1]
    assert texts[0].count("<think>") == 1
    assert pair_.chosen.answers == (3,)
    assert [(one["line"], one["reason"]) for one in found.rejects] == [
        (2, "the two answers are identical")
    ]


@pytest.mark.parametrize(
    ("text", "row", "hint"),
    [
        (
            "{% if messages|length > 2 %}{{ raise_exception('one turn only') }}{% endif %}",
            {"messages": talk(1)},
            "Set data.template = chatml, or to a Jinja file that takes these rows, or correct the "
            "rows.",
        ),
        ("", pair("word " * 99), "Increase data.max_length, or correct the rows."),
    ],
    ids=["template", "length"],
)
def test_where_no_row_is_left_the_hint_names_what_helps(
    text: str, row: object, hint: str, tmp_path: Path
) -> None:
    tokenizer = make_tokenizer(text + CHATML)
    path = write(tmp_path / "a.jsonl", [row])
    with pytest.raises(EngineError, match="No rows left to train on") as caught:
        prepare(Data(train=path, max_length=60), tokenizer, choose_template(tokenizer), 7)
    assert caught.value.hint == hint
    assert suggest_remedy(["the row has no answer to train on"]) == "Correct the rows."


def preferences(path: Path, rows: Iterable[tuple[str, str, str | None]]) -> str:
    return write(path, [{"prompt": p, "chosen": c, "rejected": r} for p, c, r in rows])


def test_pairs_for_dpo_share_their_prompt(tmp_path: Path) -> None:
    path = preferences(
        tmp_path / "a.jsonl",
        [(f"q{at // 2}", f"good{at}", f"bad{at}") for at in range(20)]
        + [("x", "same", "same"), ("y", "good", None), ("z", "fine", "word " * 200)],
    )
    found = make(
        Data(train=path, eval_fraction=0.2, max_length=64, too_long="drop"), objective="dpo"
    )
    assert [one.chosen for one in found.pairs] == found.train
    assert [one.chosen for one in found.eval_pairs] == found.eval
    assert len(found.pairs) + len(found.eval_pairs) == 20
    for one in (*found.pairs, *found.eval_pairs):
        assert said(one.chosen).replace("good", "bad") == said(one.rejected)
        assert one.chosen.labels.count(IGNORE_INDEX) == one.rejected.labels.count(IGNORE_INDEX)
    assert [(one["line"], one["reason"][:20]) for one in found.rejects] == [
        (21, "the two answers are "),
        (22, "no rejected answer"),
        (23, "the rejected answer:"),
    ]
    assert (found.counts.rejected, found.counts.too_long) == (2, 1)
    asked = [{said(one.chosen).split("good")[0] for one in side} for side in
             (found.pairs, found.eval_pairs)]  # fmt: skip
    assert not asked[0] & asked[1], "no question on both sides"


def test_which_answers_are_learned(tmp_path: Path) -> None:
    path = preferences(tmp_path / "a.jsonl", [("q", "good", "bad")])
    texts = {
        answers: sorted(learned(row) for row in make(Data(train=path, answers=answers)).train)
        for answers in ("chosen", "rejected", "both")
    }
    good, bad = "good<|im_end|>", "bad<|im_end|>"
    assert texts == {"chosen": [good], "rejected": [bad], "both": [bad, good]}


def test_dpo_needs_pairs(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [pair("q"), pair("r")])
    with pytest.raises(EngineError, match="has none"):
        make(Data(train=path), objective="dpo")
    path = preferences(tmp_path / "b.jsonl", [("q", "good", "bad")])
    with pytest.raises(EngineError, match="which DPO needs"):
        make(Data(train=path), objective="dpo", replay=Replay(data="bundled:rehearsal"))


def test_replay_is_a_share_of_the_epoch(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [pair(f"new {at}") for at in range(50)])
    other = write(tmp_path / "b.jsonl", [pair(f"old {at}") for at in range(30)] + [{"x": 1}])
    data, replay = Data(train=path, eval_fraction=0.1), Replay(data=other, share=0.25)
    plain, mixed = make(data), make(data, replay=replay)
    old = [row for row in mixed.train if "old" in said(row)]
    assert (len(mixed.train), len(old), len(set(map(said, old)))) == (60, 15, 15)
    assert [row for row in mixed.train if "new" in said(row)] == plain.train
    assert mixed.eval == plain.eval
    assert (mixed.counts.replayed, mixed.counts.replay_pool) == (15, 15)
    assert (mixed.counts.read, mixed.counts.rejected) == (81, 1)
    assert make(data, replay=replay) == mixed != make(data, seed=8, replay=replay)
    assert make(data, replay=Replay(data=other, share=0)) == plain


def test_replay_of_few_rows_takes_them_again(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [pair(f"new {at}") for at in range(20)])
    other = write(tmp_path / "b.jsonl", [pair("old 1"), pair("old 2"), pair("old " * 99)])
    found = make(
        Data(train=path, eval_fraction=0, max_length=40), replay=Replay(data=other, share=0.2)
    )
    old = [said(row) for row in found.train if "old" in said(row)]
    assert (len(found.train), len(old)) == (25, 5)
    assert sorted(old.count(row) for row in set(old)) == [2, 3]
    assert (found.counts.replayed, found.counts.replay_pool) == (5, 2)
    assert [one["reason"][:16] for one in found.rejects] == ["the prompt alone"]


def test_replay_never_takes_what_is_held_out(tmp_path: Path) -> None:
    path = write(tmp_path / "train.jsonl", [pair(f"new {at}") for at in range(20)])
    write(tmp_path / "eval.jsonl", [pair("old 1")])
    other = write(tmp_path / "b.jsonl", [pair("OLD 1"), pair("old 2")])
    found = make(Data(train=path), replay=Replay(data=other, share=0.5))
    assert {said(row) for row in found.train if "old" in said(row).lower()} == {
        said(row) for row in make(Data(train=write(tmp_path / "c.jsonl", [pair("old 2")]))).train
    }
    with pytest.raises(EngineError, match="all are eval rows"):
        make(Data(train=path), replay=Replay(data=str(tmp_path / "eval.jsonl")))


def answered(root: Path, *finishes: str, arms: int = 1, state: State = State.DONE) -> Path:
    """A job of answers, as its worker leaves it."""
    named = [f"arm{at}=bundled:demo-base" for at in range(arms)]
    job = directory.create(root, GenerateRecipe(arms=named, prompts="bundled:x"))
    made = [
        Sample(
            prompt_id=f"p{at}",
            messages=(Message("user", f"p{at}"),),
            arm=named[0],
            seed=7,
            template_hash="",
            prompt_ids=(1,),
            output_ids=(2,),
            text=f"old answer {at}",
            finish=finish,  # type: ignore[arg-type]
            logprobs=(0.0,),
            decode=Decode(),
            timings=Timings(0.1, 0.2),
        )
        for at, finish in enumerate(finishes)
    ]
    samples.append(job.samples, made)
    now = status.Status(attempt=1, state=state)
    atomic.write_json(job.status_file, asdict(now))
    return job.path


def test_answers_that_the_base_gave_can_be_replayed(tmp_path: Path, root: Path) -> None:
    path = write(tmp_path / "a.jsonl", [pair(f"new {at}") for at in range(8)])
    job = answered(root, "stop", "length", "stop", "cancelled")
    replay = Replay(data=f"run:{job.name}", share=0.2)
    found = make(Data(train=path, eval_fraction=0), replay=replay, runs=[job])
    old = sorted(learned(row) for row in found.train if "old" in said(row))
    assert old == ["old answer 0<|im_end|>", "old answer 2<|im_end|>"]
    assert [one["reason"] for one in found.rejects] == [
        "the answer is truncated: 'length'",
        "the answer is truncated: 'cancelled'",
    ]


def test_a_job_that_is_no_source_of_answers(tmp_path: Path, root: Path) -> None:
    path = write(tmp_path / "a.jsonl", [pair("q"), pair("r")])
    trained = directory.create(root, TrainRecipe()).path
    running = answered(root, "stop", state=State.STOPPED)
    two = answered(root, "stop", arms=2)
    cut = answered(root, "length")
    for job, title in (
        (trained, "has no answers to train on: it is a train job"),
        (running, "is not done (state: stopped)"),
        (two, "has answers of 2 arms"),
        (cut, "no valid row in samples.jsonl (1 invalid)"),
        (root / "none", "run not found: none"),
    ):
        with pytest.raises(EngineError) as caught:
            make(Data(train=path), replay=Replay(data=f"run:{job.name}"), runs=[*root.iterdir()])
        assert title in caught.value.title
