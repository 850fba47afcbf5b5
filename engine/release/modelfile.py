"""The Modelfile of a GGUF file: what Ollama needs to make a model of it.

Owns its quoting. Format: github.com/ollama/ollama, docs/modelfile.md and parser/parser.go.
"""

from collections.abc import Sequence
from pathlib import Path


def write_modelfile(
    folder: Path,
    model_file: str,
    *,
    template: str | None,
    stops: Sequence[str],
    context: int,
    system: str = "",
    license_text: str = "",
) -> Path:
    """Write `Modelfile` into `folder`; `model_file` lies in it. `template` None: none was proven,
    and the model's own stays. `context` in tokens. Raises EngineError for what cannot be quoted."""
    raise NotImplementedError
