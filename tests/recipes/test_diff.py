"""Which settings tell recipes apart."""

from engine.recipes.diff import Difference, differences, flatten, varying, write_setting
from engine.recipes.recipe import PretrainRecipe, TrainRecipe
from engine.recipes.settings import Data, Training


def test_only_what_differs_is_told_and_names_are_not() -> None:
    one = TrainRecipe(name="one", training=Training(learning_rate=1e-3))
    other = TrainRecipe(name="other", data=Data(columns={"prompt": "q"}))
    assert differences(flatten(one), flatten(other)) == [
        Difference("data.columns", {}, {"prompt": "q"}),
        Difference("training.learning_rate", 1e-3, 2e-4),
    ]
    assert differences(flatten(one), flatten(one)) == []


def test_recipes_of_different_kinds_differ_in_what_only_one_has() -> None:
    tables = flatten(TrainRecipe()), flatten(PretrainRecipe())
    found = {each.setting: each for each in differences(*tables)}
    assert (found["kind"].one, found["kind"].other) == ("train", "pretrain")
    assert found["training.epochs"].other is None
    assert found["minutes"].one is None
    assert "data.eval" not in found, "it is empty in the one, and unknown to the other"


def test_fields_that_vary_come_with_their_values() -> None:
    rates = [1e-3, 2e-4, 1e-3]
    recipes = [TrainRecipe(name=f"{rate}", training=Training(learning_rate=rate)) for rate in rates]
    tables = [flatten(recipe) for recipe in recipes]
    assert varying(tables) == {"training.learning_rate": [1e-3, 2e-4]}
    assert varying(tables[:1]) == {}
    foreign: list[dict[str, object]] = [
        {"betas": [0.9, 0.95], "lr": 1.0},
        {"lr": 1},
        {"betas": [0.9, 0.95], "lr": True},
    ]
    assert varying(foreign) == {"betas": [[0.9, 0.95], None]}


def test_values_are_said_short() -> None:
    assert [write_setting(one) for one in (None, "", 2e-4, True, 3, ["a", "b"], {"p": "q"}, 0)] == [
        "not set", "not set", "0.0002", "true", "3", "a, b", "p=q", "0",
    ]  # fmt: skip
