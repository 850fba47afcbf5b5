"""Proofs as an export leaves them, made by hand."""

from engine.release.proof import Check, TargetProof

DIFFERS = Check(
    "greedy answers are the run's", "failed", "19 of 20 are equal.",
    differences=("prompt 3: 'sadness', the run: 'joy'",),
)  # fmt: skip
_CHECKS = (
    Check("weights differ from the base", "passed", "42 of 42 trained tensors differ.",
          {"tensors": 42}),
    Check("cost of the type", "stated", "Mean KL 0.0012 nats a token over 100 rows, first choice "
          "equal at 99.4% of 3,120 places."),
    Check("template in Ollama", "not proven", "No Ollama answers on this machine."),
)  # fmt: skip


def make_proofs(*, failed: bool = False) -> tuple[TargetProof, ...]:
    """Of an adapter and a GGUF file; with `failed` the file fails a check."""
    checks = (*_CHECKS, DIFFERS) if failed else _CHECKS
    return (
        TargetProof("adapter", "adapter", "float16", _CHECKS[:1]),
        TargetProof("gguf:q8_0", "gguf/mine-Q8_0.gguf", "q8_0", checks),
    )
