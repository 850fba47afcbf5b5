"""Sizes, characters, colours and hostile text, on every screen."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from engine.jobs.directory import JobDirectory
from engine.jobs.status import Failure, State
from engine.jobs.store import Store
from tests.tui.building import write_event, write_run
from tests.tui.conftest import FakeCompanion, report_of, rests, screen_text, see
from tui.app import FinetopApp
from tui.glyphs import ASCII

HOSTILE = "a\x1b]0;pwn\x07[/red][bold]\x9b31m\u202eb\u2066\x7f\r\nc"
KEYS = ("1", "2", "3", "4", "5", "6")


async def visit_all(app: FinetopApp, pilot: object) -> list[str]:
    texts = []
    for key in KEYS:
        await pilot.press(key)  # type: ignore[attr-defined]
        await pilot.pause(0.3)  # type: ignore[attr-defined]
        texts.append(screen_text(app))
    return texts


async def test_no_size_and_no_quick_resize_breaks_a_screen(app: FinetopApp) -> None:
    chance = random.Random(7)
    async with app.run_test(size=(80, 24)) as pilot:
        await see(pilot, "live")
        for key in KEYS:
            await pilot.press(key)
            for size in [(20, 5), (300, 100), (21, 6), (80, 24)]:
                await pilot.resize_terminal(*size)
            for _ in range(6):
                await pilot.resize_terminal(chance.randint(20, 300), chance.randint(5, 100))
            for dialog in ("question_mark", "colon"):
                await pilot.resize_terminal(20, 5)
                await pilot.press(dialog)
                await pilot.resize_terminal(120, 40)
                await pilot.press("escape")
        await pilot.press("1")
        await see(pilot, "live")


async def test_ascii_means_ascii(root: Path, companion: FakeCompanion) -> None:
    app = FinetopApp(Store(root), glyphs=ASCII, companion=lambda: companion)  # type: ignore[arg-type, return-value]
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "live")
        await pilot.pause(0.5)
        for text in await visit_all(app, pilot):
            assert [c for c in text if not c.isascii()] == []


@pytest.fixture
def full(root: Path, companion: FakeCompanion) -> Store:
    """All that a run and a data set can show, with hostile text in it."""
    job = write_run(root, "full", points=40, total=100, created=9e9, message=HOSTILE)
    for step in (0, 20, 40):
        write_event(job.events, step, {"forget/nll_shift": step / 100, "forget/kl_to_base": 0.1})
        said = [{"role": "user", "content": HOSTILE * 5}]
        row = {"step": step, "prompt_id": "p1", "messages": said, "text": HOSTILE * step}
        with job.samples.open("a") as file:
            file.write(json.dumps(row) + "\n")
    job.checkpoints.mkdir()
    (job.checkpoints / "marks.json").write_text('{"best": 20, "crossed_at": 20}')
    odd = {"rows": 3, "example": HOSTILE}
    reject = {"file": HOSTILE, "line": 1, "reason": HOSTILE, "text": HOSTILE}
    report = report_of(HOSTILE, HOSTILE, rejected=9, rejects=[reject], marks=odd)
    report["template"] |= {"name": HOSTILE, "notes": [HOSTILE], "system": HOSTILE}
    report["data"] |= {"schema": HOSTILE}
    report["rows"][0] |= {"cut": 3, "removed": HOSTILE, "rejected": report["rows"][0]["tokens"]}
    report["too_long"] |= {"cut": odd, "removed": {"source": HOSTILE, "text": HOSTILE}}
    companion.report = report
    return Store(root)


async def test_all_that_can_be_shown_is_safe_in_ascii_at_any_size(
    full: Store, companion: FakeCompanion
) -> None:
    app = FinetopApp(full, glyphs=ASCII, companion=lambda: companion)  # type: ignore[arg-type, return-value]
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "full")
        await pilot.press("home", "3")
        await see(pilot, "[/red][bold]")
        await see(pilot, "forgetting, nats/token")
        texts = [screen_text(app)]
        for key in ("n", "less_than_sign", "t", "v", "v", "x", "2"):
            await pilot.press(key)
            for size in [(20, 5), (33, 12), (120, 40)]:
                await pilot.resize_terminal(*size)
                texts.append(screen_text(app))
        await see(pilot, "trained tokens")
        for key in ("v", "v", "v", "v", "m"):
            await pilot.press(key)
            for size in [(20, 5), (120, 60)]:
                await pilot.resize_terminal(*size)
                texts.append(screen_text(app))
    marks = "".join(texts).translate(str.maketrans("", "", "\n␛␇␡␍⏎\ufffd"))
    assert [one for one in marks if not one.isascii() or ord(one) < 32] == []


async def test_ctrl_g_turns_the_characters(app: FinetopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "●")
        await pilot.press("ctrl+g")
        await see(pilot, "* live")
        assert "●" not in screen_text(app)
        await pilot.press("ctrl+g")
        await see(pilot, "●")


async def test_no_color_means_no_color(
    root: Path, companion: FakeCompanion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = FinetopApp(Store(root), companion=lambda: companion)  # type: ignore[arg-type, return-value]
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "live")
        for key in KEYS:
            await pilot.press(key)
            await pilot.pause(0.3)
            for strip in app.screen._compositor.render_strips():
                for segment in strip:
                    style = segment.style
                    if style is not None:
                        assert style.color is None or style.color.is_default, segment
                        assert style.bgcolor is None or style.bgcolor.is_default, segment


async def test_hostile_names_and_texts_reach_no_terminal(
    root: Path, companion: FakeCompanion
) -> None:
    error = Failure(HOSTILE, HOSTILE, HOSTILE)
    job = write_run(
        root, HOSTILE, state=State.FAILED, points=9, created=9e9, error=error, log=HOSTILE,
        directory="hostile", device=HOSTILE, message=HOSTILE, checkpoint=HOSTILE,
    )  # fmt: skip
    write_event(job.events, 10, {HOSTILE.replace("\r\n", ""): 1.0})
    JobDirectory(job.path).adapter.mkdir()
    app = FinetopApp(Store(root), companion=lambda: companion)  # type: ignore[arg-type, return-value]
    async with app.run_test(size=(160, 50)) as pilot:
        await see(pilot, "pwn")
        await pilot.press("home")
        for text in await visit_all(app, pilot):
            unsafe = [c for c in text if c != "\n" and (ord(c) < 32 or 0x7F <= ord(c) < 0xA0)]
            assert unsafe == []
            assert not {"\u202e", "\u2066"} & set(text)
        await pilot.press("1", "slash", *"pwn", "enter", "3")
        await see(pilot, "[/red][bold]")


async def test_a_screen_with_nothing_new_draws_nothing(
    tmp_path: Path, companion: FakeCompanion, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path / "still", "done", points=50)
    app = FinetopApp(Store(tmp_path / "still"), companion=lambda: companion)  # type: ignore[arg-type, return-value]
    assert app.animation_level == "none"
    drawn: list[object] = []
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "▁")
        display = app._display

        def count(*given: Any) -> None:
            drawn.append(given)
            display(*given)

        monkeypatch.setattr(app, "_display", count)
        for key, text in zip(
            KEYS,
            ("progress", "GB free · ", "◆", "prompt 1/", "0 evaluations", "exact"),
            strict=True,
        ):
            await pilot.press(key)
            await see(pilot, text)
            await rests(pilot, drawn, f"screen {key}")
