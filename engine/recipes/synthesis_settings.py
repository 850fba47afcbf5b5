"""The tables of a recipe that makes data: its source, what is asked, the rows wanted, the limits.

Owns no rule across settings and reads no disk, as `engine.recipes.settings`. Texts marked as
templates hold fields of the source row in braces, as in `{review}`; a brace is written as `{{`.
"""

from dataclasses import dataclass

from engine.recipes.validation import setting

MODES = ("fields", "json", "pairs", "votes")
FIELD_TYPES = ("text", "label", "integer", "number", "boolean", "list")


@dataclass(frozen=True, slots=True)
class Source:
    """Where the raw texts come from."""

    data: str = setting("", label="Source")
    """`bundled:NAME` or a path to a file or folder of rows, as `data.train` of a run."""
    text: str = setting("", label="Text column")
    """The column with the source's own text; empty: the one column of texts, else refused."""
    id: str = setting("", label="Source id")
    """The column whose value names a source: rows that share one belong to one group; empty: each
    row is a source."""
    separator: str = setting("", label="CSV separator")
    limit: int = setting(0, ge=0, label="Row limit", zero="all")
    shuffle: bool = setting(False, label="Shuffle")
    """Whether rows are drawn in an order of `seed` before the limit; else as in the file."""
    seed: int = setting(7, ge=0, le=2**32 - 1, label="Seed of the rows")
    held_out: str = setting("", label="Evaluation data")
    """Rows of the evaluation side, which no row made may overlap with: a data set, a file of
    prompts, or `run:ID` for what a run held out; empty: none is known."""
    license: str = setting("", label="License")
    """Of the source, for the data card; empty: unknown."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What the generator is asked."""

    generator: str = setting("", label="Generator")
    """The arm that answers, in the grammar of `engine.compare.arms`."""
    system: str = setting("", label="System prompt")
    """A template; empty: no system message of ours."""
    instructions: str = setting("", label="Instructions")
    """A template: what is to be done with the source. Of a row made of JSON it is asked once with
    the description of the fields, of `fields` before each field's own question."""
    tries: int = setting(3, ge=1, le=20, label="Tries a question")
    """Answers to one question at most, the first among them."""
    in_flight: int = setting(4, ge=1, le=64, label="Requests at a time")
    """Questions that an endpoint is asked at a time."""
    grammar: str = setting("auto", choices=("auto", "on", "off"), label="Grammar")
    """Whether answers are held to the schema: of an endpoint by `response_format`, of a local model
    by llguidance where it is installed (`on`: it must be)."""
    terms: str = setting("", label="Terms of use")
    """Terms of use of the generator that rows made by it carry; empty: unknown."""


@dataclass(frozen=True, slots=True)
class RowField:
    """One field of the rows wanted: either taken from the source, or asked for."""

    take: str = setting("")
    """A template of columns of the source and of fields before this one: nobody is asked."""
    ask: str = setting("")
    """A template: the question in mode `fields`, the description of the field in mode `json`."""
    type: str = setting("text", choices=FIELD_TYPES)
    choices: list[str] = setting([])
    """Of a label: all of them; letter case and white space around an answer do not count."""
    range: list[float] = setting([])
    """Of a number: the least and the largest."""
    min_chars: int = setting(1, ge=0)
    max_chars: int = setting(4000, ge=1)
    """Of a text, or of each text of a list."""
    optional: bool = setting(False)
    """Whether a row may lack it."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Preference pairs: of two arms, of two prompts, or of blind votes."""

    prompt: str = setting("", label="Prompt")
    """A template: the prompt of the row, as training asks it."""
    rejected_generator: str = setting("", label="Rejected by")
    """The arm that writes the rejected answer; empty: the same one."""
    chosen_instructions: str = setting("", label="Chosen")
    """A template: how the chosen answer is asked for; empty: `prompt` as it is."""
    rejected_instructions: str = setting("", label="Rejected")
    """A template: how the rejected answer is asked for; empty: `prompt` as it is."""
    job: str = setting("", label="Job voted on")
    """Mode `votes`: `run:ID` of the job that was voted on."""
    rubric: str = setting("", label="Rubric")
    """Which answer a voter rated higher under it counts; empty: which one the voter chose."""


@dataclass(frozen=True, slots=True)
class Gates:
    """What holds a row back. A gate that is switched off by its value says so in the data card."""

    min_chars: int = setting(1, ge=0, label="Least characters")
    """Of the texts that were asked for, together."""
    max_chars: int = setting(20_000, ge=1, label="Most characters")
    copy: float = setting(0.9, ge=0, le=1, label="Copy", zero="off")
    """The largest share of an answer's words that may stand in the source in one run."""
    language: str = setting("", label="Language")
    """ISO 639-1 code of the texts that were asked for; `source`: that of the source; empty: any."""
    refusals: bool = setting(True, label="Refusals")
    special_tokens: bool = setting(True, label="Special tokens")
    cut_sources: bool = setting(False, label="Cut sources")
    """Whether a row whose source was cut to the generator's context is held back; it is said
    either way."""
    overlap: int = setting(13, ge=0, label="Overlap", zero="off")
    """Words of a run that a row may not share with the evaluation side."""
    near_duplicates: float = setting(0.8, ge=0, le=1, label="Similarity", zero="off")
    """Jaccard similarity of character shingles from which two rows are the same, and from which the
    two answers of a pair are. Where it is off, answers that are equal still make no pair."""
    openings: float = setting(0.2, ge=0, le=1, zero="off")
    """The share of rows that may begin with the same words."""
    judge: str = setting("", label="Judge")
    """An arm that is asked about each row; empty: none is."""
    judge_question: str = setting("", label="Judge question")
    """A question answered by yes or no; yes lets the row pass."""
    pause_after: int = setting(20, ge=0, label="Pause at", zero="never")
    """Bad rows in a row, from the first one on, after which the job pauses."""


@dataclass(frozen=True, slots=True)
class Budget:
    """When the job ends though sources are left; 0 is no limit."""

    rows: int = setting(0, ge=0, label="Rows", zero="any")
    """Rows that passed all gates."""
    tokens: int = setting(0, ge=0, label="Tokens", zero="any")
    """Read and written together."""
    minutes: float = setting(0.0, ge=0, label="Minutes", zero="any")
    """Of all attempts."""
    price: float = setting(0.0, ge=0, label="Price", zero="any")
    """In the currency of the two prices below."""
    input_price: float = setting(0.0, ge=0, label="Per 1M read")
    """Per million tokens read by the generator."""
    output_price: float = setting(0.0, ge=0, label="Per 1M written")
    """Per million tokens written by it."""
