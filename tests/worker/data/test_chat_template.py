"""Which template is chosen, what a hostile or broken one can do, how saved ones render."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, GenerationConfig

from engine.chat import Message
from engine.compare.arm_weights import ArmWeights
from engine.compare.arms import Arm
from engine.errors import EngineError
from engine.worker.data import template_sandbox
from engine.worker.data.chat_template import Template, choose_template, render_prompt
from engine.worker.data.encode import IGNORE_INDEX, encode_messages
from engine.worker.inference.models import LoadedArm, ModelCache
from engine.worker.model.saving import all_ends, keep_template, save_template
from tests.worker.tiny import CHATML, make_model, make_tokenizer, save_adapter, save_checkpoint

ASKED = (Message("user", "i miss my dog"),)
ANSWERED = (*ASKED, Message("assistant", "sadness"))
TALK = (*ANSWERED, Message("user", "and now?"), Message("assistant", "joy"))
WITH_SYSTEM = (Message("system", "Be kind."), *TALK)
REFUSING = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + CHATML
)
DATED = (
    "{%- if not date_string is defined %}\n{%- set date_string = strftime_now('%d %b %Y') %}\n"
    "{%- endif %}\n" + CHATML
)


def template_file(folder: Path, text: str) -> str:
    path = folder / "mine.jinja"
    path.write_text(text)
    return str(path)


def learned(messages: Sequence[Message], tokenizer: Any, template: Template) -> str:
    (row,) = encode_messages(messages, tokenizer, template, 500)
    assert row.kept, row.reason
    return str(tokenizer.decode([label for label in row.labels if label != IGNORE_INDEX]))


def whole(messages: Sequence[Message], tokenizer: Any, template: Template) -> str:
    (row,) = encode_messages(messages, tokenizer, template, 500)
    return str(tokenizer.decode(row.input_ids))


def test_chatml_ends_in_its_own_mark_where_that_is_a_token() -> None:
    tokenizer = make_tokenizer(None, eos_token="</s>")
    template = choose_template(tokenizer, "chatml")
    assert not template.notes
    assert whole(ANSWERED, tokenizer, template) == (
        "<|im_start|>user\ni miss my dog<|im_end|>\n<|im_start|>assistant\nsadness<|im_end|>"
    )
    (row,) = encode_messages(ANSWERED, tokenizer, template, 500)
    assert row.labels[-1] == tokenizer.convert_tokens_to_ids("<|im_end|>")


def test_chatml_without_its_tokens_ends_in_the_end_token_and_says_so() -> None:
    tokenizer = make_tokenizer(None, eos_token="</s>", words=("<|pad|>", "<s>", "</s>"))
    template = choose_template(tokenizer, "chatml")
    assert "encoded as plain text" in template.notes[0]
    assert whole(TALK, tokenizer, template) == (
        "<|im_start|>user\ni miss my dog<|im_end|>\n<|im_start|>assistant\nsadness</s>\n"
        "<|im_start|>user\nand now?<|im_end|>\n<|im_start|>assistant\njoy</s>"
    )
    assert learned(TALK, tokenizer, template) == "sadness</s>joy</s>"


def test_raw_is_prompt_newline_answer_and_end() -> None:
    tokenizer = make_tokenizer()
    template = choose_template(tokenizer, "raw", "Be brief.")
    assert whole(TALK, tokenizer, template) == (
        "Be brief.\ni miss my dog\nsadness<|im_end|>\nand now?\njoy<|im_end|>"
    )
    assert learned(TALK, tokenizer, template) == "sadness<|im_end|>joy<|im_end|>"


def test_a_file_of_the_user_is_a_template(tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    path = template_file(
        tmp_path,
        "{% for message in messages %}{{ message.role[0] }}: {{ message.content }}\n"
        "{% endfor %}{% if add_generation_prompt %}a:{% endif %}\n",
    )
    template = choose_template(tokenizer, path)
    assert (template.name, template.takes_system) == ("mine.jinja", True)
    assert whole(ANSWERED, tokenizer, template) == "u: i miss my dog\na: sadness\n<|im_end|>"


def test_system_goes_before_rows_that_bring_none() -> None:
    tokenizer = make_tokenizer()
    template = choose_template(tokenizer, "chat", "Be brief.")
    assert "system\nBe brief.<|im_end|>" in whole(ANSWERED, tokenizer, template)
    assert "Be brief." not in whole(WITH_SYSTEM, tokenizer, template)
    merged = choose_template(make_tokenizer(REFUSING), "chat", "Be brief.")
    assert "user\nBe brief.\n\ni miss my dog<|im_end|>" in whole(ANSWERED, tokenizer, merged)
    assert any("no system role" in note for note in merged.notes)


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("ok {{ messages[0].content }}\n\n{% if %}\n", 3, "syntax error"),
        ("{{ messages[0].content }}\n{% nothing %}", 2, "unknown tag"),
        ("{{ messages[0].content }}\n{{ '", 2, "syntax error"),
        ("\n{{ ''.__class__.__mro__[1].__subclasses__() }}", 2, "unsafe"),
        ("\n{{ messages.__init__.__globals__ }}", 2, "unsafe"),
        ("\n\n{{ cycler.__init__.__globals__.os.system('true') }}", 3, "unsafe"),
        ("{% for i in range(10 ** 9) %}{% endfor %}", 1, "power"),
        ("{% for i in range(999999999) %}{% endfor %}", 1, "Range too big"),
        (
            "a\n{% for i in range(99999) %}{% for j in range(99999) %}\n"
            "{% for k in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
            3,
            "takes longer",
        ),
        ("{{ '%0100000000000d' % messages | length }}", 1, "memory"),
        ("\n{{ messages[0].content * 100000000000 }}", 2, "memory"),
        ("{% macro again() %}{{ again() }}{% endmacro %}\n{{ again() }}", None, "never ends"),
        ("\n{{ messages[0].content + 1 }}", 2, "str"),
        ("{{ 1 // 0 }}", 1, "zero"),
        ("\n{{ messages[9].content }}", 2, "no element 9"),
        ("{{ raise_exception('not today') }}", 1, "not today"),
    ],
)
def test_a_broken_or_hostile_file_is_refused_with_its_line(
    text: str, line: int | None, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template_sandbox, "SECONDS", 0.3)
    path = template_file(tmp_path, text)
    with pytest.raises(EngineError, match="does not render") as caught:
        choose_template(make_tokenizer(), path)
    assert why in caught.value.detail
    assert caught.value.detail.startswith(f"{path}:{line}: " if line else path)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("always the same", "omits user messages"),
        ("{% for i in range(90000) %}{{ messages[0].content }}{% endfor %}", "never ends"),
        (" \n", "no chat template"),
    ],
)
def test_a_file_that_is_no_chat_template_is_refused(text: str, title: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError) as caught:
        choose_template(make_tokenizer(), template_file(tmp_path, text))
    assert title in caught.value.title


def test_files_that_cannot_be_read_and_words_that_are_no_template_are_refused(
    tmp_path: Path,
) -> None:
    tokenizer = make_tokenizer()
    with pytest.raises(EngineError, match="cannot be read"):
        choose_template(tokenizer, str(tmp_path / "none.jinja"))
    (tmp_path / "latin.jinja").write_bytes(b"one\ntwo\n\xe9")
    with pytest.raises(EngineError, match="not UTF-8") as caught:
        choose_template(tokenizer, str(tmp_path / "latin.jinja"))
    assert caught.value.detail.endswith("latin.jinja:3")
    with pytest.raises(EngineError, match="Unknown template 'alpaca'"):
        choose_template(tokenizer, "alpaca")
    with pytest.raises(EngineError, match="no chat template"):
        choose_template(make_tokenizer(None), "chat")


def test_a_row_that_makes_the_template_fail_is_refused_and_the_others_are_not(
    tmp_path: Path,
) -> None:
    tokenizer = make_tokenizer()
    path = template_file(tmp_path, "{{ 1 // (messages | length - 3) and '' }}" + CHATML)
    template = choose_template(tokenizer, path)
    (row,) = encode_messages(ANSWERED, tokenizer, template, 500)
    assert row.kept
    (refused,) = encode_messages(TALK, tokenizer, template, 500)
    assert not refused.kept
    assert "zero" in refused.reason


@pytest.mark.parametrize(
    ("blow", "reason"),
    [
        ("{{ 'x' * 2000000000 }}", "exceeds the memory limit"),
        ("{{ 'x' * 70000000 }}", "writes more than 67,108,864 characters for one conversation"),
    ],
)
def test_a_row_for_which_the_template_writes_without_end_is_refused_alone(
    tmp_path: Path, blow: str, reason: str
) -> None:
    tokenizer = make_tokenizer()
    path = template_file(tmp_path, f"{{% if messages | length > 3 %}}{blow}{{% endif %}}" + CHATML)
    template = choose_template(tokenizer, path)
    (refused,) = encode_messages(TALK, tokenizer, template, 500)
    assert refused.reason == f"the chat template rejects this row: {reason}"
    (row,) = encode_messages(ANSWERED, tokenizer, template, 500)
    assert row.kept


SYSTEMS = ("", 'Say "yes" \\ or {{ no }} %} {# é 👩\n twice')


@pytest.mark.parametrize("system", SYSTEMS, ids=["none", "system"])
@pytest.mark.parametrize("messages", [ANSWERED, TALK, WITH_SYSTEM], ids=["one", "two", "own"])
@pytest.mark.parametrize("form", ["chat", "instruct", "chatml", "raw", "refusing", "dated"])
def test_what_is_saved_renders_as_what_was_trained(
    form: str, messages: Sequence[Message], system: str, tmp_path: Path
) -> None:
    """By transformers' own reading of the saved files, without anything of ours."""
    own = {"refusing": REFUSING, "dated": DATED}.get(form, CHATML)
    tokenizer = make_tokenizer(own)
    trained = choose_template(tokenizer, form if own == CHATML else None, system)
    save_template(tmp_path, trained, tokenizer, make_model())
    loaded: Any = AutoTokenizer.from_pretrained(tmp_path)
    again = choose_template(loaded)
    assert (again.name, again.hash) == ("chat", trained.hash)
    assert again.render(messages, loaded) == trained.render(messages, make_tokenizer(own))
    prompt = [one for one in messages if one.role != "assistant"][:-1] or list(ASKED)
    assert (
        render_prompt(prompt, loaded)
        == make_tokenizer(own)(
            trained.render(prompt, make_tokenizer(own), answer_next=True), add_special_tokens=False
        )["input_ids"]
    )
    if not (form == "refusing" and messages is WITH_SYSTEM and not system):
        turns = [{"role": one.role, "content": one.content} for one in messages]
        theirs = loaded.apply_chat_template(turns, tokenize=False, date_string="26 Jul 2024")
        assert theirs == trained.render(messages, make_tokenizer(own))


def test_end_tokens_are_saved_for_programs_that_read_no_template(tmp_path: Path) -> None:
    tokenizer, model = make_tokenizer(None, eos_token="</s>"), make_model()
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.top_p = 0.9  # without sampling: transformers would not save it changed
    template = choose_template(tokenizer, "chatml")
    save_template(tmp_path, template, tokenizer, model)
    ends = GenerationConfig.from_pretrained(tmp_path).eos_token_id
    assert ends == sorted(tokenizer.convert_tokens_to_ids(["</s>", "<|im_end|>"]))
    plain = choose_template(tokenizer, "instruct")
    assert all_ends(None, tokenizer, plain) == tokenizer.eos_token_id


def test_an_arm_says_when_it_is_asked_otherwise_than_its_base(tmp_path: Path) -> None:
    base = save_checkpoint(tmp_path / "base")
    adapter = save_adapter(tmp_path / "adapter", base)

    def load() -> LoadedArm:
        fresh = ModelCache(torch.device("cpu")).load_arm(
            Arm("t", str(adapter)), ArmWeights(base, adapter), print
        )
        assert fresh is not None
        return fresh

    assert load().notes == (), "an adapter without a tokenizer is asked as its base is"
    tokenizer = make_tokenizer()
    save_template(adapter, choose_template(tokenizer), tokenizer, make_model())
    assert load().notes == ()
    save_template(adapter, choose_template(tokenizer, "raw", "Be brief."), tokenizer, make_model())
    (note,) = load().notes
    assert note == "t uses the template of its training, not that of its base"
    prompt = load().tokenizer.decode(load().prompt(ASKED))
    assert prompt == "Be brief.\ni miss my dog\n"


def test_texts_for_other_purposes_stay() -> None:
    tokenizer = make_tokenizer()
    tokenizer.chat_template = {"default": CHATML, "tool_use": "tools", "rag": "documents"}
    keep_template(choose_template(tokenizer, "raw"), tokenizer)
    assert tokenizer.chat_template["rag"] == "documents"
    assert choose_template(tokenizer).text == choose_template(make_tokenizer(), "raw").text
