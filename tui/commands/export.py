"""`finetop export`: a trained model in other forms, each proven; `--verify` checks one again."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import EngineError, JobFailed
from engine.jobs.directory import RUN, JobDirectory
from engine.jobs.store import Store, open_store
from engine.json_output import format_json
from engine.number_format import write_size
from engine.recipes import recipe as recipes
from engine.recipes.recipe import ExportRecipe
from engine.release.export_folder import comparison_command, upload_commands
from engine.release.proof import PROOF_FILE, TargetProof, encode_proofs, read_proofs
from engine.report.render import SUMS
from engine.safe_open import read_bounded
from engine.text import clean, one_line
from tui.commands.follow import follow_or_stop
from tui.commands.recipe_options import add_changes
from tui.screens.proof_lines import proof_lines

if TYPE_CHECKING:
    from engine.launching.export import PlannedExport

WIDTH = 80
_MOST_BYTES = 1 << 20
"""Of a file with a text for the model card."""


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser(
        "export",
        help="write a trained model in other forms, and prove that each is what was trained",
        usage="finetop export RUN --as TARGET --out DIR [options]\n"
        "       finetop export --verify DIR [--json]",
        epilog="The folder appears whole and proven, or not at all; what was checked is in the "
        "job's directory either way. Nothing is uploaded: the command that would do it is printed.",
    )
    parser.add_argument(
        "run", nargs="?", metavar="RUN",
        help="id, name or path of a run (any stage), a checkpoint's folder, an adapter, or "
        "BASE+ADAPTER",
    )  # fmt: skip
    parser.add_argument(
        "--as", action="append", default=[], dest="targets", metavar="TARGET",
        help="adapter (needs its base), merged (a whole model), gguf (for llama.cpp and Ollama: "
        "the weights' own type and q8_0) or gguf:TYPE as in gguf:Q4_K_M; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--out", metavar="DIR", help="the folder that is made; it must not exist yet"
    )
    parser.add_argument(
        "--dtype", choices=("auto", "float32", "bfloat16", "float16"), default="auto",
        help="of merged weights (default: the type in which the base is stored)",
    )  # fmt: skip
    parser.add_argument(
        "--base-id",
        metavar="ORG/NAME",
        help="what the Hub calls the base (asked for on a terminal, remembered)",
    )
    parser.add_argument(
        "--license",
        default="",
        help="of the result: as the Hub names it (apache-2.0), or NAME=https://LINK",
    )
    parser.add_argument(
        "--data-license", default="", metavar="TEXT", help="license or terms of the training data"
    )
    parser.add_argument(
        "--intended-use", default="", metavar="TEXT|@FILE", help="for the model card"
    )
    parser.add_argument("--limits", default="", metavar="TEXT|@FILE", help="for the model card")
    parser.add_argument(
        "--report", default="", metavar="JOB",
        help="the evaluation that the card tells (default: the newest of this run)",
    )  # fmt: skip
    parser.add_argument("--name", default="", help="name of the job (default: export-RUN)")
    parser.add_argument("--yes", action="store_true", help="ask nothing")
    parser.add_argument("--detach", action="store_true", help="print the job's id and return")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--verify", metavar="DIR", help="compare an export with its checksums, print its proofs"
    )
    add_changes(parser, "proof_rows=300")
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
    planned = export.plan_export(_read_recipe(options, store), store.root)
    recipe, need = planned.recipe, planned.need
    _tell(f"{one_line(recipe.out)}: {need.words}")
    _tell(f"disk: {write_size(need.most)} needed, {write_size(planned.free)} free")
    waits = "" if planned.free_memory >= planned.memory.most else ": it waits until there is room"
    _tell(f"memory: {planned.memory.words}, {write_size(planned.free_memory)} free{waits}")
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
    _tell(one_line(last.message))
    out = Path(recipe.out)
    suite = f"{RUN}{planned.source.run.name}" if planned.source.run is not None else ""
    suite = suite if planned.source.held_out is not None else ""
    compare = comparison_command(planned.source.arm, out, suite)
    _print_result(job, planned, compare, as_json=options.json)
    return 0


def _read_recipe(options: argparse.Namespace, store: Store) -> ExportRecipe:
    source = _name_source(options.run, store)
    table = {
        "kind": "export", "source": source, "targets": options.targets, "out": options.out or "",
        "name": options.name or f"export-{_short_name(source)}", "dtype": options.dtype,
        "base_id": options.base_id or "", "license": options.license,
        "data_license": options.data_license, "report": options.report,
        "intended_use": _read_text(options.intended_use), "limitations": _read_text(options.limits),
    }  # fmt: skip
    wanted = recipes.parse(recipes.with_changes(table, options.changes))
    assert isinstance(wanted, ExportRecipe)
    return wanted


def _name_source(text: str, store: Store) -> str:
    """The arm: a run may be named by its name, the start of its id, or its path as well."""
    try:
        return f"run:{store.find(text).path.name}"
    except EngineError:
        return str(Path(text).absolute()) if Path(text).is_dir() else text


def _short_name(source: str) -> str:
    from engine.compare.arms import parse_arm

    return parse_arm(source).name


def _read_text(written: str) -> str:
    """A text, or the content of the file after an @. Raises EngineError."""
    if not written.startswith("@"):
        return written
    path = Path(written[1:]).expanduser()
    try:
        return read_bounded(path, _MOST_BYTES).decode()
    except UnicodeDecodeError as error:
        raise EngineError("This file is not UTF-8.", str(path)) from error


def _settle_base_id(root: Path, base_id: str, *, ask: bool) -> str:
    """What the Hub calls the base, remembered from now on; asked for once on a terminal. Empty
    where it stays unknown."""
    from engine.release.card.base_identity import is_bundled, remember_base_id

    if not base_id and ask and not is_bundled(root) and sys.stdin.isatty() and sys.stderr.isatty():
        question = f"What does the Hub call {one_line(root.name)}? ORG/NAME, empty: not known: "
        print(question, end="", file=sys.stderr, flush=True)
        base_id = sys.stdin.readline().strip()
    if base_id:
        remember_base_id(root, base_id)
    return base_id


def _print_result(
    job: JobDirectory, planned: "PlannedExport", compare: str, *, as_json: bool
) -> None:
    proofs, out = read_proofs(job.proof), Path(planned.recipe.out)
    uploads = upload_commands(out)
    if as_json:
        print(format_json({
            "id": job.path.name, "out": str(out), **encode_proofs(proofs), "upload": uploads,
            "compare": compare, "memory_needed": planned.memory.most,
            "disk_needed": planned.need.most,
        }))  # fmt: skip
        return
    _print_proofs(proofs)
    print(f"\n{clean(str(out))}")
    if compare:
        _tell("To measure what left beside the run:")
        _tell(f"  {one_line(compare)}")
    _tell("Nothing was uploaded. To upload:")
    for line in uploads:
        _tell(f"  {line}")


def _verify(out: Path, *, as_json: bool) -> int:
    from engine.release.checksums import check_sums

    folders = _list_folders(out)
    if not folders:
        raise EngineError(
            "This is no export.", f"{out}: no folder with SHA256SUMS", "Name the folder of --out."
        )
    reports: list[dict[str, object]] = []
    passed = True
    for folder in folders:
        differences = check_sums(folder)
        proofs = read_proofs(folder / PROOF_FILE)
        passed &= not differences and bool(proofs) and all(proof.passed for proof in proofs)
        reports.append(
            {"folder": folder.name, "differences": list(differences), **encode_proofs(proofs)}
        )
        if not as_json:
            same = "the same as its SHA256SUMS" if not differences else "not what was exported"
            print(f"{one_line(folder.name)}: {same}")
            for line in differences:
                print(f"  {one_line(line)}")
            _print_proofs(proofs)
            print()
    if as_json:
        print(format_json(reports))
    return int(not passed)


def _list_folders(out: Path) -> list[Path]:
    """The folders of an export: those below it, or itself where it is one of them."""
    if (out / SUMS).is_file():
        return [out]
    return sorted(path.parent for path in out.glob(f"*/{SUMS}"))


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
