"""The rules of the Hub for the metadata of cards of models and data, checked without a network.

Owns the lists that the Hub checks against, as its own answer to an invalid card names them (May
2026), and the keys that a card of ours has. What is checked here is refused by the Hub, or shown
wrongly. `model-index` is not one of the keys: its datasets must be data sets of the Hub, and suites
are files.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from engine.release.card.base_identity import is_hub_id

LICENSES = frozenset(
    """
    apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0
    bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear
    c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0
    cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
    cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl
    ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl
    lgpl-2.1 lgpl-3.0 isc h-research intel-research lppl-1.3c ms-pl apple-ascl apple-amlr mpl-2.0
    odc-by odbl openmdw-1.0 openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr
    deepfloyd-if-license fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2
    llama3.3 llama4 grok2-community gemma unknown other
    """.split()  # noqa: SIM905
)
"""What `license` may be."""
RELATIONS = ("adapter", "finetune", "merge", "quantized")
"""What `base_model_relation` may be."""
LIBRARIES = ("peft", "transformers", "gguf")
PIPELINES = ("text-generation",)
CREATORS = ("machine-generated", "expert-generated")
"""Of ours, `annotations_creators` of data: written by a model; reviewed or edited by a person."""
LICENSE_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_URL = re.compile(r"https://[\w.-]+(?:/[\w./~%+#?&=-]*)?", re.ASCII)
_TAG = re.compile(r"[a-z0-9][a-z0-9._:/-]{0,95}")
_DATA_SET = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,95}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_KEYS = frozenset((
    "license", "license_name", "license_link", "base_model", "base_model_relation", "library_name",
    "pipeline_tag", "tags", "datasets",
))  # fmt: skip


SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"),
         (10**7, "1M<n<10M"))  # fmt: skip
"""What `size_categories` may say: fewer rows than so many."""
_DATA_KEYS = frozenset((
    "license", "license_name", "license_link", "language", "pretty_name", "size_categories",
    "task_categories", "annotations_creators", "tags", "configs",
))  # fmt: skip
_LANGUAGE = re.compile("[a-z]{2,3}")


def is_link(text: str) -> bool:
    """Whether it is an address that a link may lead to."""
    return _URL.fullmatch(text) is not None and len(text) <= 400


def list_problems(metadata: Mapping[str, Any], files: Collection[str]) -> tuple[str, ...]:
    """What the Hub would refuse, a sentence each; none for a card that it takes. `files` are the
    names of those beside the card."""
    return (
        *(f"{key} is not a key of a card" for key in metadata if key not in _KEYS),
        *_check_license(metadata, files),
        *_check_base(metadata),
        *_check_words(metadata),
    )


def list_data_problems(metadata: Mapping[str, Any], files: Collection[str]) -> tuple[str, ...]:
    """The same for the card of a data set, whose rows are in files that `configs` names."""
    return (
        *(f"{key} is not a key of a card of data" for key in metadata if key not in _DATA_KEYS),
        *_check_license(metadata, files),
        *_check_data_words(metadata),
        *_check_configs(metadata.get("configs"), files),
    )


def _check_data_words(metadata: Mapping[str, Any]) -> Iterator[str]:
    name = metadata.get("pretty_name")
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        yield f"pretty_name {name!r} is no name"
    sizes = [[size] for _, size in SIZES]
    if metadata.get("size_categories") not in sizes:
        yield f"size_categories {metadata.get('size_categories')!r} is not known to the Hub"
    for key, known in (("task_categories", PIPELINES), ("annotations_creators", CREATORS)):
        if not set(metadata.get(key) or ["?"]) <= set(known):
            yield f"{key} {metadata.get(key)!r} is not one of {', '.join(known)}"
    yield from _check_list("language", metadata.get("language"), _LANGUAGE)
    yield from _check_list("tags", metadata.get("tags"), _TAG)


def _check_configs(configs: object, files: Collection[str]) -> Iterator[str]:
    match configs:
        case [{"config_name": "default", "data_files": str(file)}] if file in files:
            return
    yield f"configs {configs!r} does not name the file of rows"


def _check_license(metadata: Mapping[str, Any], files: Collection[str]) -> Iterator[str]:
    value, name, link = (metadata.get(key) for key in ("license", "license_name", "license_link"))
    if not isinstance(value, str) or value not in LICENSES:
        yield f"license {value!r} is not known to the Hub"
    if value != "other":
        if name is not None or link is not None:
            yield "license_name and license_link belong to license: other alone"
        return
    if not isinstance(name, str) or LICENSE_NAME.fullmatch(name) is None:
        yield f"license_name {name!r} is not in lower-case letters, digits, dots and hyphens"
    if not isinstance(link, str) or not (link in files or is_link(link)):
        yield f"license_link {link!r} is neither a file of the folder nor an https address"


def _check_base(metadata: Mapping[str, Any]) -> Iterator[str]:
    base, relation = metadata.get("base_model"), metadata.get("base_model_relation")
    if base is not None and not (isinstance(base, str) and is_hub_id(base)):
        yield f"base_model {base!r} is not a model id of the Hub"
    if relation is not None and (base is None or relation not in RELATIONS):
        yield f"base_model_relation {relation!r} is not one of {', '.join(RELATIONS)}, or alone"


def _check_words(metadata: Mapping[str, Any]) -> Iterator[str]:
    if metadata.get("library_name") not in LIBRARIES:
        yield f"library_name {metadata.get('library_name')!r} is not one of {', '.join(LIBRARIES)}"
    if metadata.get("pipeline_tag") not in PIPELINES:
        yield f"pipeline_tag {metadata.get('pipeline_tag')!r} is not one of {', '.join(PIPELINES)}"
    yield from _check_list("tags", metadata.get("tags"), _TAG)
    yield from _check_list("datasets", metadata.get("datasets"), _DATA_SET)


def _check_list(key: str, values: object, pattern: re.Pattern[str]) -> Iterator[str]:
    if values is None:
        return
    if not isinstance(values, list) or not values or len(set(map(repr, values))) < len(values):
        yield f"{key} is not a list of different texts"
        return
    for value in values:
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            yield f"{key} holds {value!r}"
