"""What the name of a tag says: in which direction it improves, and how early a reader wants it.

Names alone, of whatever trainer; no values, but that the caller may name tags whose values say
nothing. The whole name counts, not its last part alone: `rewards/correctness/mean` is a reward, and
`frac_reward_zero_std` is none.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise

from engine.events.event_tags import SKILL, SKILL_TAGS

_BETWEEN_PARTS = re.compile(r"[\W_]+")
_HUMPS = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+")

_LOSS = re.compile(r"[a-z]*loss(?:es)?\d*")
_LOWER = re.compile(
    r"perplexity|ppl|nll|xent|logloss|errors?|err|mae|mse|rmse|mape|wer|cer|eer|fid|brier|ece"
    r"|bpb|bpc|lpips"
)
_REWARD = re.compile(r"rewards?|rew|returns?")
_SCORE = re.compile(
    r"[a-z]*accurac(?:y|ies)|accs?\d*|top\d+|f[12]|f[12]?scores?|fbeta|dice|iou|miou|precision"
    r"|recall|specificity|sensitivity|auc|auroc|auprc|m?ap\d*|s?bleu\d*|sacrebleu|rouge\w*|chrf"
    r"|meteor|bertscore|ndcg\d*|mrr\d*|psnr|ssim|mcc|kappa|pearson|spearman|matthews|r2|em|match"
    r"|scores?|margins?|wins?|winrate|success|elo"
)
_NO_DIRECTION = re.compile(
    r"std|stddev|var|variance|frac|fraction|kl|kld|entropy|policy|actor|critic|value|vf|pg"
    r"|discriminator|generator|adversarial|adv|advantages?|disc|gen|clip\w*|lr\d*|learning|grad"
    r"|gradients?|norm|lengths?|len|logps?|logits|temperature|weights?|coef|coefficient|scale"
    r"|scaler|threshold|shift|count|num|time|seconds|chosen|rejected"
)
"""Of what stands beside a measure, or is no measure of how good a model is."""
_NOT_A_LOSS = frozenset(("scale", "scaler", "weight", "weights", "coef", "std", "var", "threshold"))
_PREFERENCE = frozenset(("chosen", "rejected", "margin", "margins"))
_HELD_OUT = frozenset(("eval", "evaluation", "val", "valid", "validation", "dev", "test"))
_SPLITS = _HELD_OUT | {"train", "training"}
_LEARNING_RATE = re.compile(r"lr\d*")
_COUNTERS = re.compile(
    r"epochs?|steps?|iters?|iterations?|fps|time|times|runtime|elapsed|seconds?|sec|eta|throughput"
    r"|duration|speed|flos|flops|tokens|percentage"
)
"""What counts how far a run is, or how fast it goes."""


class TagGroup(IntEnum):
    """Groups of tags in the order in which a reader wants them."""

    REWARD_OF_TRAINING = 0
    """A reward, in a run that is trained on rewards."""
    LOSS = 1
    SCORE = 2
    """Whatever else improves in a direction."""
    FURTHER = 3
    LEARNING_RATE = 4
    GRADIENT = 5
    COUNTER = 6
    """Epochs, times, speeds."""
    PLACEHOLDER = 7
    MACHINE = 8


@dataclass(frozen=True, slots=True)
class _TagName:
    """What one name says by itself."""

    group: TagGroup
    higher: bool | None
    is_reward: bool = False
    """Whether it is one that a run may be trained on."""
    is_preference: bool = False
    """Whether it tells chosen answers from rejected ones."""
    is_plain: bool = False
    """Whether a loss is the loss, and no part of it."""


def is_higher_better(tag: str, tags: Iterable[str] = ()) -> bool | None:
    """In which direction a tag improves, by the whole of it; None where it says none.

    `tags` are all tags of the run: in one that is trained on rewards, a loss has no direction.
    """
    name = _read(tag)
    if name.group is TagGroup.LOSS and name.higher is False and is_trained_on_rewards(tags):
        return None
    return name.higher


def is_trained_on_rewards(tags: Iterable[str]) -> bool:
    """Whether a run is, by its tags: not where chosen answers are told from rejected ones."""
    names = [_read(tag) for tag in tags]
    if any(name.is_preference for name in names):
        return False
    return any(name.is_reward for name in names)


def groups_of(tags: Collection[str], placeholders: Collection[str] = ()) -> dict[str, TagGroup]:
    """The group of each tag of a run; `placeholders` are those whose values say nothing."""
    rewarded = is_trained_on_rewards(tags)
    found = {}
    for tag in tags:
        name = _read(tag)
        first = rewarded and name.is_reward
        group = TagGroup.REWARD_OF_TRAINING if first else name.group
        idle = group is TagGroup.FURTHER and tag in placeholders
        found[tag] = TagGroup.PLACEHOLDER if idle else group
    return found


def in_order(tags: Collection[str], placeholders: Collection[str] = ()) -> list[str]:
    """The tags of a run, those first that a reader wants first."""
    groups = groups_of(tags, placeholders)
    return sorted(tags, key=lambda tag: (groups[tag], not _read(tag).is_plain, tag))


def has_placeholder_name(tag: str) -> bool:
    """Whether constant values would make it a placeholder: a loss or a score stays what it is."""
    return _read(tag).group is TagGroup.FURTHER


@lru_cache(maxsize=1 << 14)
def _read(tag: str) -> _TagName:
    if tag.startswith("machine/"):
        return _TagName(TagGroup.MACHINE, None)
    if tag.startswith(SKILL_TAGS):  # what follows is a name, whatever words are in it
        return _TagName(TagGroup.SCORE, tag.startswith(SKILL))
    words = _words(tag)
    known = set(words)
    last = _words(tag.rstrip("/").rpartition("/")[2])
    is_preference = bool(known & _PREFERENCE)
    neutral = any(_NO_DIRECTION.fullmatch(word) for word in words)
    losses = [at for at, word in enumerate(words) if _LOSS.fullmatch(word)]
    lower = [at for at, word in enumerate(words) if _LOWER.fullmatch(word)]
    rewards = [at for at, word in enumerate(words) if _REWARD.fullmatch(word)]
    higher = [at for at, word in enumerate(words) if _SCORE.fullmatch(word)] + rewards
    if {"cross", "entropy"} <= known:
        lower.append(words.index("entropy"))
        neutral = any(_NO_DIRECTION.fullmatch(one) for one in known - {"entropy"})
    downward = max([*losses, *lower], default=-1)
    upward = max(higher, default=-1)
    if losses and upward < max(losses) and not known & _NOT_A_LOSS:
        rest = [word for word in words if word not in _SPLITS and not _COUNTERS.fullmatch(word)]
        return _TagName(
            TagGroup.LOSS,
            None if neutral else False,
            is_preference=is_preference,
            is_plain=len(rest) == 1,
        )
    if not neutral and (downward >= 0 or upward >= 0):
        is_reward = bool(rewards) and upward > downward and not known & _HELD_OUT
        return _TagName(TagGroup.SCORE, upward > downward, is_reward, is_preference)
    return _TagName(_further(words, last), None, is_preference=is_preference)


def _further(words: list[str], last: list[str]) -> TagGroup:
    """The group of a tag without a direction."""
    if words[:2] == ["hp", "metric"] and len(words) == 2:
        return TagGroup.PLACEHOLDER  # Lightning's, -1 where nobody logs one
    if ("learning", "rate") in pairwise(words) or any(
        _LEARNING_RATE.fullmatch(word) for word in words
    ):
        return TagGroup.LEARNING_RATE
    if last == ["grad", "norm"]:
        return TagGroup.GRADIENT
    if words[:1] == ["time"] or any(_COUNTERS.fullmatch(word) for word in last):
        return TagGroup.COUNTER
    return TagGroup.FURTHER


def _words(text: str) -> list[str]:
    """Words in lower case; of one in CamelCase also its parts, before it."""
    found: list[str] = []
    for part in filter(None, _BETWEEN_PARTS.split(text)):
        humps = _HUMPS.findall(part)
        whole = part.lower()
        found += [hump.lower() for hump in humps] if len(humps) > 1 and whole != part else []
        found.append(whole)
    return found
