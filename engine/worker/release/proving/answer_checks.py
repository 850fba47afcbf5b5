"""Whether what is shipped answers as the run does: its greedy tokens, and its distributions over
held-out rows, each from the same prefix.

Float32 means: the shipped weights, whatever type they are stored in, computed in float32. Where the
type rounds them, the run in float32 is also compared with the sum of base and adapter before it is
rounded, so that what rounding costs is told from what merging costs. Greedy tokens are compared by
reading: answers are equal exactly where each token of the run's is the first choice after those
before it.
"""

from collections.abc import Sequence
from math import exp
from typing import Any

from engine.events.summary import perplexity
from engine.number_format import write_count, write_number, write_percent
from engine.release.proof import Check, CheckStatus
from engine.statistics import mean_test, wilson
from engine.worker.release.proving import kept_logs
from engine.worker.release.proving.kept_logs import Disagreement, RowComparison
from engine.worker.release.proving.long_prompts import LongRow
from engine.worker.release.proving.proof_spec import Advance
from engine.worker.release.proving.reference import GreedyRow, RunReference
from engine.worker.release.proving.type_noise import Tolerance

GREEDY = "greedy answers in float32"
SUMMED = "greedy answers before rounding"
READ = "held-out rows in the shipped type"
LONG = "long prompts"
QUANTIZED_RUN = "distance to the quantised run"


GROSS = {"q8_0": 0.1}
"""Of quantised types, in nats per token: the mean divergence beyond which a file is not a coarser
copy but another model: a hundred times what q8_0 costs (8e-5 of the bundled model, 4e-4 of Gemma 3
270M, up to 6e-4 of random ones)."""
GROSS_OTHERS = 2.0
"""The same of fewer bits, whose cost grows steeply as models get smaller; q4_k_m of the bundled
model costs 0.004. What catches a wrong tensor is `weight_checks`."""
_NAMED = 8


def compare_greedy(
    model: Any, greedy: Sequence[GreedyRow], advance: Advance
) -> tuple[Disagreement, ...]:
    """The first place of each answer at which the model chooses another token than the run."""
    rows = [one.row for one in greedy]
    disagreements = []
    for at, logs in enumerate(kept_logs.distributions(model, rows, advance)):
        row, margins = rows[at], greedy[at].margins
        tokens = logs.argmax(-1).tolist()
        for place, margin, token in zip(row.places, margins, tokens, strict=True):
            if token != row.ids[place]:
                disagreements.append(Disagreement(at, place, margin, row.ids[place], token))
                break
    return tuple(disagreements)


def judge_greedy(
    name: str,
    reference: RunReference,
    found: Sequence[Disagreement],
    tolerance: float,
    *,
    exact: bool = True,
) -> Check:
    """`found` against the largest margin that may give way; stated where it is not `exact`, for a
    type that is quantised in blocks."""
    total = len(reference.greedy)
    if not total:
        text = "nothing compared: the run's answers are read otherwise than they were written"
        return Check(name, "not proven", text, {"prompts": 0})
    beyond = [one for one in found if one.margin > tolerance]
    tokens = sum(len(one.margins) for one in reference.greedy)
    bundled = total - min(total, reference.held_out_prompts)
    facts: dict[str, Any] = {
        "prompts": total,
        "bundled prompts": bundled,
        "tokens": tokens,
        "equal": total - len(found),
        "differing within the tolerance": len(found) - len(beyond),
        "tolerance": tolerance if exact else None,
        "largest margin": max((one.margin for one in found), default=0.0),
    }
    text = f"{total - len(found)} of {write_count(total, 'answer')} equal, "
    text += f"of {write_count(tokens, 'token')} in all"
    text += f"; {write_count(bundled, 'prompt')} bundled, not held out" if bundled else ""
    if found and exact:
        text += f"; in {len(found) - len(beyond)} the first token that differs has a margin within "
        text += f"{_write(tolerance)} nats in the run (at most {facts['largest margin']:.3g})"
    elif found:
        text += "; the first tokens that differ have margins of up to "
        text += f"{facts['largest margin']:.2f} nats"
    status: CheckStatus = ("failed" if beyond else "passed") if exact else "stated"
    return Check(name, status, text, facts, tuple(_name_all(beyond if exact else ())))


def judge_rows(
    name: str,
    found: Sequence[RowComparison],
    tolerance: Tolerance,
    dtype: str,
    *,
    exact: bool,
    limited: bool = True,
    bundled: int = 0,
) -> Check:
    """What reading rows came to: divergence, agreement, margins, perplexity, each with its interval
    by rows, against what the type may change. `exact`: of a type that is not quantised in blocks;
    of others a gross divergence alone fails. Without `limited`, only stated."""
    places = [float(one.places) for one in found]
    total = sum(one.places for one in found)
    limit = tolerance.divergence if exact else GROSS.get(dtype, GROSS_OTHERS)
    if not all(one.finite for one in found):
        reason = ("values are NaN or Inf: the weights overflow in this type",)
        return Check(
            name, "failed", "the shipped model computes values that are not finite", {}, reason
        )
    divergence = [one.divergence / one.places for one in found]
    mean = sum(one.divergence for one in found) / total
    low, high = mean_test(divergence, weights=places).interval()
    differing = [one for row in found for one in row.disagreements]
    agreed = 1 - len(differing) / total
    trials = _trials(found, agreed)
    agreement = wilson(agreed * trials, trials)
    nll, reference_nll = sum(one.nll for one in found), sum(one.reference_nll for one in found)
    before = perplexity(reference_nll / total)
    shifts = [(one.nll - one.reference_nll) / one.places for one in found]
    shift = mean_test(shifts, weights=places).interval()
    costs = [
        before * (exp(min(50.0, one)) - 1) for one in (nll / total - reference_nll / total, *shift)
    ]
    beyond = sorted((d for d in differing if d.margin > tolerance.margin), key=lambda d: -d.margin)
    facts: dict[str, Any] = {
        "rows": len(found),
        "bundled rows": bundled,
        "tokens": total,
        "divergence": mean,
        "divergence interval": [max(0.0, low), high],
        "divergence limit": limit if limited else None,
        "agreement": agreed,
        "agreement interval": list(agreement),
        "largest margin": max((one.margin for one in differing), default=0.0),
        "tolerance": tolerance.margin if exact and limited else None,
        "largest noise": max(one.largest_noise for one in found),
        "perplexity": before,
        "perplexity change": costs[0],
        "perplexity change interval": costs[1:],
    }
    facts = {key: value for key, value in facts.items() if _finite(value)}
    text = f"mean KL {_write(mean)} nats per token [{_write(max(0.0, low))}, {_write(high)}] "
    text += f"over {write_count(total, 'token')} of {write_count(len(found), 'row')}"
    text += f" ({bundled:,} of them bundled)" if bundled else ""
    text += f"; first choices agree in {write_percent(agreed, 2)} "
    text += f"[{write_percent(agreement[0], 2)}, {write_percent(agreement[1], 2)}]"
    if exact and limited:
        text += (
            f", in all where the margin is above {_write(tolerance.margin)} nats"
            if not beyond
            else ""
        )
    else:
        text += f"; perplexity {before:.2f} changes by {costs[0]:+.3f} "
        text += f"[{costs[1]:+.3f}, {costs[2]:+.3f}]"
    lines: list[str] = []
    if limited and not mean <= limit:
        lines.append(
            f"mean KL {_write(mean)} is above the limit of {_write(limit)} nats for {dtype}"
        )
    if limited and exact:
        lines += _name_all(beyond)
    status: CheckStatus = "failed" if lines else ("passed" if exact and limited else "stated")
    return Check(name, status, text, facts, tuple(lines))


def judge_long(
    reference: RunReference,
    found: Sequence[Sequence[RowComparison]],
    tolerances: Sequence[Tolerance],
    dtype: str,
    *,
    exact: bool,
) -> Check:
    """Rows that cross a boundary: what lies before it and what lies beyond are each judged as rows
    are, by the tolerances of all parts in order."""
    long = reference.long
    if not long.rows and not long.left_out:
        text = "nothing to check: no sliding window within the context, and no scaled RoPE"
        return Check(LONG, "passed", text, {"boundaries": 0})
    if not long.rows:
        return Check(
            LONG, "not proven", "; ".join(long.left_out), {"boundaries": len(long.left_out)}
        )
    lines: list[str] = []
    sentences: list[str] = []
    by_boundary: dict[str, Any] = {}
    left = iter(tolerances)
    for one, parts in zip(long.rows, found, strict=True):
        name, size = one.boundary.name, len(one.row.ids)
        by_boundary[name] = {"tokens": size}
        means = []
        for where, part in zip(_name_parts(one), parts, strict=True):
            check = judge_rows(LONG, [part], next(left), dtype, exact=exact)
            lines += [f"{name}: {where} it, {line}" for line in check.differences]
            mean = part.divergence / part.places
            means.append(f"{_write(mean)} nats per token over {part.places} {where} it")
            by_boundary[name][f"divergence {where}"] = mean
        tokens = write_count(size, "token")
        sentences.append(f"{name}: a row of {tokens}, mean KL {' and '.join(means)}")
    sentences += list(long.left_out)
    facts = {"boundaries": by_boundary, "left out": list(long.left_out)}
    status: CheckStatus = "passed" if exact else "stated"
    if long.left_out:
        status = "not proven"  # however well the others were read
    if lines:
        status = "failed"
    return Check(LONG, status, "; ".join(sentences), facts, tuple(lines))


def _name_parts(one: LongRow) -> list[str]:
    sides = {"before": one.before, "beyond": len(one.row.places) - one.before}
    return [side for side, places in sides.items() if places]


def _trials(found: Sequence[RowComparison], agreed: float) -> float:
    """How many independent trials a share of all places is worth: places of one row go together.

    That is p (1 − p) / SE², with the standard error of the share by rows; without any disagreement,
    of which no spread is known, the number of rows.
    """
    if len(found) < 2 or agreed in (0, 1):
        return float(len(found))
    shares = [1 - len(one.disagreements) / one.places for one in found]
    error = mean_test(shares, weights=[float(one.places) for one in found]).error
    total = float(sum(one.places for one in found))
    return min(total, agreed * (1 - agreed) / error**2) if error else float(len(found))


def _name_all(found: Sequence[Disagreement]) -> list[str]:
    named = [
        f"row {one.row + 1}, token {one.place + 1}: token {one.token} comes first, not "
        f"{one.reference_token}, which the run chooses by {one.margin:.2f} nats"
        for one in found[:_NAMED]
    ]
    return named + ([f"… and {len(found) - _NAMED:,} more"] if len(found) > _NAMED else [])


def _write(value: float) -> str:
    return write_number(value, 4)


def _finite(value: Any) -> bool:
    """Whether JSON can hold it."""
    values = value if isinstance(value, list) else [value]
    return all(one is None or abs(one) < float("inf") for one in values)
