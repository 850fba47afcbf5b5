"""The same three sentences in four languages, and lines of code and emoji: what tokenizers cost.

Written for this program. Knows no tokenizer.
"""

from dataclasses import dataclass

from engine.chat import Message


@dataclass(frozen=True, slots=True)
class SampleText:
    name: str
    text: str
    parallel: bool = True
    """Whether it says the same as the others, so that counts can be compared."""


LINES = (
    SampleText(
        "English",
        "The old lighthouse keeper writes a letter every evening. He tells his daughter about the "
        "weather, the ships and 3 new books. She answers that she misses the sea.",
    ),
    SampleText(
        "Persian",
        "نگهبان پیر فانوس دریایی هر شب نامه‌ای می‌نویسد. او برای دخترش از هوا، کشتی‌ها و ۳ کتاب "
        "تازه می‌گوید. دختر پاسخ می‌دهد که دلش برای دریا تنگ شده است.",
    ),
    SampleText(
        "German",
        "Der alte Leuchtturmwärter schreibt jeden Abend einen Brief. Er erzählt seiner Tochter vom "
        "Wetter, von den Schiffen und von 3 neuen Büchern. Sie antwortet, dass ihr das Meer fehlt.",
    ),
    SampleText(
        "Chinese",
        "年老的灯塔看守人每天晚上写一封信。他给女儿讲天气、船只和3本新书。她回信说她想念大海。",
    ),
    SampleText(
        "code",
        "def mean(values: list[float]) -> float:\n"
        '    """The arithmetic mean; 0.0 for none."""\n'
        "    return sum(values) / len(values) if values else 0.0\n",
        parallel=False,
    ),
    SampleText(
        "emoji",
        "Well done! 🎉🎉 The family 👨‍👩‍👧‍👦 waves 👋🏽 from 🇮🇷 and 🇩🇪 ❤️‍🔥 ✈️",
        parallel=False,
    ),
)

CONVERSATION = (
    Message("system", "You answer in one sentence."),
    Message("user", "Why is the sky blue?"),
    Message("assistant", "Air scatters blue light more than red light."),
)
"""What templates are shown on."""
