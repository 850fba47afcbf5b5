"""What the accepted rows of a job are like, and what the review says of the others, in lines."""

from collections.abc import Sequence

from engine.synthesis.made_statistics import JackknifeEstimate, MadeStatistics, TextStatistics
from engine.synthesis.review_sample import SampledReview
from engine.text import one_line
from tui.styled_text import Line


def statistics_lines(statistics: MadeStatistics, review: SampledReview) -> list[Line]:
    """Lengths, labels and diversity with their 95% intervals; last what a drawn sample says."""
    rows, sources = statistics.rows, statistics.sources
    lines: list[Line] = [[(f"accepted rows: {rows:,}, sources: {sources:,}", "strong")]]
    for field, labels in statistics.labels.items():
        lines += [[], [(one_line(field), "strong")]]
        lines += [[(f"  {one_line(label)} {share.words}", "")] for label, share in labels.items()]
    for text in statistics.texts:
        lines += _text_lines(text)
    if statistics.chosen_longer is not None:
        lines += [
            [],
            [("chosen longer than rejected ", "dim"), (statistics.chosen_longer.words, "")],
        ]
    if review.words:
        lines += [[], [(review.words, "warn")]]
    if review.rest and not review.drawn:
        lines += [[("o in the review lists the rows at random: review them in that order", "dim")]]
    return lines


def _text_lines(text: TextStatistics) -> Sequence[Line]:
    least, lower, median, upper, most = (f"{value:g}" for value in text.words)
    lines: list[Line] = [[], [(one_line(text.field), "strong")]]
    words = f"median {median}, quarters {lower} and {upper}, from {least} to {most}"
    lines.append([("  words        ", "dim"), (words, "")])
    for name, estimate in (
        ("distinct-1", text.distinct_1), ("distinct-2", text.distinct_2),
        ("self-BLEU", text.self_bleu),
    ):  # fmt: skip
        if estimate is not None:
            lines.append([(f"  {name:<13}", "dim"), (_write(estimate), "")])
    lines.append([(f"  texts measured for diversity: {text.measured:,}", "dim")])
    return lines


def _write(estimate: JackknifeEstimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
