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
    gguf = spec.target.startswith("gguf")
    checks = [] if gguf and not can_open(spec) else prove_weights(spec, scratch, tick)
    if gguf:
        assert spec.checkpoint is not None, "of a GGUF file it is known what it was written from"
        if not checks:
            text = "transformers opens no GGUF file of this architecture: no weight was compared"
            checks = [Check(OPENED, "not proven", text)]
        checks.append(check_metadata(spec.checkpoint, spec.shipped))
    else:
        checks.append(check_files(spec))
    return [*checks, *check_texts(spec, advance_of(tick, "comparing prompts and tokens"))]


def prove_weights(spec: ProofSpec, scratch: Path, tick: Tick) -> list[Check]:
    """The checks of weights and answers. Raises as `prove` does."""
    folder = spec.reference or scratch
    reference, run = RunReference.read(spec, folder), None
    if reference is None:
        tick("loading the run", 0, 0)
        run = open_run(spec)
        reference = RunReference.make(spec, run, folder, tick)
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


def _check_sum(spec: ProofSpec, summed: Any, reference: RunReference, tick: Tick) -> list[Check]:
    checks = check_weights(spec, summed, advance_of(tick, "comparing tensors"))
    if spec.adapter is None:
        return checks
    said = advance_of(tick, "reading answers with the sum in float32")
    found = compare_greedy(summed, reference.greedy, said)
    return [*checks, judge_greedy(SUMMED, reference, found, "float32")]


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
    said = advance_of(tick, "reading answers with what is shipped")
    found = compare_greedy(model, reference.greedy, said)
    checks.append(judge_greedy(GREEDY, reference, found, greedy, exact=exact))
    if dtype != torch.float32:
        del model
        loading.release()
        tick(f"opening what is shipped in {name}", 0, 0)
        model = open_shipped(spec, dtype)
    said = advance_of(tick, "reading rows with what is shipped")
    rows = kept_logs.compare(model, reference.rows, reference.row_file, said)
    bundled = len(reference.rows) - reference.held_out_rows
    checks.append(judge_rows(READ, rows, name, exact=exact, bundled=bundled))
    long = reference.long.rows
    said = advance_of(tick, "reading long prompts with what is shipped")
    read = kept_logs.compare(model, [one.row for one in long], reference.long_file, said)
    return [*checks, judge_long(reference, read, name, exact=exact)]


def _state_distance(spec: ProofSpec, reference: RunReference, tick: Tick) -> Check:
    """How far the run is, on its quantised base, from its adapter on the unquantised one."""
    tick("loading the run on its quantised base", 0, 0)
    try:
        model = open_run(spec, quantized=True)
        said = advance_of(tick, "reading rows with the quantised run")
        rows = kept_logs.compare(model, reference.rows, reference.row_file, said)
    except EngineError as error:
        return Check(QUANTIZED_RUN, "not proven", one_line(error.line))
    judged = judge_rows(QUANTIZED_RUN, rows, spec.quantized, exact=False, limited=False)
    text = f"the run had its base in {spec.quantized}; it is compared with the unquantised base: "
    return Check(QUANTIZED_RUN, judged.status, text + judged.summary, judged.facts)
