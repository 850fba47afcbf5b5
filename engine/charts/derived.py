"""Values derived from curves: perplexity of a loss, and the steps of the first NaN or Inf.

A derived curve is always marked as such.

The rule for perplexity, exp of a mean NLL in nats per token: the tag's last part is a name of a
token-level NLL (`loss`, `nll`, `cross_entropy`, `lm_loss`, …), the parts before it are nothing but
names of a split; the run logs no perplexity there itself; no value is negative; and no other tag
says that the loss is another objective (rewards, a policy, a value function, KL, boxes); and the
run's settings name no labels and no classifier, whose loss is over classes and not over tokens.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from engine.events.series import Floats, Series

_SPLITS = frozenset(
    ("train", "training", "eval", "evaluation", "val", "valid", "validation", "dev", "test")
)
_NLL = frozenset(
    ("loss", "nll", "nll_loss", "lm_loss", "ce", "ce_loss", "cross_entropy", "xent", "xent_loss")
)
_PERPLEXITY = frozenset(("perplexity", "ppl"))
_OTHER_OBJECTIVE = re.compile(
    r"reward|policy|value_loss|value loss|advantage|entropy_loss|logps|logits/|(^|[/_ ])kl($|[/_ ])"
    r"|clipfrac|clip_ratio|box_loss|dice|contrastive|(^|/)margins?$|discriminator|generator",
    re.IGNORECASE,
)
_CLASSIFIER = re.compile(
    r"(^|\.)id2label\b|architectures (?:(?!architectures ).)*(Classification|Regression)"
)
_OWN_MEASURES = re.compile(r"^forget/")  # finetop's own KL to the base is no objective


@dataclass(frozen=True, slots=True, eq=False)
class Derived:
    """A curve that is computed, not logged."""

    series: Series
    formula: str
    """How it was made, to be shown with it: `exp(train/loss)`."""


@dataclass(frozen=True, slots=True)
class Alert:
    """A curve with NaN or infinite values."""

    tag: str
    step: int
    """Where the first such value stands."""
    wall_time: float
    value: float
    """NaN or an infinity."""
    count: int
    """How many such values there are."""
    recovered: bool
    """Whether a finite value came after the last of them."""


_CLASS_MEASURE = re.compile(
    r"(?:^|(?<!token)[/_])(?:accuracy|acc|f1|auc|auroc)(?:[/_]\w+)?$", re.IGNORECASE
)
"""What classifiers log beside their loss; the accuracy of tokens is that of a language model."""


def perplexities(
    run: Mapping[str, Series], settings: Mapping[str, object] = MappingProxyType({})
) -> dict[str, Derived]:
    """Perplexity by the tag it would have, for every loss of a run that has none logged.

    `settings` are the run's hyper-parameters, as far as they are known.
    """
    if any(_CLASSIFIER.search(f"{name} {value}") for name, value in settings.items()):
        return {}
    if any(_CLASS_MEASURE.search(tag) for tag in run):
        return {}
    if any(_OTHER_OBJECTIVE.search(tag) and not _OWN_MEASURES.match(tag) for tag in run):
        return {}
    found: dict[str, Derived] = {}
    for tag, series in run.items():
        beside = perplexity_tag(tag)
        if beside is None or beside in found or not len(series) or (series.values < 0).any():
            continue
        folder = beside.rpartition("/")[0]
        if any(tag.rpartition("/")[0] == folder and _names_perplexity(tag) for tag in run):
            continue
        curve = replace(
            series,
            tag=beside,
            values=_exp(series.values),
            abandoned=tuple(replace(one, values=_exp(one.values)) for one in series.abandoned),
        )
        found[beside] = Derived(curve, f"exp({tag})")
    return found


def _exp(values: Floats) -> Floats:
    with np.errstate(over="ignore"):
        found: Floats = np.exp(values)
    found.flags.writeable = False
    return found


def perplexity_tag(tag: str) -> str | None:
    """The tag of the perplexity of this loss; None where its name is not that of an NLL."""
    *above, name = tag.split("/")
    prefix = ""
    split, _, rest = name.partition("_")
    if not above and split.lower() in _SPLITS and rest:
        prefix, name = f"{split}_", rest
    if name.lower() not in _NLL or any(part.lower() not in _SPLITS for part in above):
        return None
    return "/".join([*above, f"{prefix}perplexity"])


def alerts(run: Mapping[str, Series]) -> list[Alert]:
    """Every curve with values that are not finite, the earliest step first."""
    found = []
    for tag, series in run.items():
        wrong = np.flatnonzero(~np.isfinite(series.values))
        if not wrong.size:
            continue
        first = int(wrong[0])
        found.append(
            Alert(
                tag,
                int(series.steps[first]),
                float(series.wall_times[first]),
                float(series.values[first]),
                int(wrong.size),
                int(wrong[-1]) < len(series) - 1,
            )
        )
    return sorted(found, key=lambda alert: (alert.step, alert.tag))


def _names_perplexity(tag: str) -> bool:
    name = tag.rpartition("/")[2].lower()
    return name in _PERPLEXITY or any(name.endswith(f"_{one}") for one in _PERPLEXITY)
