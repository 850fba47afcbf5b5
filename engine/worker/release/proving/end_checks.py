"""Whether what is shipped stops wherever a trained answer ends: in transformers, llama.cpp, Ollama.

Reads what each of them goes by, `generation_config.json`, the header of a GGUF file and the
Modelfile. That a model then does stop is what tests of these programs show.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.number_format import write_count
from engine.release.proof import Check
from engine.safe_open import read_file
from engine.worker.release.gguf.demands import demand_context
from engine.worker.release.gguf.end_tokens import known_by_text
from engine.worker.release.proving.proof_spec import ProofSpec
from engine.worker.release.proving.shipped_texts import TextPair, show

ENDS = "every end token stops"
BASE_ENDS = "end tokens that the base brings along"
OLLAMA_ENDS = "every end token stops in Ollama"
_KEYS = ("eos", "eot", "eom", "fim_pad", "fim_rep", "fim_sep")
"""Of tokens at which llama.cpp stops, as `tokenizer.ggml.…_token_id`."""
_CONFIG = "generation_config.json"
_MOST_BYTES = 1 << 22
_STOP = re.compile(r"^[ \t]*+PARAMETER[ \t]++stop[ \t]++(.*)$", re.IGNORECASE | re.MULTILINE)
_CONTEXT = re.compile(r"^[ \t]*+PARAMETER[ \t]++num_ctx\b", re.IGNORECASE | re.MULTILINE)
_QUOTED = re.compile(r'"""[\s\S]*?"""')
_INSTRUCTION = re.compile(r"^[ \t]*([A-Za-z]+)[ \t]*(.*)$", re.MULTILINE)
_EXPECTED = frozenset({"TEMPLATE", "SYSTEM", "LICENSE", "PARAMETER STOP"})


def check_ends(spec: ProofSpec, pair: TextPair) -> list[Check]:
    """Where it stops, of a folder or of a GGUF file with its Modelfile."""
    if not spec.ends:
        return [Check(ENDS, "failed", "The run names no token that ends an answer.")]
    if pair.gguf is None:
        checks = [_check_config(spec, pair)]
        if spec.shipped_base is not None:
            checks.append(_state_base(spec, pair, spec.shipped_base))
        return checks
    return [_check_header(spec, pair, pair.gguf.header), _check_modelfile(spec, pair)]


def stops_in_llamacpp(header: Mapping[str, Any], pieces: Sequence[str]) -> set[int]:
    """The ids at which llama.cpp ends an answer: by key, and by the text of a token."""
    keys = (header.get(f"tokenizer.ggml.{name}_token_id") for name in _KEYS)
    by_key = {at for at in keys if isinstance(at, int) and 0 <= at < len(pieces)}
    return by_key | set(known_by_text(pieces))


def modelfile_stops(text: str) -> list[str]:
    """The texts of `PARAMETER stop` in a Modelfile."""
    stops = []
    for value in map(str.strip, _STOP.findall(text)):
        for quote in ('"""', '"'):
            if len(value) >= 2 * len(quote) and value.startswith(quote) and value.endswith(quote):
                value = value[len(quote) : -len(quote)]
                break
        stops.append(value)
    return stops


def _check_config(spec: ProofSpec, pair: TextPair) -> Check:
    try:
        stops = _stops_of(spec.shipped)
    except (OSError, ValueError, AttributeError) as error:
        return _unreadable(ENDS, _CONFIG, error)
    return _judge(ENDS, spec, pair, stops, _CONFIG)


def _state_base(spec: ProofSpec, pair: TextPair, base: Path) -> Check:
    """Of an adapter: transformers and PEFT go by the base's file, unless they are given ours."""
    try:
        stops = _stops_of(base)
    except (OSError, ValueError, AttributeError):
        stops = set()  # no such file: it has no ends of its own
    absent = [at for at in spec.ends if at not in stops]
    facts = {"ends": list(spec.ends), "of_base": sorted(stops)}
    if not absent:
        summary = f"transformers reads the base's {_CONFIG}, which has every end token too."
        return Check(BASE_ENDS, "passed", summary, facts)
    named = ", ".join(show(str(pair.run.convert_ids_to_tokens(at))) for at in absent)
    summary = (
        f"With an adapter transformers reads the base's {_CONFIG}, which lacks {named}: set "
        "model.generation_config = GenerationConfig.from_pretrained(FOLDER)."
    )
    return Check(BASE_ENDS, "stated", summary, facts)


def _stops_of(folder: Path) -> set[int]:
    own = json.loads(read_file(folder / _CONFIG, _MOST_BYTES)).get("eos_token_id")
    return set(own if isinstance(own, list) else [] if own is None else [own])


def _check_header(spec: ProofSpec, pair: TextPair, header: Mapping[str, Any]) -> Check:
    assert pair.gguf is not None
    stops = stops_in_llamacpp(header, pair.gguf.vocabulary.pieces)
    return _judge(ENDS, spec, pair, stops, "llama.cpp's end tokens")


def _judge(name: str, spec: ProofSpec, pair: TextPair, stops: set[int], where: str) -> Check:
    texts = {at: str(pair.run.convert_ids_to_tokens(at)) for at in spec.ends}
    absent = [at for at in spec.ends if at not in stops]
    facts = {"ends": list(spec.ends), "texts": list(texts.values()), "stops": sorted(stops)}
    if absent:
        lines = tuple(f"{at} {show(texts[at])} is not in {where}" for at in absent)
        summary = f"No stop at {len(absent)} of {write_count(len(spec.ends), 'end token')}."
        return Check(name, "failed", summary, facts, lines)
    named = ", ".join(show(text) for text in texts.values())
    return Check(name, "passed", f"Stops at {named}.", facts)


def _check_modelfile(spec: ProofSpec, pair: TextPair) -> Check:
    path = spec.shipped.parent / "Modelfile"
    if not path.is_file():
        return Check(OLLAMA_ENDS, "not proven", "There is no Modelfile beside the file.")
    try:
        text = read_file(path, _MOST_BYTES).decode()
    except (OSError, ValueError) as error:
        return _unreadable(OLLAMA_ENDS, path.name, error)
    stops = modelfile_stops(text)
    wanted = [str(pair.run.convert_ids_to_tokens(at)) for at in spec.ends]
    absent = [one for one in wanted if one not in stops]
    facts = {"ends": wanted, "stops": stops}
    if absent:
        lines = tuple(f"PARAMETER stop {show(one)} is missing" for one in absent)
        summary = f"The Modelfile lacks {len(absent)} of {write_count(len(wanted), 'end token')}."
        return Check(OLLAMA_ENDS, "failed", summary, facts, lines)
    context = _demand_context(spec)
    if lines := tuple(_find_others(text, spec.shipped.parent, set(stops) - set(wanted), context)):
        summary = "The Modelfile says what the run does not."
        return Check(OLLAMA_ENDS, "failed", summary, facts, lines)
    named = ", ".join(show(one) for one in wanted)
    return Check(OLLAMA_ENDS, "passed", f"The Modelfile stops at {named}.", facts)


def _demand_context(spec: ProofSpec) -> int | None:
    """`num_ctx` of a Modelfile; None where the config does not say."""
    from transformers import AutoConfig

    if spec.checkpoint is None:
        return None
    config = AutoConfig.from_pretrained(str(spec.checkpoint), local_files_only=True)
    return demand_context(config.get_text_config())


def _find_others(
    text: str, folder: Path, stops: set[str], context: int | None = None
) -> Iterator[str]:
    """What of a Modelfile changes answers and is not the run's; its TEMPLATE and SYSTEM are read in
    `ollama_files`."""
    for stop in sorted(stops):
        yield f"PARAMETER stop {show(stop)} ends no answer of the run"
    if context is not None and not _CONTEXT.search(_QUOTED.sub("", text)):
        yield f"PARAMETER num_ctx is missing, the model's is {context}"
    for instruction, value in _INSTRUCTION.findall(_QUOTED.sub("", text)):
        words = " ".join([instruction, *value.split()[: instruction.upper() == "PARAMETER"]])
        if words.upper() == "FROM":
            file = value.strip().removeprefix("./")
            if "/" in file or not (folder / file).is_file():
                yield f"FROM {show(file)} is no file beside it"
        elif words.upper() == "PARAMETER NUM_CTX":
            given = value.split()[-1]
            if context is not None and given != str(context):
                yield f"PARAMETER num_ctx is {show(given)}, the model's is {context}"
        elif words.upper() not in _EXPECTED:
            yield f"{show(words)} is no instruction of an export"


def _unreadable(name: str, file: str, error: Exception) -> Check:
    # No path of this machine: a proof is read elsewhere.
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return Check(
        name,
        "failed",
        f"{file} cannot be read: {show(reason or '')}.",
        differences=(f"{file}: {show(reason or '')}",),
    )
