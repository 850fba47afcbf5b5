"""Whether a judge is of the family of the arms that it judges."""

from pathlib import Path

from engine.bundled import BASE as DEMO
from engine.jobs import directory
from engine.judge.family import describe_family
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Model
from tests.checkpoints.made import make_adapter, make_model


def test_a_judge_that_is_an_arm_or_of_its_base(tmp_path: Path) -> None:
    run = directory.create(tmp_path, TrainRecipe(model=Model(checkpoint="bundled:demo-base")))
    tuned, runs = f"tuned=run:{run.path.name}", [run.path]
    itself = "the judge judges its own answers: it is the model of "
    family = "the judge judges its own family: {} has the same base"
    arms = ["base=bundled:demo-base", tuned]
    for judge in ("j=bundled:demo-base", f"j={DEMO}", "j=bundled:demo-base?prompt=raw"):
        assert describe_family(judge, arms, runs) == [f"{itself}base", family.format("tuned")]
    assert describe_family(f"j=run:{run.path.name}", arms, runs) == [
        family.format("base"), f"{itself}tuned"
    ]  # fmt: skip
    other = make_model(tmp_path / "other")
    assert describe_family(f"j={other}", arms, runs) == []
    adapter = make_adapter(tmp_path / "adapter", str(other))
    assert describe_family(f"j={other}", [f"a={other}+{adapter}"], []) == [family.format("a")]


def test_endpoints_are_known_by_address_and_model() -> None:
    judge = "j=http://box:1/v1?model=big"
    same = "a=http://box:1/v1?model=big&key=BOX_KEY"
    other, local = "b=http://box:1/v1?model=small", "c=bundled:demo-base"
    assert describe_family(judge, [same, other, local], []) == [
        "the judge judges its own answers: it is the model of a",
        "whether the judge and c have the same base is not known",
    ]
    assert describe_family("no arm=", [local], []) == []
