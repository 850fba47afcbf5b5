"""A recipe to begin with: it makes question and answer rows of a source, and is meant to be edited.

Every line can stay as it is, so that it runs at once; comments say what else there is. Asks nobody
and starts nothing.
"""

import json
from pathlib import PurePath

from engine.data.dataset_list import find_path
from engine.data.formats import holds_columns, read_raw
from engine.recipes.settings import Data
from engine.synthesis.source_reader import LOOKED_AT, find_columns, guess_text_column
from engine.text import one_line

SOURCE = "bundled:reviews"
"""The source where none is named."""
_TEXT = """\
# Rows to train on, made of raw texts. To make them, and review them meanwhile:
#   finetop data make THIS.toml --review
kind = "synthesize"
name = {name}
mode = "fields"            # a question a field; "json": one object with all fields;
                           # "pairs", "votes": preference pairs, by the table [pairs]
[source]
# columns: {columns}
data = {data}
text = {text}    # the column of the raw texts
limit = 20                 # rows, to try it; 0: all
license = ""               # of the source, for the data card

[asking]
generator = "bundled:demo-base"    # who answers: the folder of a model, run:ID,
                                   # or an endpoint: http://HOST/v1?model=NAME
terms = ""                 # terms of use of the generator, for the data card

# The rows wanted, a table a field: taken from the source, or asked for.
# {{NAME}} is a column of the source, or a field before this one. finetop train
# learns completion from prompt; it knows other names too (finetop data inspect).
[fields.prompt]
take = {take}

[fields.completion]
ask = {ask}
type = "text"              # or label, with choices = ["yes", "no"]; integer, number,
                           # boolean, list
[decode]
max_new_tokens = 128       # of an answer; one that is cut there is never used
temperature = 0.0
"""


def write_example(ref: str = SOURCE) -> str:
    """The recipe for a source, as TOML. Of a Parquet or Arrow file the columns are not known here,
    and the one of the text is called `text`, as is one whose name cannot be written in a template.

    Raises EngineError where the source is not there or cannot be read.
    """
    path = find_path(ref, ())
    rows = () if holds_columns(path) else read_raw(path, Data())
    columns = find_columns(row for row, _ in zip(rows, range(LOOKED_AT), strict=False))
    text = guess_text_column(columns) or "text"
    names = ", ".join(one_line(name) for name in columns if name) or "not known here"
    asks = f"{{{text}}}"
    if "{" in text or "}" in text or one_line(text) != text:  # no template, no terminal for it
        text, asks = "text", "{text}"
    return _TEXT.format(
        name=_quote(f"made-{PurePath(ref.rpartition(':')[2]).stem}"),
        data=_quote(ref),
        text=_quote(text),
        columns=names,
        take=_quote(asks),
        ask=_quote(f"Answer in two sentences: {asks}"),
    )


def _quote(text: str) -> str:
    """A text of TOML in one line."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
