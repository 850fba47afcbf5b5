"""Rows for gates: a review that is taken from the source, and a reply that is asked for."""

from engine.recipes.recipe import SynthesizeRecipe
from engine.recipes.synthesis_settings import RowField
from engine.synthesis.gates.candidate import RowCandidate, make_candidate
from engine.synthesis.source_rows import SourceRow

RECIPE = SynthesizeRecipe(
    fields={
        "review": RowField(take="Read this review:\n{text}\nThen reply."),
        "reply": RowField(ask="What is the reply?"),
        "label": RowField(ask="Agree?", type="label", choices=["agree", "disagree"]),
    }
)


def source(name: str = "r.jsonl:1", text: str = "It broke.") -> SourceRow:
    return SourceRow(name, name, "r.jsonl", 1, text, {"text": text})


def candidate(
    reply: str = "", *, text: str = "It broke.", name: str = "r.jsonl:1", label: str = "agree"
) -> RowCandidate:
    review = f"Read this review:\n{text}\nThen reply."
    row = {"review": review, "reply": reply, "label": label}
    return make_candidate(RECIPE, source(name, text), row)
