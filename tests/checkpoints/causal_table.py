"""Writes `engine/checkpoints/causal_lm_types.py` from the installed transformers' own tables.

    python tests/checkpoints/causal_table.py

The tables are read from the source text, so that neither transformers nor torch is imported.
"""

import ast
import importlib.util
import re
from collections.abc import Iterable
from pathlib import Path

TABLE = Path(__file__).parents[2] / "engine" / "checkpoints" / "causal_lm_types.py"


def models() -> Path:
    """Where the installed transformers keeps its models. Raises AssertionError without it."""
    spec = importlib.util.find_spec("transformers")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "models"


def read_table(name: str) -> dict[str, str]:
    """One table of `modeling_auto.py`: model type to class. Raises StopIteration without it."""
    source = models() / "auto" / "modeling_auto.py"
    call = next(
        node.value
        for node in ast.parse(source.read_text()).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    )
    assert isinstance(call, ast.Call)
    return dict(ast.literal_eval(call.args[0]))


def without_cache(names: Iterable[str]) -> set[str]:
    """The classes whose `forward` takes no `past_key_values`."""
    wanted, found = set(names), set()
    for source in models().glob("*/modeling_*.py"):
        text = source.read_text()
        for name in wanted & set(re.findall(r"^class (\w+)\(", text, re.MULTILINE)):
            body = re.search(rf"^class {name}\(.*?(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
            assert body is not None
            forward = re.search(r"    def forward\((.*?)\n    \)", body[0], re.DOTALL)
            if forward is not None and "past_key_values" not in forward[1]:
                found.add(name)
    return found


def render() -> str:
    """The text of the module."""
    causal = read_table("MODEL_FOR_CAUSAL_LM_MAPPING_NAMES")
    masked = sorted(causal.keys() & read_table("MODEL_FOR_MASKED_LM_MAPPING_NAMES").keys())
    uncached = without_cache(causal.values())
    lines = [
        '"""The model types that transformers loads as causal language models, from its tables.',
        "",
        "Written by tests/checkpoints/causal_table.py; a test compares it with what is installed.",
        '"""',
        "",
        "CLASSES = {",
        *(f'    "{kind}": "{name}",' for kind, name in sorted(causal.items())),
        "}",
        '"""Model type to the class that AutoModelForCausalLM makes of it."""',
        "",
        "ALSO_MASKED = frozenset(",
        "    {",
        *(f'        "{kind}",' for kind in masked),
        "    }",
        ")",
        '"""Those that are usually encoders: causal only where their config says so."""',
        "",
        "UNCACHED = frozenset(",
        "    {",
        *(f'        "{kind}",' for kind, name in sorted(causal.items()) if name in uncached),
        "    }",
        ")",
        '"""Those that take no cache of keys and values, with which answers are made here."""',
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.write_text(render())
