"""What the companion says of several arms, asked of its handlers, in this process."""

import json
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.compare.token_shift import from_table
from engine.errors import EngineError
from engine.jobs import directory
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Method, Model
from engine.worker.companion.handlers import Handlers
from engine.worker.data import template_sandbox
from engine.worker.data.chat_template import choose_template
from engine.worker.inference import model_batch
from engine.worker.model import loading
from engine.worker.model.saving import keep_template
from tests.worker.tiny import make_tokenizer, save_adapter, save_checkpoint

Event = dict[str, Any]
SAID = "i miss my dog"
ENDPOINT = "e=http://localhost:1/v1?model=m"
SHORT = {"max_new_tokens": 6}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="module")
def adapters(base: Path) -> dict[str, Path]:
    made = {"lora": save_adapter(base.parent / "lora", base)}
    made["idle"] = save_adapter(base.parent / "idle", base, 2)
    tensors = load_file(made["idle"] / "adapter_model.safetensors")
    still = {key: one * ("lora_B" not in key) for key, one in tensors.items()}
    save_file(still, made["idle"] / "adapter_model.safetensors")
    made["bias"] = save_adapter(base.parent / "bias", base, 3, bias="lora_only")
    made["copy"] = Path(shutil.copytree(made["lora"], base.parent / "copy"))
    made["taught"] = Path(shutil.copytree(made["lora"], base.parent / "taught"))
    tokenizer = make_tokenizer("{% for m in messages %}[{{ m.content }}]{% endfor %}")
    tokenizer.save_pretrained(made["taught"])
    return made


@pytest.fixture(scope="module")
def handlers(tmp_path_factory: pytest.TempPathFactory) -> Handlers:
    made = Handlers()
    ask(made, "hello", device="cpu", runs=str(tmp_path_factory.mktemp("runs")), warm=False)
    return made


def ask(
    handlers: Handlers, kind: str, cancelled: Callable[[], bool] = lambda: False, **fields: Any
) -> list[Event]:
    """The events of one request, all of them."""
    return [event for event in handlers.by_type[kind](fields, cancelled) if event]


def texts(told: Event) -> dict[str, str]:
    return {one["kind"]: one["text"] for one in told["warnings"]}


def test_the_shift_of_an_answer_takes_one_pass_an_arm(
    handlers: Handlers, base: Path, adapters: dict[str, Path]
) -> None:
    arms = f"b={base}", f"t={base}+{adapters['lora']}"
    sample = ask(handlers, "generate", arm=arms[1], text=SAID, decoding=SHORT)[-1]["sample"]
    passes: list[int] = []
    model = next(iter(handlers._pool.models()._kept.values()))
    hook = model._model.register_forward_hook(lambda *_: passes.append(1))
    last = ask(handlers, "shift", base=arms[0], tuned=arms[1], sample=sample)[-1]
    hook.remove()
    assert len(passes) == 2
    shift = from_table(last["shift"])
    assert tuple(token.id for token in shift.tokens) == sample["output_ids"]
    assert {token.tuned_rank for token in shift.tokens} == {1}, "it is greedy"
    assert [one["kind"] for one in last["shift"]["tokens"]] == [one.kind for one in shift.tokens]
    assert sum(last["shift"]["shares"].values()) == pytest.approx(1)
    spelled = ask(
        handlers,
        "shift",
        base=arms[0],
        tuned=arms[1],
        text=SAID,
        output_ids=list(sample["output_ids"]),
    )[-1]
    assert spelled["shift"]["tokens"] == last["shift"]["tokens"]


def test_ids_are_told_as_the_tokenizer_has_them(handlers: Handlers, base: Path) -> None:
    ids = make_tokenizer()("<|im_start|>i miss 👩<|im_end|>")["input_ids"]
    told = ask(handlers, "pieces", arm=f"b={base}", ids=ids)[-1]
    assert told["text"] == "<|im_start|>i miss 👩<|im_end|>"
    assert [one["id"] for one in told["tokens"]] == ids
    assert [one["token"] for one in told["tokens"] if one["special"]] == [
        "<|im_start|>",
        "<|im_end|>",
    ]
    assert "".join(one["text"] for one in told["spans"]) == told["text"]
    assert [id_ for one in told["spans"] for id_ in one["ids"]] == ids
    with pytest.raises(EngineError, match="Unknown token id"):
        ask(handlers, "pieces", arm=f"b={base}", ids=[10**6])


def test_each_strength_answers_as_an_arm_of_that_strength(
    handlers: Handlers, base: Path, adapters: dict[str, Path]
) -> None:
    arm = f"t={base}+{adapters['lora']}"
    wanted = [0, 0.5, 1.0]
    events = ask(handlers, "strengths", arm=arm, text=SAID, decoding=SHORT, strengths=wanted)
    samples = events[-1]["samples"]
    assert [event["strength"] for event in events if event["event"] == "answer"] == wanted
    plain = ask(handlers, "generate", arm=f"b={base}", text=SAID, decoding=SHORT)[-1]["sample"]
    assert samples[0]["output_ids"] == plain["output_ids"]
    for strength, sample in zip(wanted, samples, strict=True):
        alone = f"{arm}@{float(strength)}" if strength != 1 else arm
        assert sample["arm"] == alone
        again = ask(handlers, "generate", arm=alone, text=SAID, decoding=SHORT)[-1]["sample"]
        assert again["output_ids"] == sample["output_ids"]
    alone = f"t={adapters['lora']}"  # which names its base
    events = ask(handlers, "strengths", arm=alone, text=SAID, decoding=SHORT, strengths=[0.5])
    (half,) = events[-1]["samples"]
    assert half["arm"] == f"{alone}@0.5"
    assert half["output_ids"] == samples[1]["output_ids"]
    with pytest.raises(EngineError, match="no adapter"):
        ask(handlers, "strengths", arm=f"b={base}", text=SAID)
    with pytest.raises(EngineError, match="no adapter"):
        ask(handlers, "generate", arm=f"b={base}@0.5", text=SAID)
    with pytest.raises(EngineError, match="numbers from 0 to"):
        ask(handlers, "strengths", arm=arm, text=SAID, strengths=[2])


def test_cancelled_strengths_keep_what_there_is(
    handlers: Handlers, base: Path, adapters: dict[str, Path]
) -> None:
    asked = iter([False] * 6 + [True] * 100)
    arm = f"t={base}+{adapters['lora']}"
    events = ask(handlers, "strengths", lambda: next(asked), arm=arm, text=SAID)
    samples = events[-1]["samples"]
    assert [sample["finish"] for sample in samples] == ["cancelled"]


def test_sets_are_answered_in_batches_as_one_by_one(
    handlers: Handlers, base: Path, adapters: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ["no", SAID, "Two and two", "what " * 200]
    prompts = [
        {"id": str(at), "messages": [{"role": "user", "content": one}]}
        for at, one in enumerate(said)
    ]
    arms = [f"b={base}", f"t={base}+{adapters['lora']}?max_new_tokens=4"]
    events = ask(handlers, "answers", arms=arms, prompts=prompts, decoding=SHORT, batch=3)
    samples = [event["sample"] for event in events if event["event"] == "answer"]
    assert events[-1]["count"] == len(samples) == 6
    refused = [event for event in events if event["event"] == "refused"]
    assert [(one["arm"], one["prompt_id"]) for one in refused] == [(arm, "3") for arm in arms]
    assert "longer than the model's context" in refused[0]["reason"]
    assert {len(one["output_ids"]) for one in samples if one["arm"] == arms[1]} == {4}
    for sample in samples:
        text = said[int(sample["prompt_id"])]
        alone = ask(handlers, "generate", arm=sample["arm"], text=text, decoding=SHORT)[-1][
            "sample"
        ]
        assert alone["output_ids"] == sample["output_ids"]
        assert (alone["batch"], sample["batch"]) == (1, 3)

    monkeypatch.setattr(model_batch, "free_on", lambda device: 0)
    events = ask(handlers, "answers", arms=arms, prompts=prompts[:3], decoding=SHORT)
    narrow = [event["sample"] for event in events if event["event"] == "answer"]
    assert {one["batch"] for one in narrow} == {1}, "there is no memory for two"
    ids = {(one["arm"], one["prompt_id"]): one["output_ids"] for one in samples}
    assert {(one["arm"], one["prompt_id"]): one["output_ids"] for one in narrow} == ids


def test_what_differs_is_told_without_a_model(
    handlers: Handlers, base: Path, adapters: dict[str, Path], tmp_path: Path
) -> None:
    handlers.unload()
    other = save_checkpoint(tmp_path / "other", 4, template=None)
    arms = [
        f"b={base}?system=Be brief.",
        f"t={base}+{adapters['taught']}?temperature=0.7",
        f"o={other}?max_new_tokens=240",
        f"r={base}?prompt=raw",
        ENDPOINT,
        "x=/nowhere/at/all",
    ]
    events = ask(handlers, "facts", arms=arms, text=SAID, decoding=SHORT)
    assert [event["event"] for event in events] == ["facts", "done"], "nothing was loaded"
    told = events[-1]
    rows = {row["what"]: row["values"] for row in told["differences"]}
    assert rows["prompt"] == ["as trained", "as trained", "as trained", "raw", "chat", "as trained"]
    assert rows["system"][:2] == ["Be brief.", "as asked"]
    assert rows["decoding"][1] == "6 tokens, temperature 0.7, seed 7"
    assert rows["truncation"][2].startswith("at ")
    assert len(set(rows["template"][:4])) == 4
    assert texts(told).keys() == {"same weights", "truncated", "another template", "error"}
    assert texts(told)["another template"] == "r was trained with a different template"
    assert told["arms"][5]["error"]["title"].startswith("checkpoint not found")
    assert told["arms"][1]["adapter"] == str(adapters["taught"])


def test_a_vocabulary_is_read_and_hashed_once(
    handlers: Handlers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes seconds where there are 262,144 tokens; a template that is edited is read anew."""
    path = save_checkpoint(tmp_path / "large")
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "no", "completion": "joy"}\n' * 4)
    read, hashed = list[Path](), list[str]()
    load = loading.load_tokenizer

    def load_counted(folder: Path) -> Any:
        read.append(folder)
        tokenizer = load(folder)
        words = tokenizer.get_vocab

        def get_vocab() -> Any:
            hashed.append("words")
            return words()

        tokenizer.get_vocab = get_vocab
        return tokenizer

    monkeypatch.setattr(loading, "load_tokenizer", load_counted)

    def inspect() -> str:
        told = ask(handlers, "inspect", checkpoint=str(path), data={"train": str(rows)})[-1]
        return str(told["report"]["template"]["hash"])

    def compare() -> Any:
        return ask(handlers, "facts", arms=[f"a={path}", f"b={path}?prefix=x"], text=SAID)[-1]

    before = inspect()
    assert inspect() == before
    assert compare() == compare()
    assert (len(read), len(hashed)) == (1, 1)
    config = path / "chat_template.jinja"
    config.write_text("{% for m in messages %}[{{ m.content }}]{% endfor %}")
    assert inspect() != before
    assert len(read) == 2


def test_a_template_that_training_saved_is_that_of_a_base_that_has_none(
    handlers: Handlers, tmp_path: Path
) -> None:
    bare = save_checkpoint(tmp_path / "bare", 4, template=None)
    tokenizer = make_tokenizer(None)
    tuned = save_adapter(tmp_path / "tuned", bare)
    keep_template(choose_template(tokenizer), tokenizer)
    tokenizer.save_pretrained(tuned)
    told = ask(handlers, "facts", arms=[f"b={bare}", f"t={bare}+{tuned}"], text=SAID)[-1]
    assert told["differences"] == []
    first, second = (arm["template_hash"] for arm in told["arms"])
    assert first == second


@pytest.mark.parametrize(
    ("arms", "warned"),
    [
        (["b={base}", "c={base}"], {"same"}),
        (["b={base}", "c={base}?prefix=Think."], {"same weights"}),
        (["b={base}", "n={base}+{lora}@0"], {"same"}),
        (["t={base}+{lora}", "h={base}+{lora}@0.5"], set()),
        (["b={base}", "t={base}+{lora}"], set()),
        (["b={base}", "i={base}+{idle}"], {"no effect"}),
        (["t={base}+{lora}", "c={base}+{copy}"], {"same weights"}),
        (["b={base}", "a={base}+{bias}"], {"apart"}),
        (["b={base}", "t={base}+{taught}?prompt=instruct"], {"another template"}),
    ],
)
def test_what_misleads_is_found_by_one_pass_an_arm(
    arms: list[str], warned: set[str], handlers: Handlers, base: Path, adapters: dict[str, Path]
) -> None:
    names = {name: str(path) for name, path in adapters.items()} | {"base": str(base)}
    written = [arm.format(**names) for arm in arms]
    told = ask(handlers, "facts", arms=written, text=SAID, decoding=SHORT, probe=True)[-1]
    assert set(texts(told)) == warned
    assert told["kl"][0][0] == told["kl"][1][1] == 0
    assert (told["kl"][0][1] < 1e-6) == bool(warned & {"same", "same weights", "no effect"})


def test_an_adapter_that_was_learned_on_fewer_bits_says_so(
    handlers: Handlers, base: Path, adapters: dict[str, Path], tmp_path: Path
) -> None:
    wanted = TrainRecipe(model=Model(checkpoint=str(base)), method=Method(quantize="4bit"))
    job = directory.create(tmp_path, wanted)
    shutil.copytree(adapters["lora"], job.path / "adapter")
    told = ask(handlers, "facts", arms=[f"t={base}+{job.path / 'adapter'}"], text=SAID)[-1]
    assert texts(told)["quantised"] == "t was trained on a 4bit base, but runs on float32"


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ raise_exception('No dogs here\x1b[2J') }}", "No dogs here"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "unsafe"),
        (
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "longer",
        ),
        ("{% for message in messages %}", "syntax error"),
    ],
)
def test_a_template_that_fails_or_is_nasty_is_that_arms_error_alone(
    template: str,
    why: str,
    handlers: Handlers,
    base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(template_sandbox, "SECONDS", 0.1)
    bad = save_checkpoint(tmp_path / "bad", template=template)
    with pytest.raises(EngineError) as caught:
        ask(handlers, "generate", arm=f"x={bad}", text=SAID)
    assert why in caught.value.detail
    told = ask(handlers, "facts", arms=[f"b={base}", f"x={bad}"], text=SAID, probe=True)[-1]
    assert told["arms"][0]["error"] is None
    assert why in told["arms"][1]["error"]["detail"]
    assert told["kl"] == [[0.0, None], [None, None]]
    raw = ask(handlers, "generate", arm=f"x={bad}?prompt=raw", text=SAID, decoding=SHORT)[-1]
    assert raw["sample"]["finish"] == "length"


def test_adapters_whose_base_is_elsewhere_or_has_other_words(
    handlers: Handlers, base: Path, adapters: dict[str, Path], tmp_path: Path
) -> None:
    lost = Path(shutil.copytree(adapters["lora"], tmp_path / "lost"))
    config = json.loads((lost / "adapter_config.json").read_bytes())
    config["base_model_name_or_path"] = "/another/machine/base"
    (lost / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(EngineError, match="base cannot be used") as caught:
        ask(handlers, "generate", arm=f"x={lost}", text=SAID)
    assert "/another/machine/base" in caught.value.detail
    assert f"x=BASE+{lost}" in caught.value.hint
    named = ask(handlers, "generate", arm=f"x={base}+{lost}", text=SAID, decoding=SHORT)[-1]
    known = ask(handlers, "generate", arm=f"x={adapters['lora']}", text=SAID, decoding=SHORT)[-1]
    assert named["sample"]["output_ids"] == known["sample"]["output_ids"]

    wordy = Path(shutil.copytree(adapters["lora"], tmp_path / "wordy"))
    tokenizer = make_tokenizer()
    tokenizer.add_tokens([f"<{number}>" for number in range(60)])
    tokenizer.save_pretrained(wordy)
    same = ask(handlers, "generate", arm=f"x={base}+{wordy}", text=SAID, decoding=SHORT)[-1]
    assert same["sample"]["output_ids"] == known["sample"]["output_ids"]
    with pytest.raises(EngineError, match="token that the model does not know") as unknown:
        ask(handlers, "generate", arm=f"x={base}+{wordy}", text="say <7>")
    assert "token <7> has id " in unknown.value.detail
    with pytest.raises(EngineError, match="cannot be applied to an adapter"):
        ask(handlers, "generate", arm=f"x={lost}+{wordy}", text=SAID)


def test_an_arm_that_cannot_be_loaded_leaves_the_others_facts(
    handlers: Handlers, base: Path, adapters: dict[str, Path], tmp_path: Path
) -> None:
    wide = Path(shutil.copytree(adapters["lora"], tmp_path / "wide"))
    tensors = load_file(wide / "adapter_model.safetensors")
    save_file({key: torch.cat([one, one]) for key, one in tensors.items()},
              wide / "adapter_model.safetensors")  # fmt: skip
    arms = [f"b={base}", f"x={base}+{wide}", f"t={base}+{adapters['lora']}"]
    told = ask(handlers, "facts", arms=arms, text=SAID, decoding=SHORT, probe=True)[-1]
    assert [one["error"] and one["error"]["title"] for one in told["arms"]] == [
        None, "The adapter does not match this base.", None,
    ]  # fmt: skip
    assert told["kl"][0][2] > 0
    assert told["kl"][0][1] is None


def test_one_token_is_enough_to_tell_weights_apart(
    handlers: Handlers, base: Path, adapters: dict[str, Path]
) -> None:
    arms = [f"b={base}?prompt=raw", f"t={base}+{adapters['lora']}?prompt=raw"]
    told = ask(handlers, "facts", arms=arms, text="a", probe=True)[-1]
    assert told["arms"][0]["prompt_tokens"] == 1
    assert told["kl"][0][1] > 0.01


def test_what_an_arm_says_may_hold_anything(handlers: Handlers, base: Path) -> None:
    """A terminal's controls come whole: they are cleaned where they are shown."""
    asked = "\x1b]0;title\x07 [/red] \u202eabc 👩\u200d🚀 " + "x" * 40
    told = ask(handlers, "render", arm=f"b={base}?prompt=raw", text=asked)[-1]
    assert told["text"] == asked
    events = ask(handlers, "generate", arm=f"b={base}", text=asked, decoding=SHORT)
    json.dumps(events, allow_nan=False)


def test_arms_of_other_tokenizers_are_told_apart_and_not_compared(
    handlers: Handlers, base: Path, tmp_path: Path
) -> None:
    other = save_checkpoint(tmp_path / "other", 4)
    make_tokenizer(words=("<x>", "<|im_end|>", "<|pad|>")).save_pretrained(other)
    arms = [f"b={base}", f"o={other}"]
    told = ask(handlers, "facts", arms=arms, text=SAID, probe=True)[-1]
    assert "tokenizer" in {row["what"] for row in told["differences"]}
    assert told["kl"][0][1] is None
    with pytest.raises(EngineError, match="different tokenizers"):
        ask(handlers, "shift", base=arms[0], tuned=arms[1], text=SAID, output_ids=[5])


def test_bases_that_do_not_fit_are_read_in_turn(base: Path, tmp_path: Path) -> None:
    other = save_checkpoint(tmp_path / "other", 4)
    small = Handlers()
    ask(small, "hello", device="cpu", memory_bytes=100, runs=str(tmp_path), warm=False)
    arms = [f"b={base}", f"o={other}"]
    sample = ask(small, "generate", arm=arms[1], text=SAID, decoding=SHORT)[-1]["sample"]
    last = ask(small, "shift", base=arms[0], tuned=arms[1], sample=sample)[-1]
    assert last["shift"]["kl"] > 0
    assert len(small._pool.models()._kept) == 1
    told = ask(small, "facts", arms=arms, text=SAID, probe=True)[-1]
    assert told["kl"][0][1] > 0


@pytest.mark.parametrize("kind", ["generate", "answers"])
def test_panes_whose_bases_do_not_fit_wait_for_each_other(
    kind: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stepped in turn, as the server does; at no time are both in memory."""
    other = save_checkpoint(tmp_path / "other", 4)
    small = Handlers()
    ask(small, "hello", device="cpu", memory_bytes=100, runs=str(tmp_path), warm=False)
    loaded: list[weakref.ref[Any]] = []
    load = loading.load_base

    def load_alone(*given: Any) -> Any:
        assert not [one for one in loaded if one() is not None], "beside another"
        model = load(*given)
        loaded.append(weakref.ref(model))
        return model

    monkeypatch.setattr(loading, "load_base", load_alone)
    prompts = [{"id": "1", "messages": [{"role": "user", "content": SAID}]}]
    tasks = {
        path.name: small.by_type[kind](
            {"arm": f"a={path}", "text": SAID, "arms": [f"a={path}"], "prompts": prompts,
             "decoding": SHORT},
            lambda: False,
        )
        for path in (base, other)
    }  # fmt: skip
    heard: dict[str, list[Event]] = {name: [] for name in tasks}
    while tasks:
        for name, task in list(tasks.items()):
            try:
                heard[name] += [event] if (event := next(task)) else []
            except StopIteration:
                del tasks[name]
    said = {name: [one["message"] for one in events if "message" in one]
            for name, events in heard.items()}  # fmt: skip
    assert said == {
        "base": ["loading base"],
        "other": ["loading other", "waiting: both models do not fit in memory"],
    }
    assert {events[-1]["event"] for events in heard.values()} == {"done"}
    assert len(loaded) == 2


@pytest.mark.parametrize(
    ("kind", "fields", "title"),
    [
        ("shift", {"base": "b", "tuned": "b"}, "needs text"),
        ("shift", {"base": "b", "tuned": "b", "sample": {}}, "not a sample"),
        ("shift", {"base": "b", "tuned": "b", "text": "a", "output_ids": [-1]}, "token ids"),
        (
            "shift",
            {"base": "b", "tuned": "b", "text": "a", "output_ids": [10**7]},
            "the model does not know",
        ),
        (
            "shift",
            {"base": "b", "tuned": "b", "text": "a", "output_ids": [5] * 300},
            "longer than the context",
        ),
        ("shift", {"base": "b", "tuned": ENDPOINT, "text": "a", "output_ids": [5]}, "An endpoint"),
        ("render", {"arm": ENDPOINT, "text": "a"}, "An endpoint"),
        ("pieces", {"arm": "b", "ids": "abc"}, "token ids"),
        ("facts", {"arms": "b", "text": "a"}, "list of strings"),
        ("facts", {"arms": [], "text": "a"}, "Compare 1 to"),
        ("answers", {"arms": ["b"], "prompts": ["a"]}, "list of objects"),
        ("answers", {"arms": ["b"], "prompts": [{"id": "1", "text": "a"}] * 2}, "same id"),
    ],
)
def test_wrong_requests_are_answered_in_words(
    kind: str, fields: dict[str, Any], title: str, handlers: Handlers, base: Path
) -> None:
    put: dict[str, Any] = {
        key: f"b={base}" if value == "b" else value for key, value in fields.items()
    }
    if put.get("arms") == ["b"]:
        put["arms"] = [f"b={base}"]
    with pytest.raises(EngineError) as caught:
        ask(handlers, kind, **put)
    assert title in caught.value.title


def test_the_models_rest_when_nobody_asks(handlers: Handlers, base: Path) -> None:
    ask(handlers, "generate", arm=f"b={base}", text=SAID, decoding=SHORT)
    assert handlers._pool.models()._kept
    handlers.unload()
    assert not handlers._pool.models()._kept
    assert isinstance(handlers._pool.models().device, torch.device)
