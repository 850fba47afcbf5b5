"""What the answers to a job's questions are held to: JSON of the schema, or one value of a field.

Owns which of them are: a text or a list that is asked for by itself is free, a label is chosen and
not written, and an answer whose prompt opens reasoning is free too. A grammar is of form alone, as
`RowSchema.json_schema`: what it lets pass is checked as every other answer.
"""

from engine.answer_parts import opens_reasoning
from engine.synthesis.row_schema import RowSchema
from engine.worker.inference.grammar import AnswerMask, GrammarCompiler

_INTEGER = r" ?-?(0|[1-9][0-9]*)"
_NUMBER = rf"{_INTEGER}(\.[0-9]+)?"
_BOOLEANS = ("yes", "no")
"""As the question asks for them."""
NAME = "llguidance"


class AnswerGrammars:
    """The grammars of one job, compiled once a field."""

    def __init__(self, compiler: GrammarCompiler, schema: RowSchema) -> None:
        self.name = f"{NAME} {compiler.version}"
        """For the provenance of an answer."""
        self.free_prompts = 0
        """Answers that are not held, since their prompts open reasoning."""
        self._compiler = compiler
        self._schema = schema
        self._texts: dict[str, str | None] = {}

    def begin(self, field: str, prompt: str) -> AnswerMask | None:
        """What holds an answer to the question for a field, or for the whole object where `field`
        is empty; None: nothing. `prompt`: its end. Raises EngineError."""
        if field not in self._texts:
            self._texts[field] = self._compile(field)
        text = self._texts[field]
        if text is None:
            return None
        if opens_reasoning(prompt):
            self.free_prompts += 1
            return None
        return self._compiler.begin(text)

    def describe(self) -> tuple[str, ...]:
        """What came of it, a sentence each; nothing where nothing was held."""
        cost, notes = self._compiler.cost, []
        if cost.masks:
            each = 1000 * cost.seconds / cost.masks
            notes.append(
                f"answers held to their form by {self.name}: {cost.masks:,} tokens, "
                f"{each:.2g} ms each, {cost.seconds:.1f} s in all"
            )
        if cost.released:
            notes.append(
                f"{cost.released:,} answers without it from some token on: it could not follow them"
            )
        if self.free_prompts:
            notes.append(f"{self.free_prompts:,} answers not held: their prompts open reasoning")
        return tuple(notes)

    def _compile(self, field: str) -> str | None:
        if not field:
            return self._compiler.compile_schema(self._schema.json_schema())
        wanted = self._schema.fields.get(field)
        match wanted.type if wanted else "":
            case "boolean":
                return self._compiler.compile_choices(_BOOLEANS)
            case "integer":
                return self._compiler.compile_pattern(_INTEGER)
            case "number":
                return self._compiler.compile_pattern(_NUMBER)
        return None
