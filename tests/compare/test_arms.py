"""The grammar of arms: what is written is what is meant, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compare.arms import (
    FORMS,
    LARGEST_SEED,
    STRONGEST,
    Arm,
    format_arm,
    format_nameless,
    parse_arm,
    parse_arms,
)
from engine.errors import EngineError
from engine.recipes.settings import Decode

texts = st.text(min_size=1, max_size=20).filter(lambda text: text == text.strip())
arms = st.builds(
    Arm,
    name=texts,
    checkpoint=texts,
    adapter=st.none() | texts,
    strength=st.just(1.0),
    form=st.none() | st.sampled_from(FORMS),
    system=st.none() | st.text(max_size=30),
    prefix=st.none() | st.text(max_size=30),
    tools=st.none(),
)
scaled = st.builds(
    Arm,
    name=texts,
    checkpoint=texts,
    adapter=st.none() | texts,
    strength=st.floats(0, STRONGEST),
    model=st.none(),
    decode=st.sampled_from([(), (("max_new_tokens", 3), ("temperature", 0.7))]),
)


with_tools = st.builds(Arm, name=texts, checkpoint=texts, tools=texts)
null = st.builds(
    Arm, name=texts, checkpoint=texts, adapter=texts, null=st.integers(0, LARGEST_SEED)
)


@given(arms | scaled | with_tools | null)
def test_an_arm_comes_back_from_its_text(arm: Arm) -> None:
    assert parse_arm(format_arm(arm)) == arm


@given(st.text(max_size=40))
def test_any_text_is_an_arm_or_an_error_for_the_user(text: str) -> None:
    try:
        arm = parse_arm(text)
    except EngineError:
        return
    assert arm.name
    assert arm.checkpoint


@pytest.mark.parametrize(
    ("text", "arm"),
    [
        ("base=bundled:demo-base", Arm("base", "bundled:demo-base")),
        ("emotion-ab12", Arm("emotion-ab12", "run:emotion-ab12")),
        ("emotion-ab12?prompt=raw", Arm("emotion-ab12", "run:emotion-ab12", form="raw")),
        ("bundled:demo-base", Arm("demo-base", "bundled:demo-base")),
        ("/models/llama/", Arm("llama", "/models/llama/")),
        ("./here", Arm("here", "./here")),
        ("tuned=b+c?null=7", Arm("tuned", "b", "c", null=7)),
        ("t=b?tools=/a/t.json", Arm("t", "b", tools="/a/t.json")),
        ("t=b?prompt=chatml&tools=t%26.json", Arm("t", "b", form="chatml", tools="t&.json")),
        ("t=b+/a@home/adapter", Arm("t", "b", "/a@home/adapter")),
        ("t=b+run:x@0.5", Arm("t", "b", "run:x", 0.5)),
        ("t=b+run:x@0", Arm("t", "b", "run:x", 0.0)),
        ("half=run:x@0.5", Arm("half", "run:x", None, 0.5)),
        ("emotion-ab12@1.5", Arm("emotion-ab12", "run:emotion-ab12", None, 1.5)),
        ("b=/models/v%402", Arm("b", "/models/v@2")),
        (
            "t=run:x?seed=3&temperature=1",
            Arm("t", "run:x", decode=(("temperature", 1.0), ("seed", 3))),
        ),
        (
            "http://localhost:8000/v1/?model=org/m&key=MY_KEY&prompt=raw&top_p=0.5",
            Arm(
                "localhost:8000",
                "http://localhost:8000/v1",
                form="raw",
                model="org/m",
                key="MY_KEY",
                decode=(("top_p", 0.5),),
            ),
        ),
        (
            "t=run:x?prompt=chat&system=Be brief.&prefix=Think%26act: ",
            Arm("t", "run:x", form="chat", system="Be brief.", prefix="Think&act: "),
        ),
        ("t=/with%2Bplus?system=", Arm("t", "/with+plus", system="")),
    ],
)
def test_what_people_write(text: str, arm: Arm) -> None:
    assert parse_arm(text) == arm


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "checkpoint is missing"),
        ("=b", "name is missing"),
        ("a=", "checkpoint is missing"),
        ("a=b+", "adapter after"),
        ("a=b+@0.5", "adapter after"),
        ("a=b+c@much", "'much' is not a number"),
        ("a=@0.5", "checkpoint is missing"),
        ("a=b@7", "must be 0 to 1.5"),
        ("a=b+c@7", "must be 0 to 1.5"),
        ("a=b+c@nan", "must be 0 to 1.5"),
        ("a=b?form=raw", "not one of prompt="),
        ("a=b?prompt=loud", "not one of raw, chat, instruct"),
        ("a=b?prompt=raw&prompt=chat", "set twice"),
        ("a=b?raw", "not one of prompt="),
        ("a=b+c?null=-1", "null=-1 is not a seed"),
        ("a=b+c?null=4294967296", "null=4294967296 is not a seed"),
        ("a=http://host/v1?model=m&null=1", "null= needs an adapter"),
    ],
)
def test_the_part_that_is_wrong_is_named(text: str, why: str) -> None:
    with pytest.raises(EngineError) as caught:
        parse_arm(text)
    assert why in caught.value.title
    assert caught.value.detail == text
    assert "NAME=CHECKPOINT" in caught.value.hint


def test_an_arm_decodes_as_the_others_but_for_its_own_settings() -> None:
    usual = Decode(max_new_tokens=9, seed=4)
    assert parse_arm("a=b").decoding(usual) is usual
    own = parse_arm("a=b?temperature=0.5&seed=1").decoding(usual)
    assert own == Decode(max_new_tokens=9, temperature=0.5, seed=1)


def test_arms_of_one_comparison_have_names_of_their_own() -> None:
    assert [arm.name for arm in parse_arms(["a=x/y", "b=x/y"])] == ["a", "b"]
    with pytest.raises(EngineError, match="Two arms have the name 'a'"):
        parse_arms(["a=x/y", "a=x/z"])


def test_arms_that_differ_in_their_name_alone_are_one_without_it() -> None:
    one, other = parse_arm("a=run:x@0.5?temperature=0"), parse_arm("b=run:x@0.5?temperature=0")
    assert format_nameless(one) == format_nameless(other)
    assert format_nameless(one) != format_nameless(parse_arm("a=run:x@0.25?temperature=0"))
