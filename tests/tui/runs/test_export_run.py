"""Exporting a run by a key: the window, what is started, and the proof that opens."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine import atomic
from engine.jobs import status
from engine.jobs.status import State
from engine.jobs.store import Store
from engine.launching.export import PlannedExport
from engine.release.disk_need import DiskNeed
from engine.release.proof import encode_proofs, read_proofs
from engine.release.targets import Target
from tests.checkpoints.made import make_adapter, make_model
from tests.release.made_proof import write_export
from tests.tui.building import write_run
from tests.tui.conftest import screen_text, see, until
from tests.tui.impact.evaluated import staged_results, write_evaluation
from tui.actions import Actions
from tui.app import FinetopApp
from tui.runs.run_overview import OverviewPage
from tui.screens import export_window
from tui.screens.export_window import ExportWindow
from tui.widgets.form import Form
from tui.widgets.table import Table


class RecordingActions(Actions):
    """Launches nothing: it keeps what would have been started."""

    started: PlannedExport | None = None

    def export(self, planned: PlannedExport) -> Path:
        self.started = planned
        return self.store.root / "export-mine-1a2b"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "tree-root" / "runs"
    root.mkdir(parents=True)
    base = make_model(tmp_path / "base")
    lora = write_run(root, "mine", points=5, total=5, checkpoint=str(base))
    make_adapter(lora.adapter, str(base))
    full = write_run(root, "whole", points=5, total=5, method="full", checkpoint=str(base))
    make_model(full.model)
    write_run(root, "unsaved", points=2, created=time.time() - 500)
    return root


async def choose(pilot: Pilot[Any], run: str) -> None:
    app = pilot.app
    assert isinstance(app, FinetopApp)
    key = str(app.store.root / run)
    await see(pilot, run)
    await until(pilot, lambda: app.screen.query_one(Table).choose(key))
    await until(pilot, lambda: app.selected == key)


async def open_window(pilot: Pilot[Any], run: str) -> ExportWindow:
    await choose(pilot, run)
    await pilot.press("R")
    await until(pilot, lambda: isinstance(pilot.app.screen, ExportWindow))
    window = pilot.app.screen
    assert isinstance(window, ExportWindow)
    return window


async def test_the_chosen_export_is_started(root: Path, tmp_path: Path) -> None:
    actions = RecordingActions(Store(root))
    app = FinetopApp(Store(root), actions=actions)
    async with app.run_test(size=(100, 30)) as pilot:
        window = await open_window(pilot, "mine")
        await see(pilot, "adapter, merged and GGUF")
        await see(pilot, "the model card will say unknown: the base, what it forgot")
        assert "none has measured it" in screen_text(app)
        (tmp_path / "mine-export").mkdir()
        await pilot.press("ctrl+s")
        await see(pilot, "The folder of the export already exists.")
        await see(pilot, "Name a folder that does not exist: Folder.")
        await pilot.press("l", "tab", "tab", "x")  # a field begins with all of it chosen
        await see(pilot, f"{tmp_path.name}/x")
        await see(pilot, "must not exist yet: ")
        window.query_one(Form).fill({"out": str(tmp_path / "other"), "license": "mit"})
        await pilot.press("ctrl+s")
        await until(pilot, lambda: actions.started is not None)
        assert not isinstance(app.screen, ExportWindow)
    assert actions.started is not None
    recipe = actions.started.recipe
    assert (recipe.source, recipe.targets) == ("mine=run:mine", ["merged", "gguf", "gguf:q8_0"])
    assert (recipe.out, recipe.license) == (str(tmp_path / "other"), "mit")
    assert (recipe.name, recipe.model_name, recipe.shard_gb) == ("export-mine", "mine", 5.0)


async def test_types_of_gguf_are_typed_and_an_unknown_one_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.release.gguf_targets.find_quantizer", lambda: None)
    actions = RecordingActions(Store(root))
    app = FinetopApp(Store(root), actions=actions)
    async with app.run_test(size=(100, 40)) as pilot:
        window = await open_window(pilot, "mine")
        form = window.query_one(Form)
        form.fill({"forms": "GGUF"})
        await pilot.press("tab")
        await see(pilot, "Q4_K_M ... need llama-quantize (llama.cpp)")
        for types, words in (
            ("", "GGUF types: own, q8_0, or others."),
            ("q9_9", "Unknown GGUF type 'q9_9'."),
            ("q8_0, Q4_K_M", "gguf:Q4_K_M needs llama-quantize, which is not on this machine."),
        ):
            form.fill({"types": types})
            await pilot.press("ctrl+s")
            await see(pilot, words)
        await see(pilot, "Get a release of llama.cpp (github.com/ggml-org/llama.cpp/releases")
        form.fill({"types": "q8_0, f32", "shard_gb": "big"})
        await pilot.press("ctrl+s")
        await see(pilot, "Largest file: a number of GB, as 5.")
        form.fill({"shard_gb": "0.5", "model_name": "my/mood"})
        await pilot.press("ctrl+s")
        await see(pilot, "This cannot be the name of a model.")
        form.fill({"model_name": "mood"})
        await pilot.press("ctrl+s")
        await until(pilot, lambda: actions.started is not None)
    assert actions.started is not None
    recipe = actions.started.recipe
    assert (recipe.targets, recipe.shard_gb) == (["gguf:f32", "gguf:q8_0"], 0.5)
    assert (recipe.name, recipe.model_name) == ("export-mood", "mood")


async def test_the_card_tells_the_evaluation_that_is_chosen(root: Path) -> None:
    base = str(root.parents[1] / "base")
    for name, created in (("older", 10.0), ("newer", 20.0)):
        results = staged_results()
        for arm, spec in {"base": base, "emotion": "run:mine", "counsel": "run:whole"}.items():
            results["arms"][arm]["arm"] = f"{arm}={spec}"
        write_evaluation(
            root, name, results, arms=[one["arm"] for one in results["arms"].values()],
            created=created,
        )  # fmt: skip
    actions = RecordingActions(Store(root))
    app = FinetopApp(Store(root), actions=actions)
    async with app.run_test(size=(100, 40)) as pilot:
        window = await open_window(pilot, "mine")
        assert window.query_one(Form).values["report"] == "newer"
        await pilot.press("tab", "tab", "tab", "tab")
        await see(pilot, "its gains and losses go into the card")
        await pilot.press("l")
        await see(pilot, "< older >")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: actions.started is not None)
    assert actions.started is not None
    assert actions.started.recipe.report == "run:older"


async def test_merged_weights_in_float32_take_more_of_the_disk(root: Path) -> None:
    app = FinetopApp(Store(root), actions=RecordingActions(Store(root)))
    async with app.run_test(size=(100, 40)) as pilot:
        window = await open_window(pilot, "mine")
        asked: list[str] = []
        taken = {"bfloat16": 2_000_000, "float32": 4_000_000}

        def measure(targets: Sequence[Target], dtype: str) -> DiskNeed:
            asked.extend(target.name for target in targets)
            return DiskNeed({"merged": taken[dtype]}, 0)

        window._found = replace(window._found, measure=measure)
        window.query_one(Form).fill({"dtype": "float32"})
        window._update()
        await see(pilot, "disk: 4 MB while it works")
        window.query_one(Form).fill({"forms": "merged", "dtype": "bfloat16"})
        await pilot.press("tab")
        await see(pilot, "not used: GGUF is not among the targets")
        window._update()
        await see(pilot, "disk: 2 MB while it works")
        assert asked == ["adapter", "merged", "gguf", "gguf:q8_0", "merged"]


def test_what_a_field_wants_fits_the_narrowest_window() -> None:
    texts = (*export_window._HELP.values(), export_window._WITH_QUANTIZER,
             export_window._WITHOUT_QUANTIZER, export_window._BUNDLED)  # fmt: skip
    assert max(map(len, texts)) <= 70


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("unsaved", "unsaved cannot be exported: it saved no weights"),
        ("export", "is no run but a job of kind export: select the run that trained"),
    ],
)
async def test_r_on_what_cannot_be_exported_says_why(root: Path, run: str, words: str) -> None:
    job = write_export(root, failed=False)
    app = FinetopApp(Store(root))
    async with app.run_test(size=(100, 30)) as pilot:
        await choose(pilot, job.path.name if run == "export" else run)
        await pilot.press("R")
        await until(pilot, lambda: any(words in one.message for one in app._notifications))
        assert not isinstance(app.screen, ExportWindow)


async def test_a_whole_model_offers_no_adapter_and_no_weights_no_window(root: Path) -> None:
    app = FinetopApp(Store(root), actions=RecordingActions(Store(root)))
    async with app.run_test(size=(100, 30)) as pilot:
        await open_window(pilot, "whole")
        await see(pilot, "merged and GGUF")
        assert "adapter," not in screen_text(app)
        await pilot.press("escape")
        await choose(pilot, "unsaved")
        await pilot.press("R", "m")  # a note: the page still takes keys
        await until(pilot, lambda: type(app.screen).__name__ == "NoteWindow")


@pytest.mark.parametrize("failed", [False, True])
async def test_enter_on_an_export_opens_its_proof(root: Path, failed: bool) -> None:
    job = write_export(root, failed=failed)
    app = FinetopApp(Store(root))
    async with app.run_test(size=(100, 30)) as pilot:
        await choose(pilot, job.path.name)
        await see(pilot, "enter proof")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, OverviewPage))
        await see(pilot, "weights differ from the base")
        counts = "1 failed, 1 not proven" if failed else "1 not proven"
        await see(pilot, f"gguf:q8_0, q8_0: {counts}, 1 stated, 1 passed")
        if failed:
            await see(pilot, "The export is not what was trained")


async def test_an_export_at_work_shows_its_step(root: Path) -> None:
    job = write_export(root, failed=False)
    now = status.read(job)
    assert now is not None
    status.write(job, replace(
        now, state=State.RUNNING, step=3, total=8, message="writing gguf:q8_0",
        heartbeat=time.time(), host="gpu-box",
    ))  # fmt: skip
    app = FinetopApp(Store(root))
    async with app.run_test(size=(160, 50)) as pilot:
        await choose(pilot, job.path.name)
        await see(pilot, "writing gguf:q8_0")
        app.actions.stop = lambda path, stage: None  # type: ignore[method-assign]
        await pilot.press("s")
        kept = "nothing of the export is kept"
        await until(pilot, lambda: any(kept in one.message for one in app._notifications))


async def test_a_command_of_an_export_that_is_done_can_be_copied(
    root: Path, tmp_path: Path
) -> None:
    job = write_export(root, failed=False)
    out = tmp_path / "my out"
    (out / "adapter").mkdir(parents=True)
    (out / "adapter" / "SHA256SUMS").touch()
    toml = job.recipe_file.read_text()
    job.recipe_file.write_text(toml.replace("/elsewhere/mine", str(out)))
    proofs = read_proofs(job.proof)
    atomic.write_json(
        job.proof, encode_proofs(proofs, ["The base is not known: \x1b[31m--base-id."])
    )
    upload = f"hf upload ORG/NAME-adapter '{out}/adapter' . --private"
    app = FinetopApp(Store(root))
    async with app.run_test(size=(160, 30)) as pilot:
        await choose(pilot, job.path.name)
        await pilot.press("enter")
        await see(pilot, upload)
        shown = screen_text(app)
        assert "Before you publish" in shown
        assert shown.index("- The base is not known:") < shown.index(upload)
        await pilot.press("y")
        await see(pilot, "Copy a command")
        await pilot.press("enter")
        await until(pilot, lambda: app.clipboard == upload)


async def test_the_proof_shows_how_far_an_export_is_and_then_what_came_of_it(root: Path) -> None:
    job = write_export(root, failed=True)
    ended = status.read(job)
    assert ended is not None
    at_work = replace(
        ended, state=State.RUNNING, step=3, total=8, message="writing gguf:q8_0",
        heartbeat=time.time(), error=None, eta_seconds=42.0,
    )  # fmt: skip
    status.write(job, at_work)
    app = FinetopApp(Store(root))
    async with app.run_test(size=(100, 30)) as pilot:
        await choose(pilot, job.path.name)
        await pilot.press("enter")
        await see(pilot, "3 of 8 steps, about 0:42 left")
        status.write(job, ended)
        app.feed.wake()
        await see(pilot, "The export is not what was trained")
