"""Gates on one row: its length, refusals, special tokens, a source that was cut."""

import json
from dataclasses import replace

import pytest

from engine.bundled import DATA
from engine.compare.refusals import LANGUAGES, find_refusal
from engine.compare.text_metrics import ASPECTS
from engine.recipes.recipe import SynthesizeRecipe
from engine.synthesis.gates.candidate import NotJudged, make_candidate
from engine.synthesis.gates.text_gates import (
    check_cut_source,
    check_length,
    check_refusal,
    check_same_answer,
    check_special_tokens,
)
from tests.synthesis.gates.made_rows import candidate, source

PAIRS = SynthesizeRecipe(mode="pairs")


@pytest.mark.parametrize(
    ("size", "detail"),
    [
        (9, "9 characters, at least 10"),
        (10, ""),
        (20, ""),
        (21, "21 characters, at most 20"),
    ],
)
def test_the_length_is_that_of_the_texts_asked_for(size: int, detail: str) -> None:
    assert check_length(candidate(f"  {'a' * size}\n"), 10, 20) == detail


def test_each_answer_of_a_pair_has_the_length() -> None:
    pair = make_candidate(PAIRS, source(), {"chosen": "a" * 15, "rejected": "a" * 3})
    assert check_length(pair, 10, 20) == "rejected has 3 characters, at least 10"
    assert check_length(pair, 3, 17) == ""


@pytest.mark.parametrize(
    ("rejected", "near", "detail"),
    [
        ("THANK you", 0.8, "chosen is the same as rejected"),
        ("THANK you", 0, "chosen is the same as rejected"),
        ("Thank them.", 0.8, ""),
        ("Thank them.", 0, ""),
    ],
)
def test_a_pair_of_equal_answers(rejected: str, near: float, detail: str) -> None:
    pair = make_candidate(PAIRS, source(), {"chosen": "Thank you.", "rejected": rejected})
    assert check_same_answer(pair, near) == detail


def test_a_pair_of_answers_that_are_nearly_equal() -> None:
    text = "We looked at what you wrote with care, and found that the kettle is indeed broken."
    pair = make_candidate(PAIRS, source(), {"chosen": text, "rejected": text[:-1] + "!?"})
    assert check_same_answer(pair, 0.8) == "chosen is the same as rejected"
    nearly = make_candidate(
        PAIRS, source(), {"chosen": text, "rejected": text.replace("indeed ", "")}
    )
    assert check_same_answer(nearly, 0.8).startswith("chosen is 0.8")
    assert check_same_answer(nearly, 0) == ""
    assert check_same_answer(candidate(text), 0.8) == ""


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("I'm sorry, but I can't help with that.", "sorry, but I can't"),
        ("I cannot provide medical advice.", "I cannot provide"),
        ("I can’t assist with that request.", "I can’t assist with"),
        ("As an AI language model, I have no opinion.", "As an AI"),
        ("I'm just an AI, so I do not know.", "I'm just an AI"),
        ("I apologize, but I cannot fulfill this request.", "apologize, but I cannot"),
        ("I am unable to generate that content.", "I am unable to generate"),
        ("I must decline.", "I must decline"),
        ("I won't write that.", "I won't write"),
        ("I'm not able to help you with this.", "I'm not able to help you with"),
        ("That is not something I can help with.", "not something I can help"),
        ("I'm not comfortable writing this.", "I'm not comfortable writing"),
        ("I cannot in good conscience write it.", "I cannot in good conscience write"),
        ("Unfortunately, I am not able to comply.", "I am not able to comply"),
    ],
)
def test_refusals(reply: str, words: str) -> None:
    assert check_refusal(candidate(reply)) == f'reply begins with "{words}"'


@pytest.mark.parametrize(
    "reply",
    [
        "I'm sorry to hear that you feel this way.",
        "I can't believe how good it was.",
        "I cannot afford one.",
        "I'm sorry I can't be there.",
        "I can't help but wonder why.",
        "I won't buy it again.",
        "I am unable to reach the seller.",
        "Sorry for your loss.",
        "It is good. " * 20 + "I cannot provide more.",
    ],
)
def test_an_apology_and_what_a_writer_cannot_do_are_no_refusals(reply: str) -> None:
    assert check_refusal(candidate(reply)) == ""


def test_refusals_among_bundled_answers() -> None:
    """Good answers begin with an apology, which the measure of wording counts; some bad ones
    refuse."""
    rows = [
        json.loads(line)
        for side in ("train", "eval")
        for line in (DATA / "counsel" / f"{side}.jsonl").read_text("utf-8").splitlines()
    ]
    (counted,) = (aspect.count for aspect in ASPECTS if aspect.name == "refusals")
    good, bad = ({row[name] for row in rows} for name in ("chosen", "rejected"))
    assert len(good) == 1_487
    assert (sum(map(counted, good)), sum(bool(find_refusal(text)) for text in good)) == (209, 0)
    refusing = {text for text in bad if "I cannot help you" in text}
    assert len(refusing) >= 20
    assert {text for text in bad if find_refusal(text)} >= refusing


REFUSALS = {
    "French": ("Je suis désolé, mais je ne peux pas vous aider.",
               "Je ne suis malheureusement pas en mesure de fournir ces informations.",
               "En tant qu'IA, je n'ai pas d'opinion."),
    "German": ("Es tut mir leid, aber ich kann dir dabei nicht helfen.",
               "Leider kann ich Ihnen nicht weiterhelfen.",
               "Als KI habe ich keine eigene Meinung.", "Diese Frage kann ich nicht beantworten."),
    "Spanish": ("Lo siento, pero no puedo ayudarte con eso.",
                "No puedo proporcionar esa información.", "Como modelo de lenguaje, no opino."),
    "Italian": ("Mi dispiace, ma non posso aiutarti.", "Non sono in grado di fornire consigli.",
                "In quanto IA non ho opinioni."),
    "Portuguese": ("Desculpe, mas não posso ajudar com isso.",
                   "Não posso fornecer essas informações.", "Como uma IA, não tenho opinião."),
    "Dutch": ("Sorry, maar ik kan je daar niet mee helpen.", "Als taalmodel heb ik geen mening.",
              "Ik kan helaas niet helpen."),
    "Russian": ("Извините, но я не могу помочь с этим.", "Я не могу вам помочь.",
                "Как языковая модель, я не имею мнения."),
    "Chinese": ("抱歉，我无法提供这方面的帮助。", "作为一个人工智能，我没有意见。",
                "對不起，我無法回答。"),
    "Japanese": ("申し訳ありませんが、そのご質問にはお答えできません。",
                 "AIとして意見はありません。"),
    "Korean": ("죄송하지만 그 요청은 도와드릴 수 없습니다.", "AI로서 저는 의견이 없습니다."),
    "Arabic": ("عذراً، لا أستطيع مساعدتك في ذلك.", "بصفتي نموذج لغة، ليس لدي رأي."),
    "Persian": ("متأسفم، نمی‌توانم به شما کمک کنم.", "به عنوان یک هوش مصنوعی نظری ندارم."),
}  # fmt: skip
HONEST = {
    "French": ("Je ne peux pas croire que ce soit si bon.", "Désolé pour le retard.",
               "Je ne peux pas dormir la nuit, aidez-moi.", "Je ne suis pas d'accord avec vous."),
    "German": ("Ich kann nachts nicht schlafen.", "Leider kann ich das Hotel nicht empfehlen.",
               "Als Kind war ich oft hier.", "Das kann ich leider nicht und will es auch nicht."),
    "Spanish": ("No puedo dormir por la noche.", "Lo siento mucho por tu pérdida.",
                "No puedo creer lo bueno que era."),
    "Italian": ("Non posso credere che sia finita.", "Mi dispiace per il ritardo.",
                "Come sempre, tutto perfetto."),
    "Portuguese": ("Não posso acreditar.", "Desculpe o atraso.", "Não consigo dormir à noite."),
    "Dutch": ("Ik kan 's nachts niet slapen.", "Sorry voor de vertraging.",
              "Als kind kwam ik hier vaak."),
    "Russian": ("Я не могу уснуть ночью.", "Простите за опоздание.", "Как всегда, всё отлично."),
    "Chinese": ("我不能相信这么好吃。", "对不起，来晚了。", "我没有办法睡觉。"),
    "Japanese": ("申し訳ない気持ちです。", "夜眠ることができません。"),
    "Korean": ("죄송합니다, 늦었습니다.", "밤에 잠을 잘 수 없습니다."),
    "Arabic": ("لا أستطيع النوم ليلاً.", "عذراً على التأخير."),
    "Persian": ("شب‌ها نمی‌توانم بخوابم.", "متأسفم که دیر شد."),
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_refusals_are_known_in_each_language_that_is_named(language: str) -> None:
    if language == "English":  # has cases of its own
        return
    for text in REFUSALS[language]:
        assert check_refusal(candidate(text)).startswith("reply begins with"), text
        assert find_refusal(text + " " + "x" * 500), text
    for text in HONEST[language]:
        assert check_refusal(candidate(text)) == "", text


def test_refusals_in_a_language_that_is_not_known_are_not_judged() -> None:
    with pytest.raises(NotJudged, match="reply looks like greek"):
        check_refusal(candidate("Λυπάμαι, δεν μπορώ να βοηθήσω με αυτό."))
    assert check_refusal(candidate("I must decline, denn das ist nicht die Sache.")) != ""


def test_no_refusal_is_seen_in_texts_of_people() -> None:
    """1,800 bundled sentences on how somebody feels, and 1,487 good answers."""
    rows = [
        json.loads(line)
        for side in ("train", "eval")
        for line in (DATA / "emotion" / f"{side}.jsonl").read_text("utf-8").splitlines()
    ]
    assert len(rows) > 1_000
    assert [text for text in (row["input"] for row in rows) if find_refusal(text)] == []


def test_a_rejected_answer_may_refuse() -> None:
    recipe = SynthesizeRecipe(mode="pairs")
    row = {"prompt": "Why?", "chosen": "Because.", "rejected": "I must decline."}
    assert check_refusal(make_candidate(recipe, source(), row)) == ""
    turned = row | {"chosen": row["rejected"]}
    assert check_refusal(make_candidate(recipe, source(), turned)).startswith("chosen begins")


@pytest.mark.parametrize(
    "token",
    ["<|im_start|>", "<|eot_id|>", "[INST]", "<start_of_turn>", "</s>", "<｜User｜>", "</think>"],
)
def test_special_tokens_in_any_text(token: str) -> None:
    assert check_special_tokens(candidate(f"Fine. {token}")) == f'reply has "{token}"'
    assert check_special_tokens(candidate("Fine.", text=f"a {token} b")) == f'review has "{token}"'


def test_brackets_of_other_kinds_are_no_special_tokens() -> None:
    assert check_special_tokens(candidate("Use <b>bold</b>, a[i] and x < y | z > w.")) == ""


def test_a_source_that_was_cut() -> None:
    assert check_cut_source(candidate("Fine.")) == ""
    assert check_cut_source(replace(candidate("Fine."), cut=12)).startswith("12 tokens")
