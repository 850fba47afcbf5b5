"""The key bindings of the dashboard, defined once.

Bindings, the line at the bottom, the palette, the help window and `finetop keys` are generated from
this table, so they always agree.
"""

import re
from dataclasses import dataclass

EVERYWHERE = "everywhere"
"""What `finetop keys` calls the keys of no page in particular."""

SCREENS = {
    "": "Everywhere",
    "runs": "Runs",
    "launch": "Launch",
    "watch": "Watch",
    "compare": "Compare",
    "browse": "Browse, a job's answers",
    "metrics": "What changed",
    "shift": "Token shift of an answer",
    "vote": "Blind votes",
    "tokens": "Tokens",
    "log": "Log",
    "overview": "Overview",
    "machine": "Machine",
    "logs": "Runs of finetop watch",
}


@dataclass(frozen=True, slots=True)
class Key:
    id: str
    key: str
    """Textual key names, separated by commas."""
    action: str
    label: str
    """One to three words for the line at the bottom."""
    help: str
    screen: str = ""
    """The screen where it works; empty: on all screens."""
    shown: str = ""
    """The key as displayed; empty: the first name in `key`."""
    bar: bool = True
    """Whether the line at the bottom shows it."""
    priority: bool = False
    """Works in a field too, where letters are text."""

    @property
    def face(self) -> str:
        return self.shown or self.key.split(",")[0]

    @property
    def action_name(self) -> str:
        """The action without its parameters."""
        return self.action.partition("(")[0]


def _on(screen: str, *rows: tuple[str, str, str, str, str, str]) -> list[Key]:
    """Key bindings of one screen: key, key as displayed, action, label, help, options (`quiet`,
    `always`)."""
    return [
        Key(
            f"{screen or 'app'}.{re.sub(r'[^a-z_0-9-]+', '.', action).strip('.')}",
            key, action, label, text, screen, face, "quiet" not in options, "always" in options,
        )
        for key, face, action, label, text, options in rows
    ]  # fmt: skip


_STOP = "Save and stop; again, more firmly. Waiting: cancel."

_LOG = "All that its workers said, to be searched."
_OVERVIEW = "Recipe, inputs, versions, size; of logs: settings, texts."
_MACHINE = "GPU, CPU, memory and disk, over the last minutes."
_RUN_FILTER = "Show only runs that an expression lets through."
_PIN = "Pin the chosen run: on top and always drawn; or no longer."
_NOTE = "A note and tags on the chosen run."
_ARCHIVE, _ARCHIVED = (
    "Archive the chosen run, or take it back.",
    "List archived runs too, or no longer.",
)
_HIDE, _HIDDEN = "Hide the chosen run, or show it again.", "List hidden runs too, or no longer."

KEYS: tuple[Key, ...] = (
    *_on(
        "runs",
        ("enter", "", "watch", "watch", "Watch the chosen run.", ""),
        ("n", "", "new", "new like this", "Launch, prefilled from the chosen run.", ""),
        ("c", "", "compare", "compare", "Read base and tuned model side by side.", ""),
        ("s", "", "stop", "stop", _STOP, ""),
        ("r", "", "resume", "resume", "Go on from its last checkpoint; a done one: further.", ""),
        ("K,shift+up", "K", "move(-1)", "", "Move a waiting run up in the queue.", "quiet"),
        ("J,shift+down", "K J", "move(1)", "move", "Move a waiting run down in the queue.", ""),
        ("slash", "/", "filter", "filter", _RUN_FILTER, ""),
        ("o", "o O", "turn_order", "sort", "Sort by the next column.", ""),
        ("O", "O", "turn_direction", "", "The other direction.", "quiet"),
        ("i", "", "turn_value", "", "Last, best or smoothed values.", "quiet"),
        ("t", "", "pick_tag", "by tag", "Sort by any tag that was logged.", "quiet"),
        ("b", "", "group", "group", "Group by a setting of the recipe.", ""),
        ("p", "", "pin", "", _PIN, "quiet"),
        ("m", "", "note", "note", _NOTE, ""),
        ("space", "", "mark", "mark", "Mark the chosen run, to compare recipes with it.", ""),
        ("d", "", "difference", "difference", "Settings unlike the marked run's or parent's.", ""),
        ("D", "D", "remove", "", "Delete an ended run, once its name is typed.", "quiet"),
        ("z", "", "archive", "", _ARCHIVE, "quiet"),
        ("Z", "Z", "show_archived", "", _ARCHIVED, "quiet"),
        ("f", "", "log", "log", _LOG, ""),
        ("u", "", "overview", "overview", _OVERVIEW, ""),
        ("g", "", "machine", "machine", _MACHINE, ""),
        ("x", "", "hide", "hide", _HIDE, "quiet"),
        ("X", "X", "show_hidden", "show hidden", _HIDDEN, "quiet"),
    ),
    *_on(
        "launch",
        ("ctrl+s", "", "launch", "launch", "Start the run and watch it.", "always"),
        ("enter", "", "go_on", "next", "On to the next list, then to the form.", ""),
        ("v", "", "turn_pane(1)", "panes", "What is learned, lengths, templates, fit, recipe.", ""),
        ("V", "V", "turn_pane(-1)", "", "The pane before.", "quiet"),
        ("m", "", "turn_form(1)", "more settings", "The next group of settings.", ""),
        ("M", "M", "turn_form(-1)", "", "The group before.", "quiet"),
        ("f2", "", "leaf", "", "The next group, from within a field too.", "quiet always"),
        ("slash", "/", "filter", "filter", "Show only what holds a word.", "quiet"),
        ("r", "", "rescan", "look again", "Look for models and data sets again.", "quiet"),
    ),
    *_on(
        "watch",
        ("h,left", "h", "cursor(-1)", "", "Move the cursor to an earlier step.", "quiet"),
        ("l,right", "h l", "cursor(1)", "cursor", "Move the cursor to a later step.", ""),
        ("H,shift+left", "H", "cursor(-10)", "", "Ten points earlier.", "quiet"),
        ("L,shift+right", "L", "cursor(10)", "", "Ten points later.", "quiet"),
        ("n", "n p", "turn_prompt(1)", "prompt", "The next prompt of the samples.", ""),
        ("p", "p", "turn_prompt(-1)", "", "The prompt before.", "quiet"),
        ("less_than_sign,comma", "<", "turn_sample(-1)", "", "An earlier answer to it.", "quiet"),
        ("greater_than_sign,full_stop", "< >", "turn_sample(1)", "answer", "A later answer.", ""),
        ("s", "", "stop", "stop", _STOP, ""),
        ("r", "", "resume", "resume", "Go on from its last checkpoint; a done one: further.", ""),
        ("c", "", "compare", "compare", "Read base and tuned model side by side.", ""),
        ("v", "", "turn_charts", "charts", "Other charts, where not all fit.", ""),
        ("t", "", "turn_pane", "log", "The log or the samples, where not both fit.", ""),
        ("left_square_bracket", "[", "turn_run(-1)", "", "The run above in the list.", "quiet"),
        ("right_square_bracket", "[ ]", "turn_run(1)", "run", "The run below in the list.", ""),
        ("minus", "-", "smooth(-1)", "", "Smooth less.", "quiet"),
        ("plus,equals_sign", "+ -", "smooth(1)", "smooth", "Smooth more.", ""),
        ("y", "", "log_scale", "log scale", "Logarithmic scale, or linear.", ""),
        ("f", "", "log", "", _LOG, "quiet"),
        ("u", "", "overview", "overview", _OVERVIEW, ""),
        ("g", "", "machine", "machine", _MACHINE, ""),
        (
            "x",
            "",
            "turn_axis",
            "axis",
            "By step or time, also relative; by tokens, by epoch.",
            "",
        ),
        ("enter", "", "full_screen", "full screen", "One chart alone; esc or enter: all.", ""),
        ("slash", "/", "filter", "filter", "Draw only tags that an expression lets through.", ""),
        ("d", "", "turn_grid", "grid", "More charts at once, or fewer.", "quiet"),
        ("b", "", "branches", "", "Show what resumes left behind, faintly.", "quiet"),
        ("o", "", "overlay", "overlay", "Draw other runs' curves on the same charts.", ""),
        ("z", "z Z", "zoom(0.5)", "zoom", "Half as much of x, around the cursor.", ""),
        ("Z", "Z", "zoom(2.0)", "", "Twice as much of x, in the end all of it.", "quiet"),
        ("left_curly_bracket", "{", "pan(-1)", "", "An earlier part of x.", "quiet"),
        ("right_curly_bracket", "}", "pan(1)", "", "A later part of x.", "quiet"),
        ("P", "P", "pin", "", "Find a chart by its tag; pin some before the others.", "quiet"),
        ("e", "", "export", "export", "The first chart as SVG or PNG, its curves as text.", ""),
        ("E", "E", "export_all", "", "Every point of all tags of the runs drawn.", "quiet"),
        ("Y", "Y", "chat", "copy", "The first chart in a line of text, for a chat.", ""),
    ),
    *_on(
        "compare",
        ("e", "", "edit", "edit", "Write a prompt of your own, or change this one.", ""),
        ("ctrl+s", "", "send", "send", "Have it answered.", "always"),
        ("n", "n p", "turn_prompt(1)", "prompt", "The next bundled prompt.", ""),
        ("p", "p", "turn_prompt(-1)", "", "The prompt before.", "quiet"),
        ("f", "", "follow_up", "follow up", "Go on with a second turn.", ""),
        ("h,left", "h", "step(-1)", "", "The token, or the strength, before.", "quiet"),
        ("l,right", "h l", "step(1)", "token", "The next token, or strength.", ""),
        ("left_square_bracket", "[", "jump(-1)", "", "The shifted token before.", "quiet"),
        ("right_square_bracket", "[ ]", "jump(1)", "shifted", "The next shifted token.", ""),
        ("c", "", "arms", "arms", "Choose who answers: two to four arms, or a saved set.", ""),
        ("d", "", "diff", "diff", "Word difference of two panes; again: of the next two.", ""),
        ("t", "", "shift", "token shift", "Each token by its rank under the first arm.", ""),
        ("w", "", "strength", "strength", "The adapter at 0, 0.25, 0.5, 0.75 and 1.", ""),
        ("x", "", "tokens", "tokens", "Token ids and pieces, special ones as well.", ""),
        ("r", "", "pick_run", "run", "Choose which run answers as tuned.", ""),
        ("o", "", "turn_panes", "panes", "Fewer panes, each alone, or all.", ""),
        ("minus", "-", "warm(-1)", "", "Less temperature; 0 is greedy.", "quiet"),
        ("plus,equals_sign", "+ -", "warm(1)", "temp", "More temperature.", ""),
        ("less_than_sign,comma", "<", "lengthen(-1)", "", "Shorter answers.", "quiet"),
        ("greater_than_sign,full_stop", "< >", "lengthen(1)", "length", "Longer answers.", ""),
        ("b", "", "answers", "answers", "Whole sets of prompts answered, to be browsed.", ""),
        ("s", "", "reseed", "seed", "Another seed.", ""),
        ("m", "", "note", "keep", "Keep this round as a job, with a note, and browse it.", ""),
        ("v", "", "vote", "vote", "Keep this round, and judge it without names.", ""),
    ),
    *_on(
        "tokens",
        ("v", "", "turn_view(1)", "view", "Pieces, all texts, templates, their difference.", ""),
        ("V", "V", "turn_view(-1)", "", "The view before.", "quiet"),
        ("t", "", "pick", "tokenizers", "Choose tokenizers, others by their path.", ""),
        ("e", "", "edit", "edit", "Write a text of your own, or a conversation.", ""),
        ("ctrl+s", "", "send", "take it", "Take what is written.", "always"),
        ("n", "n p", "turn_text(1)", "text", "The next text.", ""),
        ("p", "p", "turn_text(-1)", "", "The text before.", "quiet"),
        ("h,left", "h", "step(-1)", "", "The token before.", "quiet"),
        ("l,right", "h l", "step(1)", "token", "The next token.", ""),
        ("i", "", "turn_face", "ids", "Text, ids, or the vocabulary's own spelling.", ""),
        ("f", "", "turn_form", "template", "Another template in this pane.", ""),
        ("o", "", "open_answer", "opened", "Templates with an answer opened, or without.", ""),
        ("left_square_bracket", "[", "turn_panes(-1)", "", "The pane before.", "quiet"),
        ("right_square_bracket", "[ ]", "turn_panes(1)", "pane", "The panes that lack room.", ""),
    ),
    *_on(
        "browse",
        ("enter", "", "read", "read", "The answers alone; again: with the list.", ""),
        ("left_square_bracket", "[", "turn_difference(-1)", "", "The difference before.", "quiet"),
        (
            "right_square_bracket",
            "[ ]",
            "turn_difference(1)",
            "difference",
            "The next pair that differs.",
            "",
        ),
        ("n", "", "turn_pair(1)", "", "The next pair.", "quiet"),
        ("p", "", "turn_pair(-1)", "", "The pair before.", "quiet"),
        ("f", "", "choose_shown", "show", "Only what differs, never stopped, repeats itself.", ""),
        ("s", "", "choose_skill", "skill", "Only one skill.", ""),
        ("slash", "/", "filter", "find", "Only pairs that hold a text.", ""),
        ("o", "o O", "choose_sort", "sort", "Sort by any measure.", ""),
        ("O", "O", "turn_direction", "", "Largest change, risen most, fallen most.", "quiet"),
        ("t", "t T", "numbers", "numbers", "What changed: each measure with its interval.", ""),
        ("T", "T", "pair_numbers", "", "What changed in this pair alone.", "quiet"),
        ("x", "", "shift", "token shift", "The right tokens by their rank on the left.", ""),
        ("v", "", "vote", "vote", "Judge the pairs without knowing who answered.", ""),
        ("m", "", "note", "note", "A note on this pair.", ""),
        ("asterisk", "*", "mark", "bookmark", "Bookmark this pair, or no longer.", ""),
        ("r", "", "choose_arms", "arms", "Which two arms are read.", ""),
        ("d", "", "turn_marks", "diff", "Mark the words that only one has, or do not.", "quiet"),
        ("e", "", "export", "export", "Markdown, CSV, JSONL, HTML, or LLM Comparator.", ""),
    ),
    *_on(
        "metrics",
        ("enter", "", "open_drivers", "examples", "The pairs that drive this difference.", ""),
        ("slash", "/", "filter", "find", "Only measures that hold a word.", ""),
    ),
    *_on(
        "shift",
        ("h,left", "h", "step(-1)", "", "The token before.", "quiet"),
        ("l,right", "h l", "step(1)", "token", "The next token.", ""),
        ("left_square_bracket", "[", "jump(-1)", "", "The shifted token before.", "quiet"),
        ("right_square_bracket", "[ ]", "jump(1)", "shifted", "The next shifted token.", ""),
    ),
    *_on(
        "vote",
        ("h,left", "h", "cast('left')", "left", "The left answer is better.", ""),
        ("l,right", "l", "cast('right')", "right", "The right answer is better.", ""),
        ("t", "", "cast('tie')", "tie", "Both are as good.", ""),
        ("b", "", "cast('both bad')", "both bad", "Neither is any good.", ""),
        ("u,backspace", "u", "undo", "undo", "Take the last vote back.", ""),
        ("r", "", "rate", "rate", "Rate both by rubrics, from 1 to 5.", ""),
        ("m", "", "note", "note", "A note with this vote.", ""),
        ("asterisk", "*", "mark", "bookmark", "Bookmark this pair, or no longer.", ""),
        ("o", "", "outcome", "outcome", "What the votes say, with names.", ""),
        ("J", "J", "judge", "judge", "Another judge, whose votes are kept apart.", ""),
        ("R", "R", "rubrics", "", "Rubrics of your own, from a file.", "quiet"),
    ),
    *_on(
        "logs",
        ("enter", "", "watch", "watch", "Draw the chosen run's curves.", ""),
        ("slash", "/", "filter", "filter", _RUN_FILTER, ""),
        ("space", "", "mark", "mark", "Mark a run: marked ones are drawn together.", ""),
        ("M", "M", "mark_shown", "", "Mark all that are listed, or none of them.", "quiet"),
        ("p", "", "pin", "pin", _PIN, ""),
        ("o", "o O", "turn_order", "sort", "By name, step, newest change, or a tag's value.", ""),
        ("O", "O", "turn_direction", "", "The other direction.", "quiet"),
        ("i", "", "turn_value", "last/best", "Last, best or smoothed values of tags.", ""),
        ("t", "", "pick_tag", "by tag", "Sort by any tag; pin tags before the others.", ""),
        ("b", "", "group", "group", "Group by a setting that the logs note.", ""),
        ("m", "", "note", "note", _NOTE, ""),
        ("e", "", "export", "export", "Every point of the runs marked, or of all listed.", ""),
        ("d", "", "difference", "difference", "Settings unlike those of the run marked last.", ""),
        ("x", "", "hide", "hide", _HIDE, "quiet"),
        ("X", "X", "show_hidden", "", _HIDDEN, "quiet"),
        ("z", "", "archive", "", _ARCHIVE, "quiet"),
        ("Z", "Z", "show_archived", "", _ARCHIVED, "quiet"),
        ("D", "D", "remove", "", "Says why no log is deleted here.", "quiet"),
    ),
    *_on(
        "log",
        ("slash", "/", "filter", "find", "Find a word.", ""),
        ("n", "n N", "turn_hit(1)", "hit", "The next line that holds the word.", ""),
        ("N,p", "N", "turn_hit(-1)", "", "The line before that holds it.", "quiet"),
    ),
    *_on(
        "",
        ("1", "", "show('runs')", "", "The list of runs.", "quiet"),
        ("2", "", "show('launch')", "", "Start a new run.", "quiet"),
        ("3", "", "show('watch')", "", "One run as it learns.", "quiet"),
        ("4", "", "show('compare')", "", "Base and tuned model side by side.", "quiet"),
        ("6", "", "show('tokens')", "", "One text through several tokenizers.", "quiet"),
        ("colon,ctrl+p", ":", "palette", "", "Find a command by its name.", "quiet"),
        ("escape", "esc", "back", "back", "One step back.", "quiet always"),
        ("a", "", "turn_glyphs", "", "Draw with ASCII, or with blocks and braille.", "quiet"),
        ("ctrl+t", "", "turn_theme", "", "Light colours, or dark; kept for next time.", "quiet"),
        ("question_mark", "?", "help", "help", "This list.", ""),
        ("q,ctrl+q", "q", "leave", "leave", "Leave; runs go on.", ""),
    ),
)


def keys_of(screen: str) -> list[Key]:
    """The key bindings that work on a screen, its own first."""
    own = [key for key in KEYS if key.screen == screen]
    return own + [key for key in KEYS if not key.screen] if screen else own


_NAMES = {
    "slash": "/", "colon": ":", "question_mark": "?", "escape": "esc", "minus": "-", "plus": "+",
    "asterisk": "*",
    "equals_sign": "=", "left_square_bracket": "[", "right_square_bracket": "]", "comma": ",",
    "less_than_sign": "<", "greater_than_sign": ">", "full_stop": ".",
    "left_curly_bracket": "{", "right_curly_bracket": "}",
}  # fmt: skip


def _faces(key: Key) -> list[str]:
    return [_NAMES.get(one, one) for one in key.key.split(",")]


def faces(key: Key) -> str:
    """All keys of an action, as displayed."""
    return " ".join(_faces(key))
