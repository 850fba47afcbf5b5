"""`finetop impact`: the table of evaluations that are done, its words, its JSON, its refusals."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from engine.text import is_safe
from tests.impact.made_results import measured, scores_of, suite_of, table_of, write_evaluation
from tests.tui.building import write_run
from tui.cli import main

HOSTILE = "a\x1b]0;pwn\x07\x9b31m\u202eb"


def _stages() -> dict[str, Any]:
    """Base, A, B, C: the song is lost at B and back at C; facts fall for good."""
    song = {"base": 3, "A": 3, "B": 0, "C": 3}
    facts = {"base": 280, "A": 279, "B": 200, "C": 205}
    emotion = {"base": 40, "A": 280, "B": 150, "C": 190}
    parents = {"base": "", "A": "base", "B": "A", "C": "B"}
    arms = {
        arm: {
            "parent": parents[arm],
            "trained": ["emotion"] if arm == "A" else [],
            "suites": {
                "facts": measured(scores_of(facts[arm], 300), seen={}),
                "emotion": measured(scores_of(emotion[arm], 300), seen={}),
                "song": measured(scores_of(song[arm], 3), seen={}),
            },
        }
        for arm in parents
    }
    suites = {"facts": suite_of(300), "emotion": suite_of(300), "song": suite_of(3)}
    return table_of(suites, arms)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "runs"
    root.mkdir()
    write_evaluation(root, "staged", _stages())
    return root


def _run(
    root: Path, capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0
) -> tuple[str, str]:
    try:
        found: object = main(["impact", *arguments, "--runs", str(root)])
    except SystemExit as ending:  # of what the parser refuses
        found = ending.code
    assert found == code
    out, err = capsys.readouterr()
    return out, err


def test_the_staged_story(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINETOP_ASCII", "1")
    out, _ = _run(root, capsys, "staged")
    lines = out.splitlines()
    assert lines[0].split() == ["skill", "n", "base", "A", "B", "C"]
    assert " ".join(lines[1].split()) == "facts 300 0.93 0.93 = 0.67 v 0.68 ="
    assert "lost beyond 5 points; -.250 [" in out
    assert "5 of 80 regained" in out
    assert "gained beyond 5 points" in out
    assert "items only; no item flipped; 3 of 3 regained" in out
    assert "stages: base > A > B > C" in out
    assert "change of skills not trained on: -0.250 [" in out
    assert "backward transfer: -0.300 [" in out
    assert "C against base is corrected by Holm" in out
    assert "one seed" in out
    assert max(map(len, lines)) <= 80


def test_arms_have_their_whole_names_where_the_line_has_room(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["base", "strength 0.25", "strength 0.5", "strength 0.75"]
    arms = {name: {"suites": {"facts": measured(scores_of(20, 40))}} for name in names}
    write_evaluation(root, "strong", table_of({"facts": suite_of(40)}, arms))
    head = _run(root, capsys, "strong")[0].splitlines()[0]
    assert all(name in head for name in names)
    assert cell_len(head) <= 80


def test_everything_is_told_with_all(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short, _ = _run(root, capsys, "staged")
    out, _ = _run(root, capsys, "staged", "--all")
    assert "C against B: " in out
    assert "C against B: " not in short
    assert "B against base: lost beyond 5 points" in out
    assert "[.90,.96]" in out  # of a score: four arms with intervals take two lines each
    assert max(map(len, out.splitlines())) <= 80


def test_json_has_the_keys_that_are_promised(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = _run(root, capsys, "staged", "--json", "--delta", "30")
    table = json.loads(out)
    assert table["arms"] == ["base", "A", "B", "C"]
    assert table["stages"] == ["base", "A", "B", "C"]
    facts = table["skills"]["facts"]
    assert facts["items"] == 300
    last = facts["arms"]["C"]
    assert last["score"] == pytest.approx(205 / 300)
    assert last["interval"][0] < last["score"] < last["interval"][1]
    base, parent = last["vs_base"], last["vs_parent"]
    assert {"difference", "interval", "lost", "gained", "p", "test", "verdict"} <= base.keys()
    assert (base["verdict"], base["family"]) == ("changed within", "primary")
    assert (parent["arm"], parent["family"]) == ("B", "exploratory, unadjusted")
    assert parent["difference"] == pytest.approx(5 / 300)
    assert facts["arms"]["base"]["vs_base"] is None
    assert facts["arms"]["A"]["vs_parent"] is None
    assert table["summary"]["backward_transfer"]["value"] == pytest.approx(-0.3)
    assert table["summary"]["seen"] == 0


def test_arms_are_chosen_and_put_in_order(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = _run(root, capsys, "staged", "--arms", "B,C", "--json")
    table = json.loads(out)
    assert (table["arms"], table["stages"]) == (["B", "C"], ["B", "C"])
    assert table["skills"]["facts"]["arms"]["C"]["vs_base"]["difference"] == pytest.approx(5 / 300)


def test_stages_that_are_not_shown_have_trained_all_the_same(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = _run(root, capsys, "staged", "--arms", "base,C", "--json")
    table = json.loads(out)
    assert table["summary"]["trained"] == {"C": ["emotion"]}
    assert table["summary"]["general_change"]["skills"] == ["facts"]
    out, _ = _run(root, capsys, "staged", "--arms", "base,A,C", "--json")
    assert json.loads(out)["stages"] == ["base", "A", "C"]


def test_one_arm_alone_has_scores_and_no_change(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = _run(root, capsys, "staged", "--arms", "C")
    assert "0.68 [.63,.73]" in out
    assert "average: 0.658 [" in out
    for word in ("against", "lost", "Delta", "forgetting", "not trained"):
        assert word not in out


def test_arms_of_two_jobs_stand_side_by_side(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later = table_of(
        {"facts": suite_of(300, digest="edited") | {"items": _edited()}},
        {"D": {"facts": measured(scores_of(280, 300))}},
    )
    write_evaluation(root, "later", later)
    out, _ = _run(root, capsys, "staged", "later", "--arms", "base,D", "--json")
    facts = json.loads(out)["skills"]["facts"]
    assert facts["unpaired"] == 10
    assert facts["arms"]["D"]["vs_base"]["items"] == 290
    assert any("10 items were another then" in note for note in facts["notes"])


def _edited() -> dict[str, Any]:
    items = suite_of(300)["items"]
    for at in range(10):
        items[f"i{at}"]["prompt"] = "Another question?"
    return dict(items)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "No run 'nothing'"),
        (["trained"], "This job is no evaluation"),
        (["waiting"], "has no results yet"),
        (["broken"], "cannot be read"),
        (["staged", "--arms", "base,X"], "Unknown arm 'X'"),
        (["staged", "--arms", "base,base"], "named twice"),
        (["staged", "--delta", "0"], "not above 0"),
        (["staged", "--delta", "nan"], "not above 0"),
    ],
)
def test_what_it_refuses(
    root: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    write_run(root, "trained")
    write_evaluation(root, "waiting", None)
    write_evaluation(root, "broken", {"schema": 9})
    _, err = _run(root, capsys, *arguments, code=2)
    assert words in err
    assert "Traceback" not in err


@pytest.mark.parametrize("option", ["--all", "--json"])
def test_hostile_names_stay_text(
    root: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    scores = {f"{HOSTILE}{at}": float(at) for at in range(2)}
    suites = {HOSTILE: suite_of(list(scores), measure=HOSTILE)}
    asked = {"template": HOSTILE, "fewshot": 0}
    arms = {
        "base": {HOSTILE: measured(scores, HOSTILE, asked=asked, notes=[HOSTILE])},
        HOSTILE: {HOSTILE: measured(scores, HOSTILE, asked={"fewshot": 5}, notes=[HOSTILE])},
    }
    write_evaluation(root, "hostile", table_of(suites, arms))
    out, _ = _run(root, capsys, "hostile", option)
    assert out
    assert all(is_safe(line) for line in out.splitlines())


def test_many_arms_with_long_names_stay_apart_and_within_80_columns(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = {
        f"a run with a long name, step {100 * at}": {"facts": measured(scores_of(200 - at, 300))}
        for at in range(9)
    }
    write_evaluation(root, "many", table_of({"facts": suite_of(300)}, arms))
    for options in ([], ["--all"]):
        out, _ = _run(root, capsys, "many", *options)
        assert max(map(len, out.splitlines())) <= 80
        width, lines = (19, 3) if options else (8, 2)
        head = [line[23:].ljust(80) for line in out.splitlines()[:lines]]
        names = [line[at : at + width].strip() for line in head for at in range(0, 56, width)]
        assert len(set(filter(None, names))) == 9
    joined = " ".join(out.split())
    assert "step 800 against a run with a long name, step 0: changed within" in joined


def test_texts_that_diverged_that_stayed_and_a_suite_without_scores(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nll = {f"i{at}": 20.0 + at for at in range(30)}
    broken, huge = dict.fromkeys(nll, None), dict.fromkeys(nll, 2400.0)
    tokens = dict.fromkeys(nll, 10)
    arms = {
        name: {
            "prose": measured(values, "nll", tokens=tokens),
            "open": {"measures": {"words": {f"i{at}": 12.0 + at % 3 for at in range(30)}}},
        }
        for name, values in (("base", nll), ("broken", broken), ("huge", huge), ("same", nll))
    }
    suites = {"prose": suite_of(30, "nll"), "open": suite_of(30)}
    write_evaluation(root, "texts", table_of(suites, arms))
    out, _ = _run(root, capsys, "texts", "--all")
    assert "inf" in out
    assert "1.7e104" in out  # exp(240)
    assert "broken against base: diverged, no verdict\n" in out
    assert "same against base: unchanged on every item" in out
    assert "open                  - not measured" in out
    assert "open: No score by strict" in out
    assert "\nopen\n words               30" in out
    table = json.loads(_run(root, capsys, "texts", "--json")[0])
    assert table["skills"]["open"]["items"] == 30
    assert table["skills"]["prose"]["arms"]["broken"]["score"] is None
    assert table["skills"]["prose"]["arms"]["broken"]["vs_base"]["verdict"] is None


def test_names_in_wide_scripts_keep_the_columns(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = {name: {"漢字": measured(scores_of(90, 100))} for name in ("基礎モデルの名前です", "b")}
    write_evaluation(root, "wide", table_of({"漢字": suite_of(100)}, arms))
    out, _ = _run(root, capsys, "wide")
    head, row = out.splitlines()[:2]
    start = cell_len(head[: head.index("基")])
    assert start == cell_len(row[: row.index("0.90")])
    assert cell_len(head[: head.rindex("b")]) == cell_len(row[: row.rindex("0.90")])


def test_gained_against_retained(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINETOP_ASCII", "1")
    out, _ = _run(root, capsys, "staged", "--tradeoff")
    lines = out.splitlines()
    assert lines[0].split() == ["arm", "gained,", "points", "retained,", "points", "front"]
    assert lines[1].startswith("A                       +80.0 [+7")
    assert lines[1].endswith("+")
    assert lines[2].split()[0] == "B"
    assert lines[2].endswith("]")
    flat = " ".join(out.split())
    assert "Pareto front by point estimates, not by their intervals: A." in flat
    assert "no two arms are shown to have gained equally within 5 points" in flat
    assert "Left out: song: 3 items that all arms have, fewer than 20." in flat
    assert max(map(len, lines)) <= 80
    table = json.loads(
        _run(root, capsys, "staged", "--tradeoff", "--json", "--arms", "base,C,A")[0]
    )
    assert [point["arm"] for point in table["points"]] == ["C", "A"]
    assert table["points"][1]["retained"]["value"] == pytest.approx(-1 / 300)
    assert table["gained"] == ["emotion"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--gain", "facts"], "--gain belongs to --tradeoff"),
        (["--tradeoff", "--gain", "poems"], "Unknown skill 'poems'"),
        (["--tradeoff", "--arms", "base"], "no arm to set against the base"),
    ],
)
def test_what_no_tradeoff_can_be_made_of(
    root: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    _, err = _run(root, capsys, "staged", *arguments, code=2)
    assert words in err


def test_examples_in_the_prompt_are_an_arm_beside_training(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def asked(count: int, fewshot: int = 0) -> Any:
        return measured(scores_of(count, 40), asked={"fewshot": fewshot}, seen={})

    names = ("emotion", "facts", "emotion, 5-shot", "facts, 5-shot")
    suites = {name: suite_of(40) for name in names}
    base = {"emotion": asked(4), "facts": asked(36)}
    tuned = {"suites": {"emotion": asked(36), "facts": asked(10)}, "trained": ["emotion"]}
    write_evaluation(root, "tuned", table_of(suites, {"base": base, "lora": tuned}))
    shown = {"emotion, 5-shot": asked(20, 5), "facts, 5-shot": asked(36, 5)}
    write_evaluation(root, "shown", table_of(suites, {"base": shown}))
    jobs = ("tuned", "shown", "--tradeoff", "--json")
    table = json.loads(_run(root, capsys, *jobs)[0])
    values = {point["arm"]: point["gained"]["value"] for point in table["points"]}
    assert values == {"lora": pytest.approx(0.8), "base 5-shot": pytest.approx(0.4)}
    assert table["front"] == ["base 5-shot", "lora"]
    assert any("were not asked alike (solved items before" in note for note in table["notes"])


def _controlled() -> dict[str, Any]:
    """Base and tuned on 200 facts and 5 songs; the base again, and null adapters of tuned."""
    arms = {"base": (150, 3), "tuned": (120, 3), "base, again": (150, 3)}
    arms |= {f"tuned, null {at}": (right, 3) for at, right in enumerate((148, 150, 152), 1)}
    table = table_of(
        {"facts": suite_of(200), "song": suite_of(5)},
        {
            arm: {"facts": measured(scores_of(facts, 200)), "song": measured(scores_of(song, 5))}
            for arm, (facts, song) in arms.items()
        },
    )
    for name, arm in table["arms"].items():
        if "again" in name:
            arm |= {"control": "identity", "of": "base"}
        elif "null" in name:
            arm |= {"control": "null", "of": "tuned"}
    return table


def test_controls_are_printed_and_are_no_arms(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_evaluation(root, "controlled", _controlled())
    table, _ = _run(root, capsys, "controlled", "--all")
    assert "null" not in table
    assert ", again" not in table
    controls, _ = _run(root, capsys, "controlled", "--controls")
    assert all(cell_len(line) <= 80 for line in controls.splitlines())
    head, facts, song, *_ = controls.splitlines()
    assert " ".join(head.split()) == "skill n again FPR power 5 power 10 null (sd) z"
    assert facts.split()[:3] == ["facts", "200", "0"]
    assert facts.split()[-3:] == ["0.0", "(1.0)", "-15.0"]
    assert song.split() == ["song", "5", "0", "-", "-", "-", "0.0", "(0.0)", "-"]
    words = " ".join(controls.split())
    assert "base measured a second time" in words
    assert "0 of 205 scores changed" in words
    assert "2 degrees of freedom, no verdict" in words
    assert "song: fewer than 20 items never give a verdict" in words
    assert "A loss of 5 points of facts would be found in" in words
    other, _ = _run(root, capsys, "controlled", "--controls", "--delta", "2.5")
    assert "power 2.5" in other.splitlines()[0]
    assert "A loss of 2.5 points of facts" in " ".join(other.split())
    parsed = json.loads(_run(root, capsys, "controlled", "--controls", "--json")[0])
    assert parsed["arms"] == ["base", "tuned"]
    strict = parsed["skills"]["facts"]["measures"]["strict"]
    assert strict["identity"] == [
        {"of": "base", "items": 200, "changed": [], "largest": 0.0, "verdict": "the same within"}
    ]
    assert strict["null_adapters"][0]["z"] == pytest.approx(-15)
    found = parsed["skills"]["facts"]["planted"]
    assert [one["loss"] for one in found] == [0.05, 0.1]
    assert all(one["interval"][0] <= one["share"] <= one["interval"][1] for one in found)


def test_without_controls_a_planted_loss_is_told_all_the_same(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    controls, _ = _run(root, capsys, "staged", "--controls", "--arms", "base,A")
    words = " ".join(controls.split())
    assert "again: not measured" in words
    assert "null: not measured" in words
    assert "would be found in" in words


def test_hostile_names_of_controls_do_no_harm(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = json.loads(json.dumps(_controlled()).replace("tuned", json.dumps(HOSTILE)[1:-1]))
    write_evaluation(root, "hostile", table)
    for arguments in (("--controls",), ("--controls", "--all"), ("--controls", "--json")):
        out, _ = _run(root, capsys, "hostile", *arguments)
        assert all(map(is_safe, out.splitlines()))
