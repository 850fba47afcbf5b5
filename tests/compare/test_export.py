"""Exports: every format holds the whole text, and no answer breaks out of it."""

import csv
import io
import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.chat import Message
from engine.compare.export import (
    FORMATS,
    as_csv,
    as_html,
    as_jsonl,
    as_llm_comparator,
    as_markdown,
    only,
    pages,
    write,
)
from engine.compare.samples import Sample, Timings, from_table
from engine.errors import EngineError
from engine.recipes.settings import Decode


def sample(prompt: str, arm: str, text: str) -> Sample:
    said = (Message("user", f"question {prompt}"),)
    return Sample(prompt, said, f"{arm}=bundled:demo-base", 7, "hash", (1, 2), (3,), text, "stop",
                  (-0.5,), Decode(), Timings(0.1, 0.2))  # fmt: skip


PAIR = [sample("a", "base", "one two"), sample("a", "tuned", "one three")]


class Seen(HTMLParser):
    """The text and tags of a page, as a browser would take them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.said = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not any(name.startswith("on") or name in ("href", "src") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.said += data


HOSTILE = "</pre><script>alert(1)</script> ``` | =cmd() \x1b]0;title\x07 <img src=x onerror=y>"


def test_html_shows_hostile_text_as_text() -> None:
    seen = Seen()
    seen.feed(as_html([sample("a", "base", HOSTILE), sample("a", "tuned", "fine")]))
    assert "<script>alert(1)</script>" in seen.said
    assert not seen.tags & {"script", "img"}
    assert "\x1b" not in seen.said
    assert "mark" in seen.tags


def test_markdown_fences_are_longer_than_those_within() -> None:
    text = as_markdown([sample("a", "base", "```python\nx\n```")])
    assert "````\n```python\nx\n```\n````" in text


def test_csv_is_read_back_and_holds_no_formula() -> None:
    told_no_ids = replace(PAIR[1], output_ids=(), logprobs=())
    made = as_csv([sample("a", "base", '=1+1\n"quoted", and more'), told_no_ids])
    rows = list(csv.DictReader(io.StringIO(made)))
    assert [row["arm"] for row in rows] == ["base", "tuned"]
    assert rows[0]["answer"] == '\'=1+1\n"quoted", and more'
    assert rows[1]["words"] == "2"
    assert [row["tokens"] for row in rows] == ["1", ""]


def test_jsonl_gives_the_samples_back() -> None:
    assert [from_table(json.loads(line)) for line in as_jsonl(PAIR).splitlines()] == PAIR


def test_llm_comparator_gets_pairs_and_scores() -> None:
    lonely = sample("b", "base", "alone")
    table = json.loads(as_llm_comparator([*PAIR, lonely], {"a": -1.0}))
    assert [one["name"] for one in table["models"]] == ["base", "tuned"]
    (example,) = table["examples"]
    assert (example["input_text"], example["score"]) == ("question a", -1.0)
    assert (example["output_text_a"], example["output_text_b"]) == ("one two", "one three")
    with pytest.raises(EngineError, match="two arms"):
        as_llm_comparator([lonely])


def test_the_newest_answer_counts_and_nothing_is_refused() -> None:
    again = sample("a", "base", "newer")
    (page,) = pages([*PAIR, again])
    assert page.answers["base"].text == "newer"
    with pytest.raises(EngineError, match="No samples"):
        pages([])


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_can_be_exported(left: str, right: str) -> None:
    both = [sample("a", "base", left), sample("a", "tuned", right)]
    for make in FORMATS.values():
        assert make(both)
    seen = Seen()
    seen.feed(as_html(both))
    assert not seen.tags & {"script", "img", "a"}


def test_files_are_written_whole_and_never_over_others(tmp_path: Path) -> None:
    for suffix in FORMATS:
        path = tmp_path / f"answers{suffix}"
        write(path, PAIR, {"a": 1.0})
        assert path.stat().st_size
        with pytest.raises(EngineError, match="already exists"):
            write(path, PAIR)
    assert json.loads((tmp_path / "answers.json").read_text())["examples"][0]["score"] == 1.0
    with pytest.raises(EngineError, match="Unknown export format") as caught:
        write(tmp_path / "answers.pdf", PAIR)
    assert ".html" in caught.value.hint
    with pytest.raises(EngineError, match="folder does not exist"):
        write(tmp_path / "none" / "a.md", PAIR)


def test_arms_can_be_chosen() -> None:
    both = [*PAIR, sample("a", "third", "x")]
    assert [one.text for one in only(both, ["third", "base"])] == ["x", "one two"]
    with pytest.raises(EngineError, match="Unknown arm 'fourth'") as caught:
        only(both, ["fourth"])
    assert "base, tuned, third" in caught.value.detail
