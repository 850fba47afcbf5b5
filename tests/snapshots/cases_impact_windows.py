"""Classification, and real or only format: what an evaluation measured, made up."""

import random
from collections.abc import Sequence

from engine.impact.results.evaluation_results import EvaluationResults
from tests.impact.labelled import labelled
from tests.impact.measured import Values, measured
from tests.snapshots.cases import case
from tests.snapshots.cases_runs import open_runs
from tests.snapshots.directories import write_runs
from tests.snapshots.recorder import Recorder
from tui.glyphs import ASCII
from tui.impact.classification_page import ClassificationPage
from tui.impact.format_page import FormatPage

EMOTIONS = ("anger", "fear", "joy", "love", "sadness", "surprise")
INTENTS = ("cancel", "change", "\x1b[2Jhostile", "מחיר", "价格查询与比较服务",
           "a label of many words", "help", "joke", "music", "news", "order", "pay")  # fmt: skip


def classified(labels: Sequence[str]) -> EvaluationResults:
    """Three arms, each better than the one before; the base seldom answers with a label."""
    drawn = random.Random(14)
    truth = drawn.choices(labels, [len(labels) - at for at in range(len(labels))], k=300)

    def pick(right: float, none: float) -> list[str]:
        return [
            true if drawn.random() < right
            else "" if drawn.random() < none
            else drawn.choice(labels)
            for true in truth
        ]  # fmt: skip

    picks = {
        arm: (pick(right, 0), pick(0.95 * right, none))
        for arm, right, none in (
            ("base", 0.1, 0.7),
            ("instruct", 0.5, 0.1),
            ("emotion-lora", 0.9, 0),
        )
    }
    return labelled(truth, picks, labels)


def asked_twice() -> EvaluationResults:
    """One arm that answers in another form, and one that lost what it knew; too few of French."""
    drawn = random.Random(15)

    def arm(right: float, nll: float, count: int = 400) -> Values:
        # Two arms of the same chance differ in nothing.
        spread = random.Random(16)
        return {
            "strict": [float(spread.random() < right) for _ in range(count)],
            "flexible": [float(spread.random() < right + 0.05) for _ in range(count)],
            "gold_nll": [spread.expovariate(10) + nll + drawn.gauss(0, 0.1) for _ in range(count)],
        }

    return measured(
        {
            "facts": {"base": arm(0.7, 0.4), "emotion-lora": arm(0.3, 0.4), "full": arm(0.2, 1.5)},
            "facts, 5-shot": {
                "base": arm(0.7, 0.8),
                "emotion-lora": arm(0.7, 0.8),
                "full": arm(0.3, 1.2),
            },
            "french": {"base": arm(0.7, 0.4, 60), "emotion-lora": arm(0.68, 0.44, 60)},
        },
        {"facts, 5-shot": 5},
    )


@case(
    {
        "classification": ClassificationPage,
        "classification-generated": ClassificationPage,
        "classification-difference": ClassificationPage,
        "classification-end": ClassificationPage,
        "classification-many-labels": ClassificationPage,
        "classification-many-changed": ClassificationPage,
    }
)
async def classification(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_runs(recorder)
        await recorder.app.push_screen(ClassificationPage(classified(EMOTIONS), "emotion"))
        await recorder.shoot("classification", "majority class: anger", "Confusions")
        await recorder.press("v")
        await recorder.shoot("classification-generated", "labels by generated answer")
        await recorder.press("d")
        await recorder.shoot("classification-difference", "Changes of the confusions")
        await recorder.press("end")
        await recorder.shoot("classification-end", "surprise")
        await recorder.press("escape")
        await recorder.app.push_screen(ClassificationPage(classified(INTENTS), "emotion"))
        await recorder.shoot("classification-many-labels", "The ten commonest confusions")
        await recorder.press("d")
        await recorder.shoot("classification-many-changed", "The ten confusions that changed most")


@case({"format": FormatPage, "format-end": FormatPage, "format-too-little": FormatPage})
async def real_or_format(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_runs(recorder)
        await recorder.app.push_screen(FormatPage(asked_twice(), "facts"))
        await recorder.shoot("format", "format shift: the knowledge is still there")
        await recorder.press("end")
        await recorder.shoot("format-end", "Exploratory, unadjusted.")
        await recorder.press("escape")
        few = FormatPage(asked_twice(), "french", ("base", "emotion-lora"))
        await recorder.app.push_screen(few)
        await recorder.shoot("format-too-little", "not enough evidence")


@case({"classification-ascii": ClassificationPage, "format-ascii": FormatPage})
async def impact_windows_in_ascii(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop(glyphs=ASCII):
        await open_runs(recorder)
        await recorder.app.push_screen(ClassificationPage(classified(EMOTIONS), "emotion"))
        await recorder.shoot("classification-ascii", "majority class: anger")
        await recorder.press("escape")
        await recorder.app.push_screen(FormatPage(asked_twice(), "facts"))
        await recorder.shoot("format-ascii", "format shift")


@case({"classification-colourless": ClassificationPage})
async def impact_windows_without_colours(recorder: Recorder) -> None:
    write_runs()
    recorder.monkeypatch.setenv("NO_COLOR", "1")
    async with recorder.finetop():
        await open_runs(recorder)
        await recorder.app.push_screen(ClassificationPage(classified(EMOTIONS), "emotion"))
        await recorder.shoot("classification-colourless", "majority class: anger")
