"""What licenses of base models ask of whoever passes a fine-tuned model on: a table.

Owns how each is recognised by its text, what must stand in a card and in a NOTICE file, and how a
model may be called. Holds no license text; says what a license's own words ask, and no more.
"""

import re
from dataclasses import dataclass

from engine.release.card.hub_metadata import LICENSES


@dataclass(frozen=True, slots=True)
class LicenseTerms:
    id: str
    """As the Hub names it; `other` where it has none."""
    title: str
    text: str
    """A pattern of its title, in lower case; a space may be the end of a line."""
    name: str = ""
    """`license_name` of `other`."""
    link: str = ""
    notice: str = ""
    """What a file NOTICE must hold."""
    built_with: str = ""
    """What must be displayed."""
    prefix: str = ""
    """What the name of a model that was made with it begins with."""
    limit: str = ""
    """What it may be used for, where that is not everything."""
    sentences: tuple[str, ...] = ()
    """What else the card says."""


_RESEARCH = "Research only: the license of the base permits no commercial use."
_NON_COMMERCIAL = "No commercial use: the license of the base forbids it."
_CHANGED = "The weights were changed from those of the base by fine-tuning."


def _make_llama(version: str) -> LicenseTerms:
    """Of Llama 3 and later: a name, a display and a notice are asked for."""
    first = version == "3"
    title = f"{'Meta ' if first else ''}Llama {version}"
    place = f"llama{version.replace('.', '_')}"
    return LicenseTerms(
        f"llama{version}",
        f"{title} Community License Agreement",
        rf"(meta )?llama {re.escape(version)} community license",
        link=f"https://www.llama.com/{place}/license/",
        notice=f"{title} is licensed under the {title} Community License, Copyright © Meta "
        "Platforms, Inc. All Rights Reserved.",
        built_with="Built with Meta Llama 3" if first else "Built with Llama",
        prefix="Llama 3" if first else "Llama",
        sentences=(
            _CHANGED,
            f"Use must follow the acceptable use policy: https://www.llama.com/{place}/use-policy/",
            "A further license from Meta is needed above 700 million monthly active users.",
        ),
    )


_QWEN = "{} is licensed under the {}, Copyright (c) Alibaba Cloud. All Rights Reserved."

TERMS: tuple[LicenseTerms, ...] = (
    LicenseTerms(
        "gemma", "Gemma Terms of Use", r"gemma terms of use",
        link="https://ai.google.dev/gemma/terms",
        notice="Gemma is provided under and subject to the Gemma Terms of Use found at "
        "ai.google.dev/gemma/terms",
        sentences=(
            _CHANGED,
            "Use is restricted by the Gemma Prohibited Use Policy, which binds every recipient: "
            "https://ai.google.dev/gemma/prohibited_use_policy",
        ),
    ),
    LicenseTerms(
        "llama2", "Llama 2 Community License Agreement", r"llama 2 community license",
        link="https://ai.meta.com/llama/license/",
        notice="Llama 2 is licensed under the LLAMA 2 Community License, Copyright (c) Meta "
        "Platforms, Inc. All Rights Reserved.",
        sentences=(
            "Use must follow the acceptable use policy: https://ai.meta.com/llama/use-policy/",
            "What it answers may not be used to improve any other large language model.",
        ),
    ),
    *(_make_llama(version) for version in ("3.1", "3.2", "3.3", "3", "4")),
    LicenseTerms(
        "other", "Qwen Research License Agreement",
        r"(qwen|tongyi qianwen) research license agreement",
        name="qwen-research",
        notice=_QWEN.format("Qwen", "Qwen RESEARCH LICENSE AGREEMENT"),
        built_with="Built with Qwen", limit=_RESEARCH, sentences=(_CHANGED,),
    ),
    LicenseTerms(
        "other", "Qwen License Agreement", r"(qwen|tongyi qianwen) license agreement",
        name="qwen",
        notice=_QWEN.format("Qwen", "Qwen LICENSE AGREEMENT"),
        built_with="Built with Qwen",
        sentences=(
            _CHANGED,
            "A further license from Alibaba Cloud is needed above 100 million monthly active "
            "users.",
        ),
    ),
    LicenseTerms(
        "other", "Mistral AI Research License", r"mistral ai research license",
        name="mrl", link="https://mistral.ai/licenses/MRL-0.1.md",
        limit=_RESEARCH, sentences=(_CHANGED,),
    ),
    LicenseTerms(
        "other", "Mistral AI Non-Production License", r"mistral ai non-production license",
        name="mnpl", link="https://mistral.ai/licenses/MNPL-0.1.md",
        limit="No production use: the license of the base permits research and tests alone.",
        sentences=(_CHANGED,),
    ),
    *(
        LicenseTerms(
            f"cc-by-nc{part}-4.0", f"Creative Commons BY-NC{part.upper()} 4.0",
            rf"(creative commons )?attribution-noncommercial{words} 4\.0",
            link=f"https://creativecommons.org/licenses/by-nc{part}/4.0/",
            limit=_NON_COMMERCIAL, sentences=(_CHANGED,),
        )
        for part, words in (("", ""), ("-sa", "-sharealike"), ("-nd", "-noderivatives"))
    ),
    LicenseTerms("apache-2.0", "Apache License 2.0", r"apache license version 2\.0, january 2004"),
    LicenseTerms("mit", "MIT License",
                 r"(the )?mit license|permission is hereby granted, free of charge"),
    LicenseTerms("bsd-3-clause", "BSD 3-Clause License", r"bsd 3-clause"),
    LicenseTerms("bsd-2-clause", "BSD 2-Clause License", r"bsd 2-clause"),
    LicenseTerms("cc-by-4.0", "Creative Commons BY 4.0",
                 r"(creative commons )?attribution 4\.0 international"),
    LicenseTerms("cc-by-sa-4.0", "Creative Commons BY-SA 4.0",
                 r"(creative commons )?attribution-sharealike 4\.0"),
    LicenseTerms("gpl-3.0", "GNU General Public License 3.0",
                 r"gnu general public license version 3"),
    LicenseTerms("agpl-3.0", "GNU Affero General Public License 3.0",
                 r"gnu affero general public license version 3"),
)  # fmt: skip
"""Those whose words follow one another are in order: the longer first."""

_TITLES = tuple(
    re.compile("^(?:" + terms.text.replace(" ", r"\s") + ")", re.MULTILINE) for terms in TERMS
)

_PUBLISHERS = (
    (r"google/(codegemma|recurrentgemma|gemma-(2b|7b|1\.1|2|3|3n))(-.*)?", "gemma"),
    (r"meta-llama/Llama-2-.*", "llama2"),
    (r"meta-llama/(Meta-)?Llama-3-.*", "llama3"),
    (r"meta-llama/(Meta-)?Llama-3\.1-.*", "llama3.1"),
    (r"meta-llama/Llama-3\.2-.*", "llama3.2"),
    (r"meta-llama/Llama-3\.3-.*", "llama3.3"),
    (r"meta-llama/Llama-4-.*", "llama4"),
)
"""Repositories of the one who wrote the license: all of these have it."""
_FIRST = 1000
"""Characters of a text in which its title is sought: further on others are named."""
_NON_COMMERCIAL_IDS = re.compile(r"cc-by-nc.*|fair-noncommercial-research-license")
_RESEARCH_IDS = ("h-research", "intel-research", "apple-amlr", "deepfloyd-if-license")


def find_terms(license_id: str, name: str = "") -> LicenseTerms | None:
    """The row of a license by what the Hub calls it, of `other` by its `license_name`."""
    for terms in TERMS:
        if terms.id == license_id and (license_id != "other" or terms.name == name.lower()):
            return terms
    if license_id not in LICENSES or license_id in ("other", "unknown"):
        return None
    limit = _NON_COMMERCIAL if _NON_COMMERCIAL_IDS.fullmatch(license_id) else ""
    limit = _RESEARCH if license_id in _RESEARCH_IDS else limit
    return LicenseTerms(license_id, license_id, "", limit=limit)


def recognise_text(text: str) -> LicenseTerms | None:
    """The license whose title stands first in a text, at the start of a line; None where none
    does."""
    lines = (re.sub(r"[\s*#=_]+", " ", line).strip() for line in text[:_FIRST].lower().splitlines())
    start = "\n".join(filter(None, lines))
    found = [
        (match.start(), at) for at, title in enumerate(_TITLES) if (match := title.search(start))
    ]
    return TERMS[min(found)[1]] if found else None


def find_publisher_terms(base_id: str) -> LicenseTerms | None:
    """The license of a publisher's own repositories, by the id of one; None for all others."""
    for pattern, license_id in _PUBLISHERS:
        if re.fullmatch(pattern, base_id):
            return find_terms(license_id)
    return None
