"""Which gates a recipe sets, in words, and those of them that need no library."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from engine.recipes.recipe import SynthesizeRecipe
from engine.synthesis.gates.candidate import Gate, GateName, HeldOutText, asks_text
from engine.synthesis.gates.copy_gate import check_copy
from engine.synthesis.gates.opening_gate import OpeningWatch
from engine.synthesis.gates.overlap_gate import OverlapCheck
from engine.synthesis.gates.text_gates import (
    check_cut_source,
    check_length,
    check_refusal,
    check_same_answer,
    check_special_tokens,
)

_OF_ASKED_TEXTS: frozenset[GateName] = frozenset(
    {"length", "copy", "language", "refusal", "opening"}
)


@dataclass(frozen=True, slots=True)
class GateSetting:
    """What a recipe sets of one gate, for the data card."""

    name: GateName
    limit: str = ""
    """In words; empty where it is off."""
    off: str = ""
    """Why it is off; empty where it is on."""


def light_gates(recipe: SynthesizeRecipe, held_out: Sequence[HeldOutText] = ()) -> list[Gate]:
    """Those that are on, in the order of their names."""
    limits = recipe.gates
    openings = OpeningWatch(limits.openings)
    gates = [
        Gate("length", lambda row: check_length(row, limits.min_chars, limits.max_chars)),
        Gate("same answer", lambda row: check_same_answer(row, limits.near_duplicates)),
        Gate("copy", lambda row: check_copy(row, limits.copy)),
        Gate("refusal", check_refusal),
        Gate("special token", check_special_tokens),
        Gate("cut source", check_cut_source),
        Gate("opening", openings.check, openings),
    ]
    on = gates_on(recipe, held_out)
    if "overlap" in on:
        gates.insert(-1, Gate("overlap", OverlapCheck(held_out, limits.overlap).check))
    return [gate for gate in gates if gate.name in on]


def gates_on(recipe: SynthesizeRecipe, held_out: Sequence[HeldOutText]) -> frozenset[GateName]:
    """The names of those that look at rows."""
    settings = gate_settings(recipe, held_out_texts=len(held_out))
    return frozenset(each.name for each in settings if not each.off)


def gate_settings(recipe: SynthesizeRecipe, held_out_texts: int) -> tuple[GateSetting, ...]:
    """All gates in the order of their names, heavy ones as well, and what is set of them."""
    limits = _limits(recipe, held_out_texts)
    settings = []
    for name in get_args(GateName):
        limit, off = limits[name], ""
        if not limit:
            off = "no pairs are made" if name == "same answer" else "not set"
        elif name in _OF_ASKED_TEXTS and not asks_text(recipe):
            off = "no text is asked for"
        elif name == "overlap" and not held_out_texts:
            off = "no rows of the evaluation side are named"
        settings.append(GateSetting(name, "" if off else limit, off))
    return tuple(settings)


def _limits(recipe: SynthesizeRecipe, held_out_texts: int) -> dict[GateName, str]:
    """What each gate asks for, in words; empty where it is not set."""
    gates = recipe.gates
    language = "that of the source" if gates.language == "source" else gates.language
    near = f"Jaccard similarity of character shingles below {gates.near_duplicates:g}"
    near += ", and to the evaluation side" if held_out_texts else ", among the rows made alone"
    return {
        "length": f"{gates.min_chars} to {gates.max_chars} characters",
        "same answer": _limit_alike(recipe),
        "copy": f"at most {gates.copy:.0%} of the words in one run" if gates.copy else "",
        "language": language,
        "refusal": "none, in English" if gates.refusals else "",
        "special token": "none" if gates.special_tokens else "",
        "cut source": "none" if gates.cut_sources else "",
        "overlap": f"no {gates.overlap} words in a row" if gates.overlap else "",
        "near duplicate": near if gates.near_duplicates else "",
        "opening": f"at most {gates.openings:.0%} begin alike" if gates.openings else "",
        "judge": f"{gates.judge}: {gates.judge_question}" if gates.judge else "",
    }


def _limit_alike(recipe: SynthesizeRecipe) -> str:
    if recipe.mode not in ("pairs", "votes"):
        return ""
    near = recipe.gates.near_duplicates
    return f"answers of a pair less than {near:g} alike" if near else "answers of a pair differ"
