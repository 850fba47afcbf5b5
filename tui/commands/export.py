"""`finetop export`: a trained model in other forms, each proven; `--verify` checks one again."""

import argparse
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import EngineError, JobFailed
from engine.jobs.directory import JobDirectory
from engine.jobs.store import open_store
from engine.json_output import format_json
from engine.number_format import write_size
from engine.release.export_folder import comparison_command, upload_commands
from engine.release.proof import TargetProof, encode_proofs, read_proofs, read_remarks
from engine.text import clean, one_line
from tui.commands.export_options import add_export_parser, read_export_recipe
from tui.commands.follow import follow_or_stop
from tui.screens.proof_lines import proof_lines

if TYPE_CHECKING:
    from engine.launching.export import PlannedExport

WIDTH = 80


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = add_export_parser(commands)
    parser.set_defaults(handler=_export)
    return [parser]


def _export(options: argparse.Namespace) -> int:
    if options.verify is not None:
        if options.run is not None or options.targets or options.out:
            raise EngineError(
                "--verify takes a folder and no run.", "", "Use finetop export --verify DIR."
            )
        return _verify(Path(options.verify), as_json=options.json)
    if options.run is None:
        raise EngineError("No run.", "", "Use finetop export RUN --as merged --out DIR.")
    if options.detach and options.json:
        raise EngineError("--detach and --json cannot be combined.", "", "Remove --json.")
    return _start(options)


def _start(options: argparse.Namespace) -> int:
    from engine.launching import export

    store = open_store(options.runs, remember=True)
    planned = export.plan_export(read_export_recipe(options, store), store.root)
    recipe, need = planned.recipe, planned.need
    _tell(f"{one_line(recipe.out)}: {need.words}")
    _tell(f"the model is called {one_line(recipe.model_name)} (--model-name changes it)")
    _tell(f"disk: {write_size(need.most)} needed, {write_size(planned.free)} free")
    waits = "" if planned.free_memory >= planned.memory.most else ": it waits until there is room"
    _tell(f"memory: {planned.memory.words}, {write_size(planned.free_memory)} free{waits}")
    for path in planned.leftovers:
        _tell(f"removes what a killed export left: {one_line(str(path))}")
    base_id = _settle_base_id(planned.source.root, recipe.base_id, ask=not options.yes)
    planned = replace(planned, recipe=replace(recipe, base_id=base_id))
    job = export.start_export(planned, store.root)
    if options.detach:
        print(job.path.name)
        return 0
    try:
        last = follow_or_stop(job, "exporting", "The export was stopped: nothing is left of it.")
    except JobFailed:
        if not options.json:
            _print_proofs(_read_if_there(job.proof))
        raise
    out = Path(recipe.out)
    compare = comparison_command(planned.source.arm, out, [one.path for one in store.jobs()])
    if options.json:
        _print_json(job, planned, compare)
    else:
        _print_result(job, out, compare, last.message.removeprefix(f"{out}: "))
    return 0


def _settle_base_id(root: Path, base_id: str, *, ask: bool) -> str:
    """What the Hub calls the base; asked for on a terminal. Empty where it stays unknown."""
    from engine.release.card.base_identity import is_bundled

    if not base_id and ask and not is_bundled(root) and sys.stdin.isatty() and sys.stderr.isatty():
        question = f"What does the Hub call {one_line(root.name)}? ORG/NAME, empty: not known: "
        print(question, end="", file=sys.stderr, flush=True)
        base_id = sys.stdin.readline().strip()
    return base_id


def _print_json(job: JobDirectory, planned: "PlannedExport", compare: str) -> None:
    out = planned.recipe.out
    table = encode_proofs(read_proofs(job.proof)) | {"remarks": read_remarks(job.proof)}
    print(format_json({
        "id": job.path.name, "out": out, **table, "upload": upload_commands(Path(out)),
        "compare": compare, "memory_needed": planned.memory.most, "disk_needed": planned.need.most,
    }))  # fmt: skip


def _print_result(job: JobDirectory, out: Path, compare: str, counts: str) -> None:
    """What was checked and where it lies; beside it what came of it in all, and what is next."""
    _print_proofs(read_proofs(job.proof))
    print(f"\n{clean(str(out))}")
    _tell(f"No check failed: {one_line(counts)}.")
    if remarks := read_remarks(job.proof):
        _tell("\nBefore you publish:")
    for remark in remarks:
        _tell(textwrap.fill(one_line(remark), WIDTH, initial_indent="- ", subsequent_indent="  "))
    if compare:
        _tell("\nTo measure what left beside the run:")
        _tell(f"  {one_line(compare)}")
    _tell("\nNothing was uploaded. To upload, with your name for ORG:")
    for line in upload_commands(out):
        _tell(f"  {one_line(line)}")


def _verify(out: Path, *, as_json: bool) -> int:
    from engine.release.verification import verify_export

    folders = verify_export(out)
    wrong = [folder.name for folder in folders if not folder.passed]
    if as_json:
        print(format_json([
            {"folder": one.name, "differences": list(one.differences), **encode_proofs(one.proofs)}
            for one in folders
        ]))  # fmt: skip
        return int(bool(wrong))
    # What is wrong stands last, where it is read.
    for folder in sorted(folders, key=lambda one: not one.passed):
        same = "the same as its SHA256SUMS" if not folder.differences else "not what was exported"
        _print_proofs(folder.proofs)
        print(f"{one_line(folder.name)}: {same}")
        for line in folder.differences:
            print(f"  {one_line(line)}")
        print()
    count = f"{len(folders)} folder{'s' * (len(folders) != 1)}"
    names = ", ".join(map(one_line, wrong))
    print(f"{count}: not as exported and proven: {names}" if wrong else f"{count}: all proven")
    return int(bool(wrong))


def _read_if_there(path: Path) -> tuple[TargetProof, ...]:
    try:
        return read_proofs(path)
    except EngineError:
        return ()


def _print_proofs(proofs: Sequence[TargetProof]) -> None:
    for line in proof_lines(proofs, WIDTH):
        print("".join(text for text, _ in line))


def _tell(line: str) -> None:
    print(line, file=sys.stderr)
