"""QLoRA on a CPU: it learns, measuring harms no gradient, and nothing is fetched for it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.errors import EngineError
from engine.worker.data.encode import Encoded, collate
from engine.worker.model import loading, quantize
from engine.worker.model.dtypes import Formats
from engine.worker.model.merging import merge
from tests import patience
from tests.worker.families import save_family
from tests.worker.here import train_here
from tests.worker.model.test_build import build
from tests.worker.tiny import make_tokenizer, save_adapter, save_checkpoint
from tests.worker.training.test_train import curves, make_recipe, weights
from tests.worker.whole_nll import nll

CPU = torch.device("cpu")
PLAIN = Formats(torch.float32, torch.float32)
KINDS = ("4bit", "8bit")
pytestmark = pytest.mark.usefixtures("bitsandbytes")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("base") / "base")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text(
        "".join(f'{{"prompt": "say {one}", "completion": "number {one}"}}\n' for one in range(24))
    )
    return path


def batch() -> dict[str, torch.Tensor]:
    rows = [list(range(5, 45)), list(range(60, 90))]
    return collate([Encoded(ids, ids, 0, kept=True, reason="") for ids in rows])


def gradients(model: Any) -> dict[str, torch.Tensor]:
    model.train()
    model.zero_grad()
    nll(model, batch())[0].backward()  # type: ignore[no-untyped-call]
    return {
        name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None
    }


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_before_and_after_measuring_agree(
    kind: str, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a CPU with AVX512-BF16, where measuring would repack the weights of 4 bits."""
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: True)
    torch.manual_seed(3)
    model = build(base, f"method.quantize={kind}", "method.dropout=0")
    for name, one in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(one, std=0.1)
    before = gradients(model)
    assert before
    assert all("lora" in name for name in before), "only the adapter learns"
    model.eval()
    with torch.no_grad():
        nll(model, batch())
        model(input_ids=torch.arange(5, 15).unsqueeze(0))
    after = gradients(model)
    for name, one in before.items():
        torch.testing.assert_close(one, after[name], rtol=0, atol=0)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("kind", KINDS)
def test_all_layers_but_the_head_are_quantised_and_close_to_what_they_were(
    kind: str, family: str, tmp_path: Path
) -> None:
    path = save_family(family, tmp_path / family)
    whole = loading.load_base(path, CPU, torch.float32)
    small = loading.load_base(path, CPU, torch.float32, kind)
    kinds = {type(one).__name__ for one in small.modules()}
    assert ("Linear4bit" if kind == "4bit" else "Linear8bitLt") in kinds
    assert type(small.get_output_embeddings()) is torch.nn.Linear
    assert quantize.is_quantized(small)
    assert not quantize.is_quantized(whole)
    linear = [one for one in small.modules() if type(one).__name__ == "Linear4bit"]
    assert all(one.weight.quant_type == "nf4" for one in linear)
    assert all(one.weight.quant_state.nested for one in linear), "its constants are quantised too"
    ids = torch.arange(5, 45).unsqueeze(0)
    with torch.no_grad():
        right, near = whole(ids).logits, small(ids).logits
    assert 0 < float((right - near).std()) < 0.5 * float(right.std())


@pytest.mark.parametrize("kind", KINDS)
def test_a_quantised_run_learns_and_leaves_an_adapter_for_the_whole_base(
    kind: str, base: Path, rows: Path, root: Path
) -> None:
    changes = (f"method.quantize={kind}", "training.epochs=4", "training.learning_rate=5e-3",
               "training.evaluations=2", "samples.count=0", "forgetting.tokens=64",
               "training.saves=0", "training.gradient_checkpointing=true")  # fmt: skip
    job = train_here(make_recipe(base, rows, *changes), root)
    seen = curves(job)
    assert seen["eval/loss"][1][-1] < seen["eval/loss"][1][0] - 0.5
    assert seen["forget/kl_to_base"][1][0] == 0, "the base is the quantised one, switched off"
    assert {one.dtype for one in weights(job.adapter).values()} == {torch.float32}
    loading.attach_adapter(loading.load_base(base, CPU, torch.float32), job.adapter)


def test_weights_in_4_bits_are_not_learned(base: Path, rows: Path, root: Path) -> None:
    recipe = make_recipe(base, rows, "method.kind=full", "method.quantize=4bit")
    with pytest.raises(EngineError, match="Quantised weights cannot be trained") as caught:
        train_here(recipe, root)
    assert "method.kind = lora" in caught.value.hint


def test_a_checkpoint_that_is_stored_quantised_gets_an_adapter_and_nothing_else(
    base: Path, tmp_path: Path
) -> None:
    stored = tmp_path / "stored"
    loading.load_base(base, CPU, torch.float32, "4bit").save_pretrained(stored)
    make_tokenizer().save_pretrained(stored)
    model = loading.load_base(stored, CPU, torch.float32)
    assert quantize.is_quantized(model)
    build(stored, "method.dropout=0")
    with pytest.raises(EngineError, match="already quantised"):
        loading.load_base(stored, CPU, torch.float32, "8bit")
    with pytest.raises(EngineError, match="cannot be trained"):
        build(stored, "method.kind=full")
    with pytest.raises(EngineError, match="cannot be merged"):
        merge(stored, save_adapter(tmp_path / "adapter", base))


def test_without_the_package_it_says_what_to_install(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "bitsandbytes"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    with pytest.raises(EngineError, match="needs bitsandbytes") as caught:
        quantize.load_bitsandbytes()
    assert "finetop[quantize]" in caught.value.hint


def test_devices_that_it_does_not_serve_are_refused() -> None:
    with pytest.raises(EngineError, match="do not run on mps"):
        quantize.settings_of("4bit", torch.float32, torch.device("mps"))


def in_a_worker(code: str, packages: Path) -> list[str]:
    """What it prints, in a process that has imported what a training worker imports."""
    home = Path(quantize.__file__).parents[4]
    first = (
        f"import sys; sys.path[:0] = [{str(packages)!r}, {str(home)!r}]\n"
        "from engine.worker.environment import set_environment; set_environment()\n"
        "import engine.worker.train\n"
        "from engine.worker.model import loading, quantize\n"
    )
    command = [os.environ.get("FINETOP_PYTHON", sys.executable), "-P", "-c", first + code]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=patience.PROCESS_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.worker
def test_it_asks_no_hub_for_kernels(tmp_path: Path) -> None:
    """Where the package `kernels` is there, and bitsandbytes would use it as it is imported."""
    (tmp_path / "kernels.py").write_text("def get_kernel(*_, **__): raise SystemExit('asked')\n")
    (tmp_path / "bitsandbytes.py").write_text(
        "try:\n    from kernels import get_kernel\n    get_kernel('some/kernel')\n"
        "except ImportError:\n    print('did without')\n"
    )
    code = (
        "loading.warm(); print('imported')\n"
        "quantize.load_bitsandbytes()\n"
        "import kernels; print(kernels.__name__)\n"
    )
    assert in_a_worker(code, tmp_path) == ["imported", "did without", "kernels"]


@pytest.mark.worker
def test_it_is_imported_where_it_is_asked_for_and_works_after_a_plain_model(
    base: Path, tmp_path: Path
) -> None:
    """As in the companion: libraries remember what was there when they looked first."""
    stored = tmp_path / "stored"
    loading.load_base(base, CPU, torch.float32, "4bit").save_pretrained(stored)
    code = (
        "from tests.worker.model.test_build import build\n"
        f"from pathlib import Path; base = Path({str(base)!r})\n"
        "build(base); print(sys.modules['bitsandbytes'])\n"
        f"plain = loading.load_base(Path({str(stored)!r}), loading.torch.device('cpu'),"
        " loading.torch.float32)\n"
        "print(quantize.is_quantized(plain))\n"
        "for kind in ('4bit', '8bit'):\n"
        "    model = build(base, f'method.quantize={kind}')\n"
        "    print(sorted({type(one).__name__ for one in model.modules()} & "
        "{'Linear4bit', 'Linear8bitLt'}))\n"
    )
    seen = in_a_worker(code, tmp_path)
    assert seen == ["None", "True", "['Linear4bit']", "['Linear8bitLt']"]
