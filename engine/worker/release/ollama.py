"""Whether Ollama itself writes the prompts that were trained: asked where one answers locally.

Starts nothing, and asks no other machine unless OLLAMA_HOST names one.
"""

from collections.abc import Sequence
from pathlib import Path

from engine.chat import Message
from engine.release.proof import Check


def prove_template(
    model_file: Path,
    modelfile: Path,
    conversations: Sequence[Sequence[Message]],
    texts: Sequence[str],
) -> Check:
    """Compare the prompts that Ollama makes of `conversations` with `texts`, which have no BOS.

    A model with a name of its own is created for it from the GGUF file and the Modelfile, and
    deleted again. "not proven" where no Ollama answers, or an old one.
    """
    raise NotImplementedError
