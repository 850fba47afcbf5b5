"""How what was exported is run: transformers, vLLM, llama.cpp and Ollama, for each kind of folder.

Owns the commands. Each is right for its folder, or the page says which other export it takes.
"""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from engine.release.card.vllm_limits import VllmLimits
from engine.release.targets import Form


@dataclass(frozen=True, slots=True)
class Runnable:
    """What commands depend on."""

    form: Form
    name: str
    """Of the model."""
    base_id: str
    """On the Hub; empty: not known, a placeholder that says so stands in its place."""
    is_bundled: bool
    """Whether the base is the model that ships with finetop."""
    has_template: bool
    """Whether a chat template is among the files."""
    rows: int | None
    """Of the embedding that the adapter brings, where that is not as many as the base has."""
    gguf: tuple[str, ...]
    """Names of GGUF files, in the order of their exactness."""
    has_modelfile: bool
    limits: VllmLimits | None
    """Of an adapter."""


@dataclass(frozen=True, slots=True)
class HowTo:
    """One way to run it."""

    title: str
    text: str
    """In one line; may be empty."""
    code: str
    """Empty: there is none."""
    language: str = "bash"


def list_ways(model: Runnable) -> Iterator[HowTo]:
    """The ways to run it, transformers first."""
    if model.form == "gguf":
        yield from _list_gguf(model)
        return
    yield HowTo("transformers", _here(model), _write_python(model), "python")
    yield _serve_adapter(model) if model.form == "adapter" else _serve_merged(model)
    export = "finetop export … --as gguf"
    yield HowTo("llama.cpp and Ollama", f"They take the GGUF export of this model ({export}).", "")


def name_for_commands(name: str) -> str:
    """A model's name as a server calls it: lower-case letters, digits, dots and hyphens."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")[:60] or "model"


def _here(model: Runnable) -> str:
    what = "the folder of this card, or its id once it is on the Hub"
    return f"FOLDER is {what}." if model.form == "adapter" else f"MODEL is {what}."


def _write_python(model: Runnable) -> str:
    place = "FOLDER" if model.form == "adapter" else "MODEL"
    names = ["AutoModelForCausalLM", "AutoTokenizer"]
    names += ["GenerationConfig"] if model.form == "adapter" else []
    lines = [
        f"from transformers import {', '.join(names)}",
        "",
        f'{place} = "."',
        f"tokenizer = AutoTokenizer.from_pretrained({place})",
    ]
    if model.form == "adapter":
        base = json.dumps(model.base_id or "PATH OR ID OF THE BASE")
        lines[0:0] = ["from peft import PeftModel"]
        if model.is_bundled:
            base = "BASE"
            lines[0:0] = ["from engine.bundled import BASE  # it comes with finetop"]
        lines += [f'model = AutoModelForCausalLM.from_pretrained({base}, dtype="auto")']
        if model.rows is not None:
            lines += [f"model.resize_token_embeddings({model.rows})  # as the adapter was trained"]
        lines += ["model = PeftModel.from_pretrained(model, FOLDER)"]
        # Neither PEFT nor transformers reads that of an adapter, which has the end tokens.
        lines += ["model.generation_config = GenerationConfig.from_pretrained(FOLDER)"]
    else:
        lines += ['model = AutoModelForCausalLM.from_pretrained(MODEL, dtype="auto")']
    return "\n".join((*lines, *_ask(model)))


def _ask(model: Runnable) -> Iterator[str]:
    if model.has_template:
        yield 'messages = [{"role": "user", "content": "Hello"}]'
        yield "inputs = tokenizer.apply_chat_template("
        yield '    messages, add_generation_prompt=True, return_dict=True, return_tensors="pt"'
        yield ")"
    else:
        yield 'inputs = tokenizer("Once upon a time", return_tensors="pt")'
    yield "output = model.generate(**inputs, max_new_tokens=128)"
    yield 'answer = output[0, inputs["input_ids"].shape[1]:]'
    yield "print(tokenizer.decode(answer, skip_special_tokens=True))"


def _serve_adapter(model: Runnable) -> HowTo:
    limits = model.limits
    if limits is not None and limits.refusals:
        reasons = "; ".join(limits.refusals)
        return HowTo(
            "vLLM", f"vLLM does not serve this adapter: {reasons}. It serves the merged export of "
            "this model (finetop export … --as merged).", "",
        )  # fmt: skip
    base = shlex.quote(model.base_id or "PATH_OR_ID_OF_THE_BASE")
    if model.is_bundled:
        base = "\"$(python -c 'from engine.bundled import BASE; print(BASE)')\""
    rank = limits.max_rank if limits is not None else None
    parts = [f"vllm serve {base} --enable-lora"]
    parts += [f"--max-lora-rank {rank}"] if rank is not None else []
    parts += [f"--lora-modules {name_for_commands(model.name)}=."]
    text = " ".join(limits.cautions) if limits is not None else ""
    if rank is not None:
        text = f"--max-lora-rank raises vLLM's usual limit of 16. {text}".strip()
    return HowTo("vLLM", text, " ".join(parts))


def _serve_merged(model: Runnable) -> HowTo:
    return HowTo(
        "vLLM", "", f"vllm serve . --served-model-name {name_for_commands(model.name)}"
    )  # fmt: skip


def _list_gguf(model: Runnable) -> Iterator[HowTo]:
    if not model.gguf:
        return
    file = model.gguf[0]
    quoted = shlex.quote(file)
    if model.has_template:
        code = f"llama-cli -m {quoted} --jinja\nllama-server -m {quoted} --jinja"
    else:
        code = f'llama-completion -m {quoted} -no-cnv -p "Once upon a time"'
    text = "--jinja takes the model's own chat template." if model.has_template else ""
    yield HowTo("llama.cpp", text, code)
    if model.has_modelfile:
        name = name_for_commands(model.name)
        yield HowTo("Ollama", "", f"ollama create {name} -f Modelfile\nollama run {name}")
    else:
        yield HowTo("Ollama", "This export has no Modelfile.", "")
    lines = [
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        f"FILE = {json.dumps(file)}",
        'tokenizer = AutoTokenizer.from_pretrained(".", gguf_file=FILE)',
        'model = AutoModelForCausalLM.from_pretrained(".", gguf_file=FILE)',
        *_ask(model),
    ]
    text = (
        "Of some families. It turns the weights back into float32, and does not read all that the "
        "file says (how words are split; soft caps, scaled RoPE, windows and biases): the merged "
        "export is the exact one."
    )
    yield HowTo("transformers", text, "\n".join(lines), "python")
    yield HowTo("vLLM", "vLLM's support of GGUF is experimental: give it the merged export of this "
                "model (finetop export … --as merged).", "")  # fmt: skip
