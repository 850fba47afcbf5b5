"""What each row written comes from: an object a row, in the order of the rows, beside their file.

Owns its keys. Source and models go by names without a path or host, refs are cleared; what stands
in the row itself is not repeated.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, cast

from engine.compare.arms import parse_arm
from engine.data.made_rows import ANSWERS, DECISION, MODEL, NOT_REVIEWED, REVIEW, VOTES
from engine.data.source_groups import GROUP
from engine.errors import EngineError
from engine.recipes.recipe import SynthesizeRecipe
from engine.report.short_names import ShortNames
from engine.synthesis.accepted_rows import AcceptedRow
from engine.synthesis.gates.light_gates import GateSetting, gate_settings
from engine.synthesis.outcomes import AnswerRecord, Reason
from engine.synthesis.questions import CHOSEN, REJECTED
from engine.synthesis.vote_pairs import JOB, PROMPT_ID, count_votes
from engine.text import clean


def list_gates(recipe: SynthesizeRecipe, names: ShortNames) -> tuple[GateSetting, ...]:
    """All gates with what is set of them, without the address of a judge."""
    judge = names.name_arm(recipe.gates.judge) if recipe.gates.judge else ""
    gates = dataclasses.replace(recipe.gates, judge=judge)
    cleared = dataclasses.replace(recipe, gates=gates)
    return gate_settings(cleared, held_out_texts=int(bool(recipe.source.held_out)))


def make_provenance(
    number: int,
    one: AcceptedRow,
    recipe: SynthesizeRecipe,
    gates: Sequence[GateSetting],
    names: ShortNames,
) -> dict[str, Any]:
    """The object of a row. `number`: of the row in its file, from 1. `gates`: of `list_gates`."""
    used = [answer for answer in one.outcome.answers if not answer.fault]
    return {
        "row": number,
        GROUP: one.row[GROUP],
        "source": {"file": PurePath(one.source.file).name, "row": one.source.line},
        ANSWERS: [_write_answer(answer, recipe, names) for answer in used],
        "faults": [
            {"field": answer.field, "fault": answer.fault}
            for answer in one.outcome.answers
            if answer.fault
        ],
        "repairs": [dataclasses.asdict(repair) for repair in one.outcome.repairs],
        "cut": one.outcome.cut,
        "gates": _write_gates(one, gates, names),
        REVIEW: _write_review(one, names),
        **({VOTES: _write_votes(one, names)} if recipe.mode == "votes" else {}),
    }


def list_arms(one: AcceptedRow, recipe: SynthesizeRecipe) -> list[str]:
    """The arms that wrote a row: of a voted pair those that were voted on."""
    if recipe.mode == "votes":
        return [answer["arm"] for answer in _voted_answers(one)]
    return [answer.arm for answer in one.outcome.answers if not answer.fault]


def _voted_answers(one: AcceptedRow) -> Sequence[Mapping[str, Any]]:
    return cast(Sequence[Mapping[str, Any]], one.source.columns["answers"])


def _write_votes(one: AcceptedRow, names: ShortNames) -> dict[str, Any]:
    """Whose answers and votes the pair is made of; of an edited one before it was edited."""
    columns, row = one.source.columns, one.outcome.row
    arms = {
        field: names.clear_text(clean(answer["name"]))
        for field in (CHOSEN, REJECTED)
        for answer in _voted_answers(one)
        if answer["text"] == row.get(field)
    }
    counts = {names.clear_text(clean(name)): n for name, n in count_votes(columns).items()}
    return {"job": columns[JOB], "prompt": columns[PROMPT_ID], **arms, "counts": counts}


def _write_answer(
    answer: AnswerRecord, recipe: SynthesizeRecipe, names: ShortNames
) -> dict[str, Any]:
    try:
        decode = parse_arm(answer.arm).decoding(recipe.decode)
    except EngineError:
        decode = recipe.decode
    return {
        "field": answer.field,
        MODEL: names.name_arm(answer.arm),
        "prompt_sha256": answer.prompt_hash,
        "seed": answer.seed,
        **({"grammar": answer.grammar} if answer.grammar else {}),
        "settings": dataclasses.asdict(dataclasses.replace(decode, seed=answer.seed)),
    }


def _write_gates(
    one: AcceptedRow, settings: Sequence[GateSetting], names: ShortNames
) -> dict[str, Any]:
    """By what gates said of the row as it is written; of an edit nobody recorded which of them
    could not judge it."""
    overruled = {reason.name: _clear(reason, names) for reason in one.overruled}
    unjudged = (
        {} if one.edited else {each.name: _clear(each, names) for each in one.outcome.unjudged}
    )
    on = [setting.name for setting in settings if not setting.off]
    return {
        "passed": [name for name in on if name not in overruled and name not in unjudged],
        "not_judged": unjudged,
        "overruled": overruled,
        "off": {setting.name: setting.off for setting in settings if setting.off},
    }


def _write_review(one: AcceptedRow, names: ShortNames) -> Mapping[str, Any]:
    if one.review is None:
        return {DECISION: NOT_REVIEWED}
    decision = "edited" if one.edited else "accepted"
    note = names.clear_text(clean(one.review.note))
    return {DECISION: decision, "note": note, "round": one.outcome.round}


def _clear(reason: Reason, names: ShortNames) -> str:
    return names.clear_text(clean(reason.detail))
