"""What an export is asked for: `adapter`, `merged`, `gguf`, `gguf:TYPE`.

Owns the grammar of `--as`, and the folder in which each target lies. Loads nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from engine.errors import EngineError

Form = Literal["adapter", "merged", "gguf"]
FORMS: tuple[Form, ...] = get_args(Form)
OWN_TYPES = ("f32", "f16", "bf16")
"""GGUF types that keep weights as they are."""
WRITTEN_TYPES = (*OWN_TYPES, "q8_0")
"""GGUF types that we write ourselves; the others are made by llama-quantize."""


@dataclass(frozen=True, slots=True, order=True)
class Target:
    form: Form
    quantization: str = ""
    """Of a GGUF file, in lower case as in "q8_0"; empty: the weights' own type."""

    @property
    def folder(self) -> str:
        """Its folder in the export; all GGUF files lie in one."""
        return self.form

    @property
    def name(self) -> str:
        """As `--as` has it."""
        return f"{self.form}:{self.quantization}" if self.quantization else self.form


def parse_targets(texts: Iterable[str]) -> tuple[Target, ...]:
    """The targets of `--as`, each once and in an order of its own; `gguf` alone is both the
    weights' own type and q8_0. Raises EngineError."""
    targets: set[Target] = set()
    for text in texts:
        form, colon, quantization = text.strip().partition(":")
        if form not in FORMS or (colon and (form != "gguf" or not quantization.isascii())):
            raise EngineError(
                f"Unknown export target {text!r}.",
                "",
                "Use adapter, merged, gguf, or gguf:TYPE as in gguf:Q4_K_M.",
            )
        targets.add(Target(form, quantization.strip().lower()))
        if form == "gguf" and not colon:
            targets.add(Target("gguf", "q8_0"))
    if not targets:
        raise EngineError("No export target.", "", "Use --as adapter, merged or gguf.")
    return tuple(sorted(targets, key=lambda one: (FORMS.index(one.form), one.quantization)))
