"""The checks of one target, in an order in which two models are never in memory together.

The run comes first and is kept on disk (`reference`); then the sum of base and adapter before it is
rounded, against which the stored tensors are compared; then what is shipped, as its user opens it.
"""

from pathlib import Path
from typing import Any

from engine.errors import EngineError
from engine.release.proof import Check
from engine.text import one_line
from engine.worker.model import loading
from engine.worker.release.gguf.metadata_check import check_metadata
from engine.worker.release.proving import kept_logs
from engine.worker.release.proving.answer_checks import (
    GREEDY,
    QUANTIZED_RUN,
    READ,
    SUMMED,
    compare_greedy,
    judge_greedy,
    judge_long,
    judge_rows,
)
from engine.worker.release.proving.file_checks import check_files
from engine.worker.release.proving.llama_checks import (
    NOT_INSTALLED,
    check_llamacpp,
    is_installed,
)
from engine.worker.release.proving.open_shipped import (
    OPENED,
    add_adapter,
    can_open,
    check_opened,
    keeps_weights,
    open_run,
    open_shipped,
    own_type,
)
from engine.worker.release.proving.proof_spec import ProofSpec, Tick, advance_of
from engine.worker.release.proving.reference import RunReference
from engine.worker.release.proving.text_checks import check_texts
from engine.worker.release.proving.weight_checks import check_adapter, check_weights


def prove(spec: ProofSpec, scratch: Path, tick: Tick) -> list[Check]:
    """All checks of one target; `scratch` is a folder for temporary files.

    Raises EngineError where what is shipped, or the run itself, cannot be opened at all; what
    `tick` raises; OSError, as of a full disk.
    """
    if not spec.target.startswith("gguf"):
        checks = [*prove_weights(spec, scratch, tick), check_files(spec)]
    else:
        checks = prove_gguf(spec, scratch, tick)
    return [*checks, *check_texts(spec, advance_of(tick, "comparing prompts and tokens"))]


def prove_gguf(spec: ProofSpec, scratch: Path, tick: Tick) -> list[Check]:
    """The checks of a GGUF file but for its texts. Raises as `prove` does."""
    assert spec.checkpoint is not None, "of a GGUF file it is known what it was written from"
    if can_open(spec):
        checks = prove_weights(spec, scratch, tick)
    else:
        text = "transformers opens no GGUF file of this architecture: no weight was compared"
        checks = [Check(OPENED, "not proven", text)]
    checks.append(check_metadata(spec.checkpoint, spec.shipped))
    if not is_installed():
        return [*checks, NOT_INSTALLED]
    reference, run = _refer(spec, scratch, tick)
    del run
    loading.release()
    return [*checks, *check_llamacpp(spec, reference, scratch, tick)]


def prove_weights(spec: ProofSpec, scratch: Path, tick: Tick) -> list[Check]:
    """The checks of weights and answers. Raises as `prove` does."""
    reference, run = _refer(spec, scratch, tick)
    if spec.shipped_base is not None:
        checks = check_adapter(spec)
    else:
        tick("adding the adapter to its base", 0, 0)
        summed, run = add_adapter(spec, run if run is not None else open_run(spec)), None
        checks = _check_sum(spec, summed, reference, tick)
        del summed
    run = None
    loading.release()
    checks += _check_shipped(spec, reference, tick)
    if spec.quantized != "none":
        checks.append(_state_distance(spec, reference, tick))
    return checks


def _refer(spec: ProofSpec, scratch: Path, tick: Tick) -> tuple[RunReference, Any]:
    """What the run answers, and the run itself where it had to be opened for that."""
    folder = spec.reference or scratch
    reference = RunReference.read(spec, folder)
    if reference is not None:
        return reference, None
    tick("loading the run", 0, 0)
    run = open_run(spec)
    return RunReference.make(spec, run, folder, tick), run


def _check_sum(spec: ProofSpec, summed: Any, reference: RunReference, tick: Tick) -> list[Check]:
    checks = check_weights(spec, summed, advance_of(tick, "comparing tensors"))
    if spec.adapter is None:
        return checks
    advance = advance_of(tick, "reading answers with the sum in float32")
    disagreements = compare_greedy(summed, reference.greedy, advance)
    return [*checks, judge_greedy(SUMMED, reference, disagreements, "float32")]


def _check_shipped(spec: ProofSpec, reference: RunReference, tick: Tick) -> list[Check]:
    import torch

    exact, dtype = keeps_weights(spec.dtype), own_type(spec.dtype)
    name = str(dtype).removeprefix("torch.") if exact else spec.dtype
    greedy = name
    if spec.shipped_base is not None:
        # Nothing is rounded, but where one adapter is made for several stages: between two of them
        # the run's own weights were.
        same = spec.shipped_base == spec.base
        greedy = "float32" if same else str(loading.stored_dtype(spec.base)).removeprefix("torch.")
        name = greedy if name == "float32" else name
    tick("opening what is shipped", 0, 0)
    try:
        model = open_shipped(spec, torch.float32)
    except EngineError as error:
        reason = one_line(error.line)
        return [Check(OPENED, "failed", "what is shipped cannot be opened", {}, (reason,))]
    checks = [check_opened(spec, model)]
    advance = advance_of(tick, "reading answers with what is shipped")
    disagreements = compare_greedy(model, reference.greedy, advance)
    checks.append(judge_greedy(GREEDY, reference, disagreements, greedy, exact=exact))
    if dtype != torch.float32:
        del model
        loading.release()
        tick(f"opening what is shipped in {name}", 0, 0)
        model = open_shipped(spec, dtype)
    advance = advance_of(tick, "reading rows with what is shipped")
    rows = kept_logs.compare(model, reference.rows, reference.row_file, advance)
    bundled = len(reference.rows) - reference.held_out_rows
    checks.append(judge_rows(READ, rows, name, exact=exact, bundled=bundled))
    long = reference.long.rows
    advance = advance_of(tick, "reading long prompts with what is shipped")
    comparisons = kept_logs.compare(model, [one.row for one in long], reference.long_file, advance)
    return [*checks, judge_long(reference, comparisons, name, exact=exact)]


def _state_distance(spec: ProofSpec, reference: RunReference, tick: Tick) -> Check:
    """How far the run is, on its quantised base, from its adapter on the unquantised one."""
    tick("loading the run on its quantised base", 0, 0)
    try:
        model = open_run(spec, quantized=True)
        advance = advance_of(tick, "reading rows with the quantised run")
        rows = kept_logs.compare(model, reference.rows, reference.row_file, advance)
    except EngineError as error:
        return Check(QUANTIZED_RUN, "not proven", one_line(error.line))
    check = judge_rows(QUANTIZED_RUN, rows, spec.quantized, exact=False, limited=False)
    text = f"the run had its base in {spec.quantized}; it is compared with the unquantised base: "
    return Check(QUANTIZED_RUN, check.status, text + check.summary, check.facts)
