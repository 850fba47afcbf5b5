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
    "impact": "Impact",
    "items": "Items of a skill",
    "answers": "Answers to an item",
    "browse": "Browse answers",
    "metrics": "What changed",
    "shift": "Token shift",
    "classification": "Classification",
    "format": "Real or only format",
    "notes": "Notes of a cell",
    "tradeoff": "Gained against retained",
    "vote": "Blind votes",
    "make": "Make data",
    "made": "Data being made",
    "review": "Review of rows",
    "tokens": "Tokens",
    "log": "Log",
    "overview": "Overview",
    "machine": "Machine",
    "logs": "finetop watch",
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


_STOP = "Save and stop (again: SIGTERM); cancel a queued run."

_RESUME = "Resume from the last checkpoint, or extend a run."
_EVALUATE = "Evaluate the run: what it gained and lost."
_RELEASE = "Export the run: adapter, merged, GGUF, each proven."
_PRUNE = "Prune an ended run: drop checkpoints, free disk."
_LOG = "Show the whole log; search it with /."
_OVERVIEW = "Show recipe, inputs, versions, size, hyperparameters."
_MACHINE = "Show recent use of GPU, CPU, memory and disk."
_RUN_FILTER = "Show only runs that match a filter."
_PIN = "Pin or unpin: listed first, always charted."
_NOTE = "Edit note and labels of the selected run."
_ARCHIVE, _ARCHIVED = (
    "Archive a run you no longer need, or unarchive.",
    "Show or hide archived runs.",
)
_HIDE, _HIDDEN = "Hide the selected run for now, or show it again.", "Show or hide hidden runs."

KEYS: tuple[Key, ...] = (
    *_on(
        "runs",
        ("enter", "", "watch", "watch", "Watch the selected run.", ""),
        ("n", "", "new", "clone", "Open Launch with the settings of the selected run.", ""),
        ("c", "", "compare", "compare", "Compare base and tuned model side by side.", ""),
        ("I", "I", "evaluate", "evaluate", _EVALUATE, ""),
        ("R", "R", "release", "export", _RELEASE, "quiet"),
        ("s", "", "stop", "stop", _STOP, ""),
        ("r", "", "resume", "resume", _RESUME, ""),
        ("K,shift+up", "K", "move(-1)", "", "Move a queued run up.", "quiet"),
        ("J,shift+down", "K J", "move(1)", "move", "Move a queued run down.", ""),
        ("slash", "/", "filter", "filter", _RUN_FILTER, ""),
        ("o", "o O", "turn_order", "sort", "Sort by the next column.", ""),
        ("O", "O", "turn_direction", "", "Reverse the sort order.", "quiet"),
        ("i", "", "turn_value", "", "Show last, best or smoothed values.", "quiet"),
        ("t", "", "pick_tag", "by tag", "Sort by a logged tag.", "quiet"),
        ("b", "", "group", "group", "Group by a recipe setting.", ""),
        ("p", "", "pin", "", _PIN, "quiet"),
        ("m", "", "note", "note", _NOTE, ""),
        ("space", "", "mark", "mark", "Mark the selected run; d shows how settings differ.", ""),
        (
            "d",
            "",
            "difference",
            "diff",
            "Diff settings with the marked run or the parent.",
            "",
        ),
        ("D", "D", "remove", "", "Delete a finished run (asks for its name).", "quiet"),
        ("F", "F", "prune", "", _PRUNE, "quiet"),
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
        ("ctrl+s", "", "launch", "launch", "Start the run and open Watch.", "always"),
        ("enter", "", "go_on", "next list", "Go to the next list, then to the form.", ""),
        ("n", "", "make_data", "make data", "Make rows to train on of the chosen data.", ""),
        (
            "v",
            "",
            "turn_pane(1)",
            "next preview",
            "Next preview: rows, lengths, templates, fit, recipe.",
            "",
        ),
        ("V", "V", "turn_pane(-1)", "", "Previous preview.", "quiet"),
        ("m", "", "turn_form(1)", "next page", "Next page of settings.", ""),
        ("M", "M", "turn_form(-1)", "", "Previous page of settings.", "quiet"),
        ("f2", "", "leaf", "", "Next page of settings, also from within a field.", "quiet always"),
        ("slash", "/", "filter", "filter", "Filter the list.", "quiet"),
        ("r", "", "rescan", "rescan", "Search for models and datasets again.", "quiet"),
    ),
    *_on(
        "make",
        ("ctrl+s", "", "start", "start", "Start making data.", "always"),
        ("enter", "", "edit", "edit", "Edit the chosen text or field of the rows.", ""),
        ("a", "", "add", "add", "Add a field to the rows.", ""),
        ("D,delete", "D", "remove", "remove", "Remove a field, or clear a text.", ""),
        ("K,shift+up", "K", "move(-1)", "", "Move a field up.", "quiet"),
        ("J,shift+down", "K J", "move(1)", "move", "Move a field down.", "quiet"),
        ("ctrl+l", "", "pick_arm", "models", "Pick a model for the field, or for all.", "always"),
        ("v", "", "turn_pane(1)", "preview", "Next preview: question, recipe.", ""),
        ("m", "", "turn_form(1)", "next page", "Next page of settings.", ""),
        ("M", "M", "turn_form(-1)", "", "Previous page of settings.", "quiet"),
        ("f2", "", "leaf", "", "Next page of settings, also from within a field.", "quiet always"),
        ("o", "", "open_recipe", "open", "Open a recipe file.", ""),
    ),
    *_on(
        "made",
        ("enter", "", "review", "review", "Review the rows, one by one.", ""),
        ("s", "", "stop", "stop", "Stop; everything made so far is kept.", ""),
        ("r", "", "resume", "resume", "Resume where it stopped or paused.", ""),
        ("w", "", "write", "write", "Write the accepted rows to a file.", ""),
        ("f", "", "log", "log", _LOG, ""),
        ("u", "", "overview", "overview", _OVERVIEW, ""),
    ),
    *_on(
        "review",
        ("a", "", "accept", "accept", "Accept the row.", ""),
        ("x", "", "reject", "reject", "Reject the row.", ""),
        ("e", "", "edit", "edit", "Edit the row here; ctrl+s applies.", ""),
        ("E", "E", "edit_outside", "", "Edit the row in $VISUAL or $EDITOR.", "quiet"),
        (
            "ctrl+s",
            "",
            "apply",
            "apply",
            "Apply the edited row, once the gates have seen it.",
            "quiet always",
        ),
        ("A", "A", "ask_again", "ask again", "Have the source asked again.", ""),
        ("u,backspace", "u", "undo", "undo", "Undo the last decision.", ""),
        ("f", "", "choose_filter", "filter", "Filter by state, decision, reason or gate.", ""),
        ("slash", "/", "filter", "search", "Show only rows that contain a text.", ""),
        ("o", "", "choose_order", "order", "List in the order of the source, or at random.", ""),
        ("t", "", "statistics", "statistics", "Lengths, labels, diversity, rate of rejects.", ""),
        ("n", "", "turn_row(1)", "", "Next row.", "quiet"),
        ("p", "", "turn_row(-1)", "", "Previous row.", "quiet"),
        ("w", "", "write", "write", "Write the accepted rows to a file.", ""),
        ("m", "", "note", "note", "Add a note to the decision.", "quiet"),
        ("g", "g G", "move_row(-1000000)", "", "First row.", "quiet"),
        ("G", "G", "move_row(1000000)", "", "Last row.", "quiet"),
    ),
    *_on(
        "watch",
        ("h,left", "h", "cursor(-1)", "", "Move the cursor to an earlier step.", "quiet"),
        ("l,right", "h l", "cursor(1)", "cursor", "Move the cursor to a later step.", ""),
        ("H,shift+left", "H", "cursor(-10)", "", "Move the cursor back ten points.", "quiet"),
        ("L,shift+right", "L", "cursor(10)", "", "Move the cursor forward ten points.", "quiet"),
        ("n", "n p", "turn_prompt(1)", "prompt", "Next prompt.", ""),
        ("p", "p", "turn_prompt(-1)", "", "Previous prompt.", "quiet"),
        (
            "less_than_sign,comma",
            "<",
            "turn_sample(-1)",
            "",
            "Earlier answer to this prompt.",
            "quiet",
        ),
        (
            "greater_than_sign,full_stop",
            "< >",
            "turn_sample(1)",
            "answer",
            "Later answer to this prompt.",
            "",
        ),
        ("s", "", "stop", "stop", _STOP, ""),
        ("r", "", "resume", "resume", _RESUME, ""),
        ("c", "", "compare", "compare", "Compare base and tuned model side by side.", ""),
        ("I", "I", "evaluate", "evaluate", _EVALUATE, ""),
        ("v", "", "turn_charts", "charts", "Next page of charts.", ""),
        ("t", "", "turn_pane", "log", "Switch between log and answers (small screens).", ""),
        ("left_square_bracket", "[", "turn_run(-1)", "", "Previous run in the list.", "quiet"),
        ("right_square_bracket", "[ ]", "turn_run(1)", "run", "Next run in the list.", ""),
        ("minus", "-", "smooth(-1)", "", "Smooth less.", "quiet"),
        ("plus,equals_sign", "+ -", "smooth(1)", "smooth", "Smooth more.", ""),
        ("y", "", "log_scale", "log scale", "Switch between logarithmic and linear scale.", ""),
        ("f", "", "log", "", _LOG, "quiet"),
        ("u", "", "overview", "overview", _OVERVIEW, ""),
        ("g", "", "machine", "machine", _MACHINE, ""),
        (
            "x",
            "",
            "turn_axis",
            "axis",
            "x axis: step, relative or wall time, tokens, epoch.",
            "",
        ),
        (
            "enter",
            "",
            "full_screen",
            "full screen",
            "Show one chart full screen, or all charts again.",
            "",
        ),
        ("slash", "/", "filter", "filter", "Show only charts whose tag matches a filter.", ""),
        ("d", "", "turn_grid", "grid", "Change the number of charts in the grid.", "quiet"),
        ("b", "", "branches", "", "Show points that a resume discarded (dimmed).", "quiet"),
        ("o", "", "overlay", "overlay", "Overlay curves of other runs.", ""),
        ("z", "z Z", "zoom(0.5)", "zoom", "Zoom in at the cursor.", ""),
        ("Z", "Z", "zoom(2.0)", "", "Zoom out.", "quiet"),
        ("left_curly_bracket", "{", "pan(-1)", "", "Scroll the zoomed range left.", "quiet"),
        ("right_curly_bracket", "}", "pan(1)", "", "Scroll the zoomed range right.", "quiet"),
        ("P", "P", "pin", "", "Find a chart by its tag, or pin charts to the top.", "quiet"),
        ("e", "", "export", "export", "Export the first chart: SVG, PNG, CSV, JSON or text.", ""),
        ("E", "E", "export_all", "", "Export all points of all tags of the charted runs.", "quiet"),
        ("Y", "Y", "chat", "copy", "Copy the first chart as one line of text.", ""),
    ),
    *_on(
        "compare",
        ("e", "", "edit", "edit", "Edit the prompt, or write a new one.", ""),
        ("ctrl+s", "", "send", "send", "Send the prompt.", "always"),
        ("n", "n p", "turn_prompt(1)", "prompt", "Next bundled prompt.", ""),
        ("p", "p", "turn_prompt(-1)", "", "Previous prompt.", "quiet"),
        ("f", "", "follow_up", "follow up", "Write a follow-up message.", ""),
        ("h,left", "h", "step(-1)", "", "Previous token or strength.", "quiet"),
        ("l,right", "h l", "step(1)", "token", "Next token or strength.", ""),
        ("left_square_bracket", "[", "jump(-1)", "", "Previous shifted token.", "quiet"),
        ("right_square_bracket", "[ ]", "jump(1)", "next shifted", "Next shifted token.", ""),
        ("c", "", "arms", "arms", "Choose one to four arms, or load a saved set.", ""),
        ("d", "", "diff", "diff", "Show the word diff of two panes; again: the next two.", ""),
        ("t", "", "shift", "token shift", "Mark each token by its rank under the first arm.", ""),
        (
            "w",
            "",
            "strength",
            "strength",
            "Answer at strengths 0, 0.25, 0.5, 0.75 and 1.",
            "",
        ),
        ("x", "", "tokens", "tokens", "Show token ids and raw tokens, with special tokens.", ""),
        ("r", "", "pick_run", "pick run", "Choose the tuned run.", ""),
        ("o", "", "turn_panes", "panes", "Show fewer panes, one pane, or all.", ""),
        ("minus", "-", "warm(-1)", "", "Decrease temperature; 0 is greedy.", "quiet"),
        ("plus,equals_sign", "+ -", "warm(1)", "temp", "Increase temperature.", ""),
        ("less_than_sign,comma", "<", "lengthen(-1)", "", "Decrease max new tokens.", "quiet"),
        (
            "greater_than_sign,full_stop",
            "< >",
            "lengthen(1)",
            "length",
            "Increase max new tokens.",
            "",
        ),
        ("b", "", "answers", "answers", "Generate answers to a set of prompts as a job.", ""),
        ("s", "", "reseed", "seed", "Change the seed.", ""),
        ("m", "", "note", "keep", "Save these answers as a job with a note; browse it.", ""),
        ("v", "", "vote", "vote", "Save these answers and vote on them blindly.", ""),
    ),
    *_on(
        "impact",
        ("enter", "", "open_items", "items", "Open the evaluation; the items of a cell.", ""),
        ("f", "", "open_lost", "lost", "Open the items that the cell's arm lost.", ""),
        ("x", "", "remedies", "remedies", "List what can be done about a loss.", ""),
        ("c", "", "classification", "confusion", "Confusions and F1 of a suite of labels.", ""),
        ("p", "", "tradeoff", "Pareto", "Show gained against retained, with the front.", ""),
        ("w", "", "write_report", "report", "Write a report: pages, tables, plots.", ""),
        ("t", "", "format", "format", "Show whether a change is real or only format.", ""),
        ("b", "", "turn_reference", "against", "Show changes against the base or the parent.", ""),
        ("h,left", "h", "move_column(-1)", "", "Previous arm.", "quiet"),
        ("l,right", "h l", "move_column(1)", "arm", "Next arm.", ""),
        ("i", "", "notes", "notes", "All that is known of a cell, and all measures.", "quiet"),
        ("slash", "/", "filter", "filter", "Show only skills that contain a text.", ""),
        ("o", "", "choose_evaluation", "evaluations", "List the evaluations.", ""),
        ("I", "I", "evaluate", "evaluate", _EVALUATE, ""),
        ("s", "", "stop", "stop", "Stop a running evaluation.", ""),
        ("r", "", "resume", "resume", "Resume a stopped evaluation.", ""),
        ("v", "", "browse", "browse", "Browse its answers, and vote on them.", "quiet"),
        ("g", "g G", "move_row(-1000000)", "", "First skill.", "quiet"),
        ("G", "G", "move_row(1000000)", "", "Last skill.", "quiet"),
    ),
    *_on(
        "tradeoff",
        ("enter", "", "open_column", "column", "Open the arm's column in the matrix.", ""),
        ("e", "", "choose_targets", "targets", "Choose the skills that were to be gained.", ""),
        ("slash", "/", "filter", "filter", "Show only arms that contain a text.", ""),
        ("g", "g G", "move_row(-1000000)", "", "First arm.", "quiet"),
        ("G", "G", "move_row(1000000)", "", "Last arm.", "quiet"),
    ),
    *_on(
        "items",
        ("enter", "", "read", "answers", "Show prompt, gold and the answers of all arms.", ""),
        ("f", "", "turn_class", "class", "Next class: lost, gained, kept, never, all.", ""),
        ("n", "n N", "turn_lost(1)", "lost", "Next lost item.", ""),
        ("N", "N", "turn_lost(-1)", "", "Previous lost item.", "quiet"),
        ("h,left", "h", "turn_arm(-1)", "", "Previous arm.", "quiet"),
        ("l,right", "h l", "turn_arm(1)", "arm", "Next arm.", ""),
        ("b", "", "turn_reference", "against", "Compare with the base or the parent.", ""),
        ("slash", "/", "filter", "search", "Show only items that contain a text.", ""),
        ("g", "g G", "move_row(-1000000)", "", "First item.", "quiet"),
        ("G", "G", "move_row(1000000)", "", "Last item.", "quiet"),
    ),
    *_on(
        "answers",
        ("n", "n N", "turn_lost(1)", "lost", "Next lost item.", ""),
        ("N", "N", "turn_lost(-1)", "", "Previous lost item.", "quiet"),
        (
            "greater_than_sign,full_stop",
            "< >",
            "turn_item(1)",
            "item",
            "Next item of the list.",
            "",
        ),
        ("less_than_sign,comma", "<", "turn_item(-1)", "", "Previous item of the list.", "quiet"),
        ("h,left", "h", "turn_panes(-1)", "", "Previous arms.", "quiet"),
        ("l,right", "h l", "turn_panes(1)", "arms", "Next arms, where not all fit.", ""),
    ),
    *_on(
        "tokens",
        ("v", "", "turn_view(1)", "view", "Next view: tokens, texts, templates, difference.", ""),
        ("V", "V", "turn_view(-1)", "", "Previous view.", "quiet"),
        ("t", "", "pick", "tokenizers", "Choose tokenizers, from the list or by path.", ""),
        ("e", "", "edit", "edit", "Edit the text or conversation.", ""),
        ("ctrl+s", "", "send", "apply", "Use the edited text.", "always"),
        ("n", "n p", "turn_text(1)", "text", "Next text.", ""),
        ("p", "p", "turn_text(-1)", "", "Previous text.", "quiet"),
        ("h,left", "h", "step(-1)", "", "Previous token.", "quiet"),
        ("l,right", "h l", "step(1)", "token", "Next token.", ""),
        ("i", "", "turn_face", "ids", "Show text, ids or raw tokens.", ""),
        ("f", "", "turn_form", "template", "Next template in this pane.", ""),
        (
            "o",
            "",
            "open_answer",
            "gen prompt",
            "Turn the generation prompt of templates on or off.",
            "",
        ),
        ("left_square_bracket", "[", "turn_panes(-1)", "", "Previous page of panes.", "quiet"),
        ("right_square_bracket", "[ ]", "turn_panes(1)", "pane", "Next page of panes.", ""),
    ),
    *_on(
        "browse",
        ("enter", "", "read", "open", "Show only the answers; again: with the list.", ""),
        (
            "left_square_bracket",
            "[",
            "turn_difference(-1)",
            "",
            "Previous pair that differs.",
            "quiet",
        ),
        (
            "right_square_bracket",
            "[ ]",
            "turn_difference(1)",
            "next diff",
            "Next pair that differs.",
            "",
        ),
        ("n", "", "turn_pair(1)", "", "Next pair.", "quiet"),
        ("p", "", "turn_pair(-1)", "", "Previous pair.", "quiet"),
        ("f", "", "choose_shown", "filter", "Filter: different, truncated, repetitive, noted.", ""),
        ("s", "", "choose_skill", "skill", "Filter by skill.", ""),
        ("slash", "/", "filter", "search", "Show only pairs that contain a text.", ""),
        ("o", "o O", "choose_sort", "sort", "Sort by a metric.", ""),
        (
            "O",
            "O",
            "turn_direction",
            "",
            "Next order: largest change, increase, decrease.",
            "quiet",
        ),
        ("t", "", "numbers", "metrics", "Show what changed: each metric with its interval.", ""),
        ("T", "T", "pair_numbers", "pair metrics", "Show what changed in this pair.", ""),
        (
            "x",
            "",
            "shift",
            "token shift",
            "Rank the right arm's tokens under the left arm.",
            "",
        ),
        ("v", "", "vote", "vote", "Vote on pairs blindly.", ""),
        ("m", "", "note", "note", "Edit the note of this pair.", ""),
        ("asterisk", "*", "mark", "bookmark", "Bookmark or unbookmark this pair.", ""),
        ("r", "", "choose_arms", "arms", "Choose the two arms.", ""),
        ("d", "", "turn_marks", "diff", "Turn word diff marks on or off.", "quiet"),
        ("e", "", "export", "export", "Export: Markdown, CSV, JSONL, HTML, LLM Comparator.", ""),
    ),
    *_on(
        "metrics",
        (
            "enter",
            "",
            "open_drivers",
            "examples",
            "Show the pairs with most effect on this difference.",
            "",
        ),
        ("slash", "/", "filter", "filter", "Filter the metrics by name.", ""),
    ),
    *_on(
        "shift",
        ("h,left", "h", "step(-1)", "", "Previous token.", "quiet"),
        ("l,right", "h l", "step(1)", "token", "Next token.", ""),
        ("left_square_bracket", "[", "jump(-1)", "", "Previous shifted token.", "quiet"),
        ("right_square_bracket", "[ ]", "jump(1)", "next shifted", "Next shifted token.", ""),
    ),
    *_on(
        "classification",
        ("v", "", "turn_way", "view", "Labels by likelihood, or by generated answer.", ""),
        ("d", "", "turn_difference", "diff", "Show confusions, or what changed of them.", ""),
    ),
    *_on(
        "vote",
        ("h,left", "h", "cast('left')", "left", "Vote: left is better.", ""),
        ("l,right", "l", "cast('right')", "right", "Vote: right is better.", ""),
        ("t", "", "cast('tie')", "tie", "Vote: tie.", ""),
        ("b", "", "cast('both bad')", "both bad", "Vote: both bad.", ""),
        ("u,backspace", "u", "undo", "undo", "Undo the last vote.", ""),
        ("r", "", "rate", "rate", "Rate both by rubrics, from 1 to 5.", ""),
        ("m", "", "note", "note", "Add a note to this vote.", ""),
        ("asterisk", "*", "mark", "bookmark", "Bookmark or unbookmark this pair.", ""),
        ("o", "", "outcome", "results", "Show the results and which arm is which.", ""),
        ("J", "J", "judge", "voter", "Change the voter (votes are stored by voter).", ""),
        ("R", "R", "rubrics", "", "Load rubrics from a file.", "quiet"),
    ),
    *_on(
        "logs",
        ("enter", "", "watch", "watch", "Watch the selected run.", ""),
        ("slash", "/", "filter", "filter", _RUN_FILTER, ""),
        ("space", "", "mark", "mark", "Mark a run; marked runs are charted together.", ""),
        ("M", "M", "mark_shown", "", "Mark all listed runs, or clear all marks.", "quiet"),
        ("p", "", "pin", "pin", _PIN, ""),
        ("o", "o O", "turn_order", "sort", "Sort by name, step, update time or a tag's value.", ""),
        ("O", "O", "turn_direction", "", "Reverse the sort order.", "quiet"),
        ("i", "", "turn_value", "last/best", "Show last, best or smoothed values of tags.", ""),
        ("t", "", "pick_tag", "by tag", "Sort by a tag, or pin tags as first columns.", ""),
        ("b", "", "group", "group", "Group by a logged hyperparameter.", ""),
        ("m", "", "note", "note", _NOTE, ""),
        ("e", "", "export", "export", "Export all points of the marked or all listed runs.", ""),
        (
            "d",
            "",
            "difference",
            "diff",
            "Show hyperparameters that differ from the marked run.",
            "",
        ),
        ("x", "", "hide", "hide", _HIDE, "quiet"),
        ("X", "X", "show_hidden", "", _HIDDEN, "quiet"),
        ("z", "", "archive", "", _ARCHIVE, "quiet"),
        ("Z", "Z", "show_archived", "", _ARCHIVED, "quiet"),
        ("D", "D", "remove", "", "Not available: logs are read-only.", "quiet"),
    ),
    *_on(
        "overview",
        (
            "y",
            "",
            "copy_command",
            "copy",
            "Copy a command of an export: upload, verify ...",
            "",
        ),
    ),
    *_on(
        "log",
        ("slash", "/", "filter", "search", "Search the log.", ""),
        ("n", "n N", "turn_hit(1)", "match", "Next match.", ""),
        ("N,p", "N", "turn_hit(-1)", "", "Previous match.", "quiet"),
    ),
    *_on(
        "",
        ("1", "", "show('runs')", "", "Open Runs: the list of runs.", "quiet"),
        ("2", "", "show('launch')", "", "Open Launch: start a new run.", "quiet"),
        ("3", "", "show('watch')", "", "Open Watch: curves of one run.", "quiet"),
        (
            "4",
            "",
            "show('compare')",
            "",
            "Open Compare: base and tuned model side by side.",
            "quiet",
        ),
        ("5", "", "show('impact')", "", "Open Impact: what was gained and lost.", "quiet"),
        ("6", "", "show('tokens')", "", "Open Tokens: compare tokenizers.", "quiet"),
        ("colon,ctrl+p", ":", "palette", "", "Open the command palette.", "quiet"),
        ("escape", "esc", "back", "back", "Go back.", "quiet always"),
        ("ctrl+g", "", "turn_glyphs", "", "Switch between ASCII and Unicode characters.", "quiet"),
        ("ctrl+t", "", "turn_theme", "", "Switch between light and dark theme (saved).", "quiet"),
        ("question_mark", "?", "help", "help", "Show all keys.", ""),
        ("q,ctrl+q", "q", "leave", "quit", "Quit; runs keep running.", ""),
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


def names_of(key: Key) -> list[str]:
    """All keys of an action, each as displayed."""
    return [_NAMES.get(one, one) for one in key.key.split(",")]


def faces(key: Key) -> str:
    """All keys of an action, as displayed."""
    return " ".join(names_of(key))
