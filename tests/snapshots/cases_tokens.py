"""Tokens: one text through several tokenizers, and the window to choose them in."""

from pathlib import Path

from tests.snapshots.cases import case
from tests.snapshots.directories import write_runs
from tests.snapshots.recorder import Recorder
from tui.screens.pick_window import PickWindow
from tui.tokens import last_choice
from tui.tokens.page import TokensPage


async def open_tokens(recorder: Recorder, *refs: str) -> None:
    """These tokenizers stand side by side, as they were left."""
    Path("models").mkdir()
    Path("models/second.gguf").write_bytes(b"GGUF")
    last_choice.save(["bundled:demo-base", *refs])
    write_runs()


@case(
    {
        "tokens": TokensPage,
        "tokens-stepped": TokensPage,
        "tokens-ids": TokensPage,
        "tokens-right-to-left": TokensPage,
        "tokens-writing": TokensPage,
        "tokens-written": TokensPage,
    }
)
async def tokens(recorder: Recorder) -> None:
    await open_tokens(recorder)
    async with recorder.finetop():
        await recorder.reach(TokensPage, "6")
        await recorder.shoot("tokens", "The│·old│", "token 1/29 The  id 100")
        await recorder.press("l")
        await recorder.shoot("tokens-stepped", "token 2/29 ·old")
        await recorder.press("i")
        await recorder.shoot("tokens-ids", "100│101│102│")
        await recorder.press("i", "i", "n")
        await recorder.shoot("tokens-right-to-left", "text 2/6 Persian")
        await recorder.press("e")
        await recorder.shoot("tokens-writing", "leave field")
        await recorder.press(*"my own Zoo", "ctrl+s")
        await recorder.shoot("tokens-written", "text 7/7 yours", "loses letter case")


@case(
    {
        "tokens-of-two": TokensPage,
        "tokens-texts": TokensPage,
        "tokens-templates": TokensPage,
        "tokens-template-refused": TokensPage,
        "tokens-difference": TokensPage,
        "tokens-conversation": TokensPage,
        "pick-tokenizers": PickWindow,
        "pick-tokenizers-path": PickWindow,
    }
)
async def tokens_of_two(recorder: Recorder) -> None:
    await open_tokens(recorder, "models/second.gguf")
    async with recorder.finetop():
        await recorder.reach(TokensPage, "6")
        await recorder.shoot("tokens-of-two", "1 demo-base  29 tokens", "2 models/second.gguf")
        await recorder.press("v")
        await recorder.shoot("tokens-texts", "relative to English")
        await recorder.press("v")
        await recorder.shoot("tokens-templates", "⟦<raw>⟧You│")
        await recorder.press("f", "f")
        await recorder.shoot("tokens-template-refused", "Template error: no system")
        await recorder.press("v")
        await recorder.shoot("tokens-difference", "difference")
        await recorder.press("V", "e")
        await recorder.shoot("tokens-conversation", "leave field", "user:")
        await recorder.press("escape")
        await recorder.reach(PickWindow, "t")
        await recorder.shoot("pick-tokenizers", "second.gguf", "2 marked", without="searching")
        await recorder.press("tab", *"elsewhere/tokenizer.json", "enter")
        await recorder.shoot("pick-tokenizers-path", "3 marked")
