"""The sections of a report, in their order. Another part of the program adds one by its function
in `SECTIONS`: it is given the values of the report and returns a section, or None where it has
nothing to show. What it needs from the jobs belongs into `report_inputs`, since a report is
rendered from its own folder alone.
"""

from collections.abc import Callable, Iterator, Mapping

from engine.impact.results.evaluation_results import GOLD_NLL, SERVER, ArmSuite
from engine.impact.scores.measure_kinds import CHOICES
from engine.number_format import write_number, write_percent, write_points
from engine.report.blocks import (
    AnswerText,
    Block,
    Bullets,
    ItemBlock,
    Paragraph,
    Section,
    clip,
    grid,
)
from engine.report.control_section import show_controls
from engine.report.headline import show_headline, show_sentences
from engine.report.job_answers import ItemAnswer
from engine.report.judge_section import show_judges
from engine.report.limits import list_detectable, list_limits
from engine.report.number_words import (
    NONE,
    digits_of,
    write_digits,
    write_interval,
)
from engine.report.plots import plot_curves
from engine.report.report_values import ReportValues
from engine.report.run_facts import RunFacts
from engine.report.sentences import say_aspects
from engine.report.table_sections import (
    name_row,
    show_classes,
    show_format,
    show_measures,
    show_other_arms,
    show_skills,
    show_stages,
    show_texts,
)
from engine.report.telling_items import RULE, TellingItem
from engine.report.tradeoff_section import show_tradeoff

LONGEST_PROMPT = 600
"""Characters of a question, and of a right answer, that are shown."""


def show_question(values: ReportValues) -> Section | None:
    """What was compared and how it was asked."""
    table, facts = values.table, values.facts
    runs = {run.id: run for run in facts.runs}
    arms = []
    for arm in table.arms:
        result, run = table.results.arms[arm], runs.get(facts.arm_runs.get(arm, ""))
        model = result.spec.partition("=")[2] or result.spec
        trained = ", ".join(result.trained) or NONE
        arms.append((arm, model, result.parent or NONE, trained, _write_training(run)))
    suites = []
    for row in table.skills:
        suite = table.results.suites[row.name]
        asked = [
            words
            for arm in table.arms
            if (measured := table.results.arms[arm].suites.get(row.name)) is not None
            for words in [write_asked(measured)]
        ]
        each = " | ".join(dict.fromkeys(asked)) or "not measured"
        suites.append((row.name, f"{len(suite.items):,}", row.measure, each,
                       suite.digest[:12] or "not known"))  # fmt: skip
    jobs = [
        (job.id, ", ".join(job.suites) or "every bundled suite",
         f"{job.limit:,}" if job.limit else "all", _write_packages(job.packages))
        for job in facts.jobs
    ]  # fmt: skip
    return Section(
        "question",
        "What was compared, and how it was asked",
        (
            Paragraph(
                f"{len(table.arms)} arms on {len(table.skills)} skills. The first arm, "
                f"{values.base}, is what the others are held against."
            ),
            grid(
                ("arm", "model", "parent", "suites it was trained on", "training"),
                arms,
                (0, 1, 2, 3, 4),
            ),
            grid(
                ("skill", "items", "score", "asked", "SHA-256 of the items"), suites, (0, 2, 3, 4)
            ),
            grid(("evaluation", "suites", "items each", "versions"), jobs, (0, 1, 3)),
        ),
    )


def show_runs(values: ReportValues) -> Section | None:
    """The runs behind the arms: settings, losses, curves."""
    runs = values.facts.runs
    if not runs:
        return None
    units = " or ".join(dict.fromkeys(run.loss_unit for run in runs))
    overview = grid(
        ("run", "method", "began with", "steps", "curve", "first", "best (step)", "last", "points"),
        [cells for run in runs for cells in _list_losses(run)],
        (0, 1, 2, 3, 4),
        f"First, best and last value of each curve; losses in {units}, shifts in nats per token",
    )
    gaps = [
        (run.id, f"{run.gap[0]:,}", write_digits(run.gap[1]), write_digits(run.gap[2]),
         write_number(run.gap[2] - run.gap[1], 3, signed=True))
        for run in runs
        if run.gap is not None
    ]  # fmt: skip
    settings = grid(
        ("run", "settings", "versions"),
        [
            (run.id, ", ".join(f"{key}={value}" for key, value in run.settings.items()),
             _write_packages(run.packages))
            for run in runs
        ],
        (0, 1, 2),
        "Settings that are always of interest, and those that are not the default",
    )  # fmt: skip
    blocks: list[Block] = [overview]
    if problems := [f"{run.id}: {problem}." for run in runs for problem in run.problems]:
        blocks.append(Bullets(tuple(problems)))
    if gaps:
        head = ("run", "step", "train/loss", "eval/loss", "gap")
        blocks.append(grid(head, gaps, title="Held-out loss above the training loss since the "
                           "evaluation before, at the last evaluation"))  # fmt: skip
    return Section("runs", "Runs and their curves", (*blocks, *plot_curves(runs), settings))


def show_aspects(values: ReportValues) -> Section | None:
    """How the answers are worded, arm by arm."""
    if not values.facts.aspects:
        return None
    blocks: list[Block] = [
        Paragraph(
            "Numbers of the answers' texts, without reasoning and tool calls, paired by item with "
            f"those of {values.base}. All are exploratory; an interval of few answers is left out, "
            "and what is 0 of both arms."
        )
    ]
    for one in values.facts.aspects:
        if one.arm == values.last and (sentences := tuple(say_aspects(one))):
            blocks.append(Bullets(sentences))
    for one in values.facts.aspects:
        rows = []
        for row in one.rows:
            if row.before == row.after == 0:
                continue
            is_known = row.low == row.low and row.high == row.high
            digits = digits_of(row.low, row.high)
            interval = write_interval(row.low, row.high, digits, signed=True) if is_known else NONE
            change = write_number(row.after - row.before, digits, signed=True)
            rows.append((row.name, row.about, f"{row.items:,}", write_digits(row.before),
                         write_digits(row.after), f"{change} {interval}"))  # fmt: skip
        title = (
            f"{one.arm} against {one.base}: {one.items:,} pairs of answers, {one.same:,} the same"
        )
        head = ("aspect", "what is counted", "n", one.base, one.arm, "change, 95% interval")
        blocks.append(grid(head, rows, (0, 1), title))
    return Section("aspects", "How the answers are worded", tuple(blocks))


def show_votes(values: ReportValues) -> Section | None:
    """Blind votes, where some were cast."""
    rows = [
        (f"{one.arm} against {one.other}", f"{one.voters:,}", f"{one.wins:,}", f"{one.losses:,}",
         f"{one.ties:,}", f"{one.both_bad:,}",
         f"{write_percent(one.wins / (one.wins + one.losses))} "
         f"[{write_percent(one.low)}, {write_percent(one.high)}]"
         if one.wins + one.losses else NONE)
        for one in values.facts.votes
    ]  # fmt: skip
    if not rows:
        return None
    head = ("arms", "voters", "won", "lost", "tied", "both bad", "won of decided, 95% interval")
    return Section("votes", "Blind votes", (grid(head, rows),))


def show_answers(values: ReportValues) -> Section | None:
    """The items that tell most of what was lost and gained, with all answers."""
    if not values.telling:
        return None
    by_item: dict[tuple[str, str], dict[str, ItemAnswer]] = {}
    for answer in values.facts.answers:
        by_item.setdefault((answer.skill, answer.item), {})[answer.arm] = answer
    items = [
        _show_item(values, one, by_item.get((one.skill, one.item), {})) for one in values.telling
    ]
    rule = Paragraph(f"{values.last} against {values.base}. {RULE}")
    return Section("answers", "The most telling answers, lost and gained", (rule, *items))


def show_limits(values: ReportValues) -> Section | None:
    """What these numbers cannot say."""
    rows = []
    for row, change, least in list_detectable(values):
        text = NONE
        if least is not None:
            is_score = row.unit == "score"
            text = f"{write_points(least).lstrip('+')} points" if is_score else (
                f"{write_number(least, 3)} {row.unit}"
            )  # fmt: skip
        rows.append((name_row(row), f"{change.test.items:,}", text))
    blocks: list[Block] = [Bullets(tuple(list_limits(values)))]
    if rows:
        blocks.append(
            grid(("skill", "n", "least change"), rows, title="The least change that so many items, "
                 "differing so much, would show 4 times in 5 in a test at 5%, uncorrected")
        )  # fmt: skip
    return Section("limits", "What these numbers cannot say", tuple(blocks))


ShowSection = Callable[[ReportValues], Section | None]
SECTIONS: tuple[ShowSection, ...] = (
    show_headline,
    show_question,
    show_skills,
    show_sentences,
    show_stages,
    show_tradeoff,
    show_format,
    show_answers,
    show_votes,
    show_judges,
    show_classes,
    show_texts,
    show_runs,
    show_aspects,
    show_other_arms,
    show_measures,
    show_controls,
    show_limits,
)


def list_sections(values: ReportValues) -> Iterator[Section]:
    """All sections that have something to show."""
    for show in SECTIONS:
        if (section := show(values)) is not None:
            yield section


def write_asked(suite: ArmSuite) -> str:
    """How an arm was asked, in a few words."""
    asked = suite.asked
    if not asked:
        return "not measured" if suite.not_measured else "not recorded"
    if "source" in asked:
        return f"measured by {asked['source']}"
    shots = asked.get("fewshot", 0)
    template = asked.get("template", "own")
    whose = "the server's own template" if template == SERVER else f"{template} template"
    parts = [f"{shots}-shot" if shots else "zero-shot", whose]
    if isinstance(hashed := asked.get("template_hash"), str) and hashed:
        parts.append(f"chat template {hashed[:8]}")
    decode = asked.get("decode")
    if isinstance(decode, Mapping):
        temperature = decode.get("temperature", 0)
        parts.append("greedy" if temperature == 0 else f"temperature {temperature}")
        parts.append(f"{decode.get('max_new_tokens')} new tokens")
    parts += [
        f"{key}: {clip(str(asked[key]), 80)}" for key in ("system", "prefix") if asked.get(key)
    ]
    parts += [str(asked["dtype"])] if "dtype" in asked else []
    return ", ".join(parts)


def _write_training(run: RunFacts | None) -> str:
    """How a run was trained, in a few words; all of it is in the section of runs."""
    if run is None:
        return NONE
    own = run.settings
    parts = [f"{run.method} on {own.get('data.train', 'unknown data')}"]
    parts += [
        f"{name} {own[key]}"
        for key, name in (
            ("training.learning_rate", "lr"),
            ("training.epochs", "epochs"),
            ("replay.data", "replay of"),
            ("training.seed", "seed"),
        )
        if key in own
    ]
    return ", ".join(parts)


def _write_packages(packages: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in packages.items()) or "not known"


def _list_losses(run: RunFacts) -> Iterator[tuple[str, ...]]:
    steps = f"{run.step:,} of {run.total:,}, {run.state}"
    for curve in run.curves:
        if not curve.tag.startswith(("train/loss", "eval/loss", "forget/", "eval/skill")):
            continue
        best = f"{write_digits(curve.best[1])} ({curve.best[0]:,})" if curve.best else NONE
        ends = (write_digits(curve.first[1]), best, write_digits(curve.last[1]))
        points = f"{curve.points:,}"
        if curve.not_finite:
            points += f", {curve.not_finite:,} not finite"
        yield run.id, run.method, run.base, steps, curve.tag, *ends, points
    if not run.curves:
        yield run.id, run.method, run.base, steps, "no curves", NONE, NONE, NONE, NONE


def _show_item(
    values: ReportValues, one: TellingItem, answers: Mapping[str, ItemAnswer]
) -> ItemBlock:
    item = values.table.results.suites[one.skill].items[one.item]
    row = values.table.row(one.skill)
    shown = []
    for arm in values.table.arms:
        result = row.results.get(arm)
        if result is None or one.item not in result.scores:
            continue
        suite = values.table.results.arms[arm].suites[one.skill]
        is_right = result.scores[one.item] >= 1
        shown.append(
            AnswerText(
                arm,
                answers[arm].text if arm in answers else "",
                _answer_note(answers.get(arm), suite, one.item, row.measure, is_right=is_right),
                "good" if is_right else "bad",
            )
        )
    facts = f"{one.flip} by {values.last}"
    if one.nats is not None:
        facts += f"; the right answer's NLL {write_number(one.nats, 2, signed=True)} nats per token"
    prompt, gold = item.prompt, " / ".join(item.gold)
    return ItemBlock(
        f"{one.skill}, {one.item}", facts, _shorten(prompt), _shorten(gold), tuple(shown)
    )


def _answer_note(
    answer: ItemAnswer | None, suite: ArmSuite, item: str, measure: str, *, is_right: bool
) -> str:
    """How the answer was scored, and how much of it is shown."""
    parts = ["right" if is_right else "wrong"]
    if measure in CHOICES:
        picked = suite.picked.get(measure, {}).get(item)
        parts[0] += " by likelihood" + (f", which picks {clip(picked, 80)}" if picked else "")
    if answer is None:
        parts.append("no answer is stored")
    elif answer.length > len(answer.text):
        parts.append(f"the first {len(answer.text):,} of {answer.length:,} characters")
    elif not answer.text:
        parts.append("empty")
    if answer is not None and answer.finish == "length":
        parts.append("cut by the length limit")
    nll = suite.measures.get(GOLD_NLL, {}).get(item)
    if nll is not None:
        parts.append(f"NLL of the right answer {write_number(nll, 2)}")
    return ", ".join(parts)


def _shorten(text: str) -> str:
    if len(text) <= LONGEST_PROMPT:
        return text
    return f"{text[:LONGEST_PROMPT]}… (the first {LONGEST_PROMPT} of {len(text):,} characters)"
