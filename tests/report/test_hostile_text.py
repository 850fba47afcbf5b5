"""Names, questions and answers that would break a page: they are shown, and mean nothing."""

import csv
import html.parser
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from engine.report.blocks import Bullets, Paragraph, Section, grid
from engine.report.csv_files import write_csv
from engine.report.markdown_page import escape_markdown, fence, write_markdown
from engine.report.report_folder import verify_report, write_report
from tests.judge.judged import judge_job
from tests.report.reported import read_folder
from tests.tui.impact.evaluated import add_samples, scored, suite_facts, write_evaluation

EVIL = (
    "<script>alert(1)</script>",
    "]]><svg onload=alert(1)>",
    "\x1b]0;owned\x07\x9b31m\u202egnp.exe\u200b\ufeff\x00",
    '" onmouseover="alert(1)',
    "</pre></style><img src=http://evil.example/x onerror=alert(1)>",
    "```\n# heading\n```\n| a | b |\n<!-- x -->\n[x](javascript:alert(1))",
    "=HYPERLINK(\"http://evil.example\")",
    "\ud800 lone \uffff",
    "x" * 5000,
)  # fmt: skip
SKILL, ARM = "<b>|`sk*ill</b>\u202e", "</title><script>x</script>|=1"
OTHER = "=oth|er<i>"


class Tags(html.parser.HTMLParser):
    """Every element of a page with its attributes; fails on one that is not closed."""

    VOID = frozenset(("meta", "rect", "path", "circle"))

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    specs = ("base=bundled:demo-base", f"{ARM}=run:x".replace("=1=", "%3D1="))
    facts: dict[str, Any] = suite_facts(SKILL, 30)
    names = [*facts["items"]]
    other = suite_facts(OTHER, 30)
    for at, evil in enumerate(EVIL):
        facts["items"][names[at]] |= {"prompt": evil, "gold": [evil]}
    table = {
        "schema": 2,
        "suites": {SKILL: facts, OTHER: other},
        "arms": {
            "base": {"arm": specs[0], "suites": {SKILL: scored(SKILL, 30, range(30)),
                                                 OTHER: scored(OTHER, 30, range(20))}},
            ARM: {"arm": specs[1], "notes": [EVIL[0]], "trained": [OTHER],
                  "suites": {SKILL: scored(SKILL, 30, range(15, 30)),
                             OTHER: scored(OTHER, 30, range(25))}},
            f"{ARM}, null 1": {"arm": specs[1], "control": "null", "of": ARM,
                               "suites": {SKILL: scored(SKILL, 30, range(15))}},
        },
    }  # fmt: skip
    job = write_evaluation(tmp_path / "runs", results=json.dumps(table), arms=specs)
    add_samples(job, [(spec, SKILL, name, evil + spec[:at]) for at, spec in enumerate(specs)
                      for name, evil in zip(names, EVIL[:7], strict=False)])  # fmt: skip
    judge_job(job, lambda question: EVIL[0], {EVIL[1]: EVIL[4]}, arms=specs,
              judge="%3Cimg%20onerror=/models/</td>|x")  # fmt: skip
    return write_report([job], tmp_path / "report")


def test_the_page_has_no_element_and_no_attribute_but_ours(folder: Path) -> None:
    text = (folder / "report.html").read_text("utf-8")
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert {name for name, _ in tags.found} <= {
        "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "h4", "nav",
        "ul", "li", "a", "section", "p", "div", "table", "caption", "thead", "tbody", "tr", "th",
        "td", "figure", "figcaption", "article", "pre", "b", "span", "svg", "rect", "text", "path",
        "circle",
    }  # fmt: skip
    for _, attributes in tags.found:
        assert not {name for name in attributes if name.startswith("on")} | (
            attributes.keys() & {"src", "style"}
        )
        assert (attributes.get("href") or "#").startswith("#")
    assert "alert(1)" in text  # it is shown, as text
    assert "<script" not in text


def test_every_figure_is_well_formed(folder: Path) -> None:
    from xml.etree import ElementTree

    figures = [*(folder / "figures").glob("*.svg")]
    assert figures
    for path in figures:
        root = ElementTree.parse(path).getroot()
        assert not [one for one in root.iter() if one.tag.endswith("script")]


def test_no_file_holds_a_terminal_control_or_a_mark_that_hides(folder: Path) -> None:
    hidden = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\ufeff]")
    for name in ("report.md", "report.html", "report.json"):
        text = (folder / name).read_text("utf-8")
        assert hidden.search(text) is None, name


def test_a_report_of_hostile_texts_is_checked_as_any_other(folder: Path) -> None:
    assert verify_report(folder, {}).differences == ()
    found = json.loads((folder / "report.json").read_text())
    assert found["version"] == 1
    assert found["tradeoff"]["front"] == [ARM]
    assert found["judges"][0]["rubrics"][0]["problems"]


def test_no_cell_of_csv_is_a_formula(folder: Path) -> None:
    for path in (folder / "tables").glob("*.csv"):
        for row in csv.reader(io.StringIO(path.read_text("utf-8", "replace"))):
            for cell in row:
                assert not cell.startswith(("=", "@", "\t", "\r"))
                if cell.startswith(("+", "-")):
                    float(cell)


def test_csv_defuses_texts_and_leaves_numbers() -> None:
    rows: list[list[Any]] = [
        ["=1+1", "+x", "-x", "@x", "-1.5", -1.5, None, float("nan"), 'a"b,c\n']
    ]
    text = "".join(write_csv(rows))
    assert next(csv.reader(io.StringIO(text))) == [
        "'=1+1", "'+x", "'-x", "'@x", "-1.5", "-1.5", "", "", 'a"b,c\n',
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a|b", r"a\|b"),
        ("`x` *y* _z_ ~w~", r"\`x\` \*y\* \_z\_ \~w\~"),
        ("snake_case_name", "snake_case_name"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("[x](y)", r"\[x\](y)"),
        ("+1.0 [-2.0, +3.5] at 99%", "+1.0 [-2.0, +3.5] at 99%"),
        ("[1](y)", r"\[1\](y)"),
        ("see http://evil.example or www.evil.example",
         r"see http\://evil.example or www\.evil.example"),
        ("a\nb\u202e", "a⏎b�"),
    ],
)  # fmt: skip
def test_markdown_is_escaped(text: str, written: str) -> None:
    assert escape_markdown(text) == written


@pytest.mark.parametrize("text", ["# x", "- x", "+ x", "1. x", "12) x", "> x", "=== x", "~~~ x"])
def test_no_line_of_a_page_begins_a_block_of_its_own(text: str) -> None:
    sections = [Section("k", "t", (Paragraph(text), Bullets((text,)), grid(("a",), [[text]])))]
    lines = "".join(write_markdown("T", sections)).splitlines()
    assert not [line for line in lines if line.startswith((text, f"- {text}"))]


def test_a_fence_is_longer_than_what_it_holds() -> None:
    text = "````\nx\n`````"
    written = fence(text).splitlines()
    assert written[0] == "``````text"
    assert written[-1] == "``````"


def test_the_same_hostile_inputs_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    from engine.report.render import render_report
    from engine.report.report_inputs import INPUTS, RESULTS

    files = read_folder(folder)
    assert render_report({name: files[name] for name in (INPUTS, RESULTS)}) == files
