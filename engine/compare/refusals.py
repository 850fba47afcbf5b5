"""Texts that refuse what was asked, in the words in which models do so, by language.

An apology alone is none, as in "I'm sorry to hear that", nor is what the writer of a text cannot
do: each pattern wants the inability to help, answer or write, or a model that speaks of itself.
"""

import re

REACH = 200
"""Characters from the start in which a refusal is one: later it is a remark."""
UNABLE = r"\bI(?:'|’)?(?:m| am) (?:unable|not able)\b|\bI (?:cannot|can(?:'|’)t|won(?:'|’)t)\b"
AS_MODEL = r"\bas an? (?:AI|language model)\b|\bI must decline\b"
_ANSWERING = (
    r"(?:provide|answer|comply|fulfill?|generate|create|produce|write|respond|engage|offer)\b"
    r"|(?:help|assist)(?: you)?(?: with\b| in\b| by\b| to\b|[.,!])"
    r"|(?:do|discuss|support|continue|complete)(?: with)? (?:that|this)\b"
)
_GERMAN = (
    r"(?:helfen|weiterhelfen|beantworten|bereitstellen|erstellen|schreiben"
    r"|unterstützen|erfüllen)"
)
_PATTERNS = {
    "English": (
        rf"(?:{UNABLE})(?: to| in good conscience)? (?:{_ANSWERING})"
        rf"|\b(?:sorry|apologi[sz]e)(?:,? but|,) (?:{UNABLE})"
        rf"|{AS_MODEL}|\bI(?:'|’)?(?:m| am) (?:just |only )?an? (?:AI|language model)\b"
        r"|\bnot something I can (?:help|assist|do)\b"
        r"|\bI(?:'|’)?(?:m| am) not comfortable (?:with )?(?:writing|answering"
        r"|providing|creating)\b"
    ),
    "French": (
        r"\bje ne (?:peux|puis|suis) (?:malheureusement )?pas (?:en mesure de |capable de )?"
        r"(?:(?:vous |t['’])aider|(?:vous )?(?:assister|répondre à|fournir"
        r"|générer|satisfaire|produire"
        r"|rédiger))\b|\ben tant qu(?:e |['’])(?:IA|intelligence artificielle"
        r"|modèle de langage)\b"
        r"|\bje dois (?:refuser|décliner)\b"
    ),
    "German": (
        rf"\bich kann (?:(?:dir|Ihnen|euch) )?(?:dabei |damit |hierbei "
        rf"|diese \w+ )?(?:leider )?nicht"
        rf" {_GERMAN}\b|\bkann ich (?:(?:dir|Ihnen|euch) )?(?:leider )?nicht {_GERMAN}\b"
        r"|\bals (?:eine )?(?:KI|Sprachmodell|künstliche Intelligenz)\b"
        r"|\bich muss (?:das )?ablehnen\b"
    ),
    "Spanish": (
        r"\bno puedo (?:ayudar(?:te|le|os)? con|responder a|proporcionar|generar|cumplir con"
        r"|asistir(?:te|le)|ofrecer(?:te|le)?)\b|\bno puedo ayudar(?:te|le)[.,!]"
        r"|\bcomo (?:una |un )?(?:IA|inteligencia artificial|modelo de lenguaje)\b"
        r"|\bdebo (?:negarme|declinar)\b"
    ),
    "Italian": (
        r"\bnon (?:posso|sono in grado di) (?:aiutar(?:ti|la|vi)|rispondere a"
        r"|fornir(?:e|ti|le)|generare"
        r"|soddisfare|assister(?:e|ti|la))\b"
        r"|\b(?:in quanto|come) (?:IA|intelligenza artificiale|modello linguistico)\b"
        r"|\bdevo (?:rifiutare|declinare)\b"
    ),
    "Portuguese": (
        r"\bnão (?:posso|consigo|sou capaz de) (?:ajudar com|ajudá-l[oa]"
        r"|te ajudar|responder a|fornecer"
        r"|gerar|atender)\b|\bcomo (?:uma |um )?(?:IA|inteligência artificial"
        r"|modelo de linguagem)\b"
        r"|\bdevo recusar\b"
    ),
    "Dutch": (
        r"\bik kan (?:je |u |jou )?(?:hier |daar )?(?:helaas )?niet (?:mee "
        r"|bij )?(?:helpen|beantwoorden"
        r"|genereren)\b|\bals (?:een )?(?:AI|taalmodel)\b|\bik moet (?:dit |dat )?weigeren\b"
    ),
    "Russian": (
        r"\bне (?:могу|в состоянии) (?:вам |тебе )?(?:помочь(?: с | в |[.,!])"
        r"|ответить на|предоставить"
        r"|выполнить|сгенерировать)|\bкак (?:ИИ|искусственный интеллект|языковая модель)\b"
        r"|\bвынужден[а]? отказать"
    ),
    "Chinese": (
        r"我(?:无法|不能|無法|没办法)(?:为您|为你|為您|為你)?(?:提供|回答|协助|協助|满足|滿足|生成|执行)"
        r"|(?:作为|作為|身为)(?:一个|一個|一名)?(?:AI|人工智能|人工智慧|语言模型|語言模型)"
        r"|(?:抱歉|对不起|對不起)[，,]\s?我(?:无法|不能|無法)"
    ),
    "Japanese": (
        r"(?:お答え|お手伝い|対応|提供|回答|生成|作成)(?:することは|することが|は)?"
        r"(?:できません|できかねます|いたしかねます)"
        r"|(?:AI|言語モデル)として"
    ),
    "Korean": (
        r"(?:도와|도움을|답변을?|제공|생성|작성|응답)(?: ?드릴|해 ?드릴|할)? ?수(?:가)? 없습니다"
        r"|(?:AI|인공지능|언어 모델)(?:로서|으로서)"
    ),
    "Arabic": (
        r"لا (?:أستطيع|يمكنني) (?:مساعدتك|المساعدة في|الإجابة|تقديم|تلبية|إنشاء)"
        r"|(?:بصفتي|باعتباري) (?:نموذج|ذكاء)"
    ),
    "Persian": (
        r"نمی[\u200c ]?توانم (?:به شما کمک|پاسخ|ارائه|تولید|در این)"
        r"|به[\u200c ]عنوان (?:یک )?(?:هوش مصنوعی|مدل زبان)"
    ),
}
LANGUAGES = tuple(_PATTERNS)
"""Whose refusals are known."""
_SCRIPTS = frozenset(("latin", "cyrillic", "cjk", "hiragana", "katakana", "hangul", "arabic", ""))
"""As `text_metrics.language_of` names what these languages are written in."""
_REFUSED = tuple(re.compile(one, re.IGNORECASE) for one in _PATTERNS.values())


def find_refusal(text: str) -> str:
    """The words at the start of a text by which it refuses what was asked; else empty."""
    start = text[:REACH]
    return next((found[0] for one in _REFUSED if (found := one.search(start))), "")


def knows_refusals(language: str) -> bool:
    """Whether refusals in a language or script, as `text_metrics.language_of` gives it, are
    known."""
    return language in LANGUAGES or language in _SCRIPTS
