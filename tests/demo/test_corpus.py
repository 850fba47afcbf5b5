"""The corpus: the same everywhere, and right in what it says."""

import ast
import os
import re
import subprocess
import sys
from collections import defaultdict
from itertools import islice
from random import Random

import pytest

from engine.compare.checks import score, syntax
from engine.compare.item_reader import parse_item
from engine.demo.making.corpus import french, stream
from engine.demo.making.corpus.numbers import in_words
from engine.demo.making.corpus.relations import RELATIONS
from engine.demo.making.corpus.stream import CHECKED, TRAINING_SEED, documents, fingerprint
from engine.words import count_words

FIRST_20_000 = "b4fd03717d88ee29a640543c2c45ead26999eab07ea6e70d049f94f4366728de"


def test_the_text_is_the_one_that_the_base_model_has_read() -> None:
    assert fingerprint(TRAINING_SEED, 20_000) == FIRST_20_000


def test_the_text_does_not_hang_on_hash_order() -> None:
    code = "from engine.demo.making.corpus.stream import fingerprint; print(fingerprint(5, 1000))"
    for hash_seed in ("1", "2"):
        told = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert told.stdout.strip() == fingerprint(5, 1000)


def test_all_skills_are_drawn() -> None:
    drawn = {document.skill for document in islice(documents(3), 3000)}
    assert drawn == set(stream.MIX)


@pytest.mark.parametrize("skill", CHECKED)
@pytest.mark.parametrize("held", [False, True])
def test_the_right_answer_scores_and_another_does_not(skill: str, held: bool) -> None:
    rng = Random(f"{skill}{held}")
    last = "nothing of the kind"
    for _ in range(300):
        turn = CHECKED[skill](rng, held)
        gold = turn.answer if turn.gold is None else turn.gold
        item = parse_item(
            {"skill": skill, "prompt": turn.prompt, "score": turn.score, "answer": gold}
        )
        assert score(item, turn.answer) == 1, turn
        assert score(item, f"{last} 100000") == 0, turn


def test_every_fact_is_seen_in_several_forms() -> None:
    forms: dict[str, set[str]] = defaultdict(set)
    for document in islice(documents(TRAINING_SEED), 100_000):
        for key in document.keys:
            if key.startswith("facts:"):
                fact, _, form = key.rpartition(":")
                forms[fact].add(form)
    for relation in RELATIONS:
        for entity, _ in relation.facts:
            assert len(forms[f"facts:{relation.name}:{entity}"]) >= 4


def test_every_step_of_a_calculation_is_true() -> None:
    rng = Random(11)
    for _ in range(2000):
        answer = CHECKED["arithmetic"](rng, False).answer
        equations = re.findall(r"([\dx+\- ]+) = (\d+)", answer)
        assert equations
        for left, right in equations:
            assert eval(left.replace("x", "*")) == int(right), answer
        number, spoken = re.search(r"The answer is (\d+) \((.*)\)\.", answer).groups()  # type: ignore[union-attr]
        assert in_words(int(number)) == spoken


def test_sentences_have_exactly_as_many_words_as_asked() -> None:
    rng, counted = Random(12), 0
    for _ in range(3000):
        turn = CHECKED["formats"](rng, False)
        if isinstance(turn.gold, dict):
            counted += 1
            assert count_words(turn.answer) == turn.gold["count"]
            assert turn.gold["topic"] in turn.answer
    assert counted > 100


def test_functions_parse_and_have_the_name_asked_for() -> None:
    rng = Random(13)
    for _ in range(1000):
        turn = CHECKED["python"](rng, False)
        assert syntax(turn.answer) is not None
        (function,) = ast.parse(str(turn.gold)).body
        assert isinstance(function, ast.FunctionDef)
        assert turn.key.split(":")[2] == function.name
        assert function.name in turn.prompt or function.name.capitalize() in turn.prompt


def test_french_elides_and_never_says_one_sentence_in_two_ways() -> None:
    rng = Random(14)
    said: dict[str, str] = {}
    wrong = re.compile(
        r"\b(le|la|je|ne|ma|ce) [aeiouyéèêœâ]|\b(l|j|n)'[^aeiouyéèêœâh]", re.IGNORECASE
    )
    for _ in range(20_000):
        english, translated = french.sentence(rng)
        assert said.setdefault(english, translated) == translated
        assert not wrong.search(translated), translated


@pytest.mark.parametrize(
    ("number", "spoken"),
    [(0, "zero"), (13, "thirteen"), (40, "forty"), (85, "eighty-five"), (100, "one hundred"),
     (225, "two hundred and twenty-five")],
)  # fmt: skip
def test_numbers_in_words(number: int, spoken: str) -> None:
    assert in_words(number) == spoken
