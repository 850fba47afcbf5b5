"""Languages of real sentences; what is short or uncertain is not judged, and never refused."""

import pytest

from engine.errors import EngineError
from engine.recipes.recipe import SynthesizeRecipe
from engine.recipes.synthesis_settings import RowField
from engine.synthesis.gates.candidate import NotJudged, make_candidate
from engine.synthesis.source_rows import SourceRow
from engine.worker.synthesis.language import LanguageCheck, guess_language, known_codes

SENTENCES = {
    "ar": "لن أشتري هذا الحذاء مرة أخرى لأن النعل انفصل بعد أسبوع من الاستعمال.",
    "de": "Das Paket kam zwei Tage zu spät, aber alles darin war in Ordnung.",
    "en": "The parcel came two days late, but everything in it was in good order.",
    "es": "El paquete llegó dos días tarde, pero todo lo que había dentro estaba bien.",
    "fa": "دیگر این کفش‌ها را نمی‌خرم، چون کف آن بعد از یک هفته جدا شد.",
    "fr": "Le colis est arrivé avec deux jours de retard, mais tout était en bon état.",
    "hi": "मैं ये जूते फिर नहीं खरीदूँगा, क्योंकि एक हफ़्ते में तला निकल गया।",
    "it": "Non comprerei più queste scarpe, perché la suola si è staccata dopo una settimana.",
    "ja": "一週間で靴底がはがれたので、この靴はもう買いません。",
    "ko": "일주일 만에 밑창이 떨어져서 이 신발은 다시 사지 않겠습니다.",
    "nl": "Ik zou deze schoenen niet nog eens kopen, want de zool liet na een week los.",
    "pl": "Paczka przyszła dwa dni za późno, ale wszystko w niej było w porządku.",
    "pt": "A encomenda chegou com dois dias de atraso, mas estava tudo em ordem.",
    "ru": "Я больше не куплю эти туфли, потому что подошва отклеилась через неделю.",
    "tr": "Bu ayakkabıları bir daha almam, çünkü tabanı bir hafta sonra ayrıldı.",
    "zh": "我不会再买这双鞋了，因为穿了一个星期鞋底就掉了。",
}
SHORT = {
    "ar": ["شكرا", "نعم، بالتأكيد"],
    "de": ["Ja, gern.", "Vielen Dank!", "Alles gut."],
    "en": ["Yes.", "Thank you!", "Not at all.", "Email: ok", "5 stars", "A+", "Chic hotel bar"],
    "es": ["Sí, claro.", "Gracias.", "Muy bien."],
    "fa": ["بله", "خیلی ممنون", "سلام، خوبی؟"],
    "fr": ["Oui.", "Merci bien.", "Le colis est arrivé"],
    "hi": ["धन्यवाद", "हाँ, ठीक है"],
    "it": ["Va bene.", "Grazie mille."],
    "ja": ["はい。", "東京都", "ありがとう"],
    "ko": ["네.", "감사합니다"],
    "nl": ["Ja, graag.", "Dank u wel."],
    "pl": ["Tak.", "Dziękuję bardzo."],
    "pt": ["Sim.", "Muito obrigado."],
    "ru": ["Да.", "Спасибо большое!"],
    "tr": ["Evet.", "Teşekkürler."],
    "zh": ["是的。", "谢谢", "很好用！"],
}
RECIPE = SynthesizeRecipe(fields={"reply": RowField(ask="?"), "more": RowField(ask="?")})


def verdict(code: str, reply: str, *, text: str = "", more: str = "") -> str:
    """What the check says, or that it does not."""
    source = SourceRow("r:1", "r:1", "f", 1, text, {})
    made = make_candidate(RECIPE, source, {"reply": reply} | ({"more": more} if more else {}))
    try:
        return LanguageCheck(code).check(made)
    except NotJudged as error:
        return f"not judged: {error}"


@pytest.mark.parametrize("code", SENTENCES)
def test_a_sentence_is_of_its_language_and_of_no_other(code: str) -> None:
    sentence = SENTENCES[code]
    assert guess_language(sentence).code == code
    assert verdict(code, sentence) == ""
    for other in SENTENCES.keys() - {code}:
        assert verdict(other, sentence).startswith(f"reply is in {code} ("), other


@pytest.mark.parametrize("code", SHORT)
def test_no_short_text_is_refused(code: str) -> None:
    for other in ("en", "fa", "zh", "de"):
        for text in SHORT[code]:
            assert verdict(other, text).startswith("not judged: reply is too short")


@pytest.mark.parametrize("code", SENTENCES)
def test_no_part_of_a_sentence_is_refused(code: str) -> None:
    """All parts from every fourth character on, by four characters."""
    sentence = SENTENCES[code]
    check = LanguageCheck(code)
    for begin in range(0, len(sentence), 4):
        for end in range(begin + 4, len(sentence) + 4, 4):
            source = SourceRow("r:1", "r:1", "f", 1, "", {})
            made = make_candidate(RECIPE, source, {"reply": sentence[begin:end]})
            try:
                assert check.check(made) == "", sentence[begin:end]
            except NotJudged:
                continue


def test_the_language_of_the_source() -> None:
    assert verdict("source", SENTENCES["fa"], text=SENTENCES["fa"]) == ""
    assert verdict("source", SENTENCES["en"], text=SENTENCES["fa"]).startswith("reply is in en (")
    assert verdict("source", SENTENCES["en"], text="بله") == (
        "not judged: the source is too short to tell its language"
    )


def test_one_text_in_another_language_is_enough() -> None:
    detail = verdict("de", SENTENCES["de"], more=SENTENCES["fr"])
    assert detail.startswith("more is in fr (")
    assert detail.endswith("not in de")
    assert verdict("de", "Ja.", more=SENTENCES["de"]) == ""


@pytest.mark.parametrize(
    "text",
    [
        "12345 67890 " * 20,
        "🙂" * 40,
        "",
        "x = foo(bar[i], baz) + qux; return x * y - z;",
        "\ud800" * 30,
    ],
)
def test_what_is_in_no_language_is_never_refused(text: str) -> None:
    assert verdict("en", text).startswith("not judged") or verdict("en", text) == ""


def test_what_is_uncertain_is_not_judged() -> None:
    norwegian_or_danish = "Pakken kom to dager for sent, men alt i den var i orden da jeg åpnet."
    assert verdict("en", norwegian_or_danish).startswith(
        "not judged: reply is of no certain language: no at 7"
    )


def test_languages_that_the_model_splits_further_count_as_one() -> None:
    assert {"nb", "nn", "wuu", "arz"} & known_codes() == set()
    norwegian = "Jeg ville ikke kjøpt disse skoene igjen, fordi sålen løsnet etter en uke."
    assert verdict("nb", norwegian) == ""
    assert verdict("NB", norwegian) == ""


def test_a_language_that_is_not_known_is_refused() -> None:
    with pytest.raises(EngineError, match="'klingon' is not known") as caught:
        LanguageCheck("klingon")
    assert "source" in caught.value.hint
