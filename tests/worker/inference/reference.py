"""A program of its own: what transformers and PEFT say, with nothing of ours in the process.

Reads {"jobs": {name: {"base", "adapter" (or null), "prompts": [[id, …], …]}}, "length"} from
standard input and writes {name: [[id, …], …]} of greedy answers, each model loaded fresh.
"""

import json
import sys
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM


def main() -> None:
    asked = json.load(sys.stdin)
    said = {}
    for name, job in asked["jobs"].items():
        model = load(job["base"])
        if job["adapter"]:
            model = PeftModel.from_pretrained(model, job["adapter"]).eval()
        said[name] = answers(model, job["prompts"], asked["length"])
    json.dump(said, sys.stdout)


def load(path: str) -> Any:
    model: Any = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    for name, module in list(model.named_modules()):
        if type(module).__name__ == "Linear4bit":  # on some CPUs the library misreads its rows
            plain = torch.nn.Linear(module.in_features, module.out_features, bias=False)
            plain.weight = torch.nn.Parameter(decoded(module.weight), requires_grad=False)
            model.set_submodule(name, plain)
    return model.eval()


def decoded(weight: Any) -> torch.Tensor:
    """The matrix that 4-bit codes stand for, float32: code times scale of its block."""
    state, codes = weight.quant_state, weight.data.view(-1)
    inner, outer = state.absmax.long(), state.state2
    scales = outer.code[inner] * outer.absmax.repeat_interleave(outer.blocksize)[: len(inner)]
    halves = torch.stack((codes >> 4, codes & 15), dim=1).view(-1).long()
    blocks = (scales + state.offset).repeat_interleave(state.blocksize)[: len(halves)]
    weights: torch.Tensor = (state.code[halves] * blocks).float().view(state.shape)
    return weights


def answers(model: Any, prompts: list[list[int]], length: int) -> list[list[int]]:
    made = []
    for ids in prompts:
        whole = model.generate(
            input_ids=torch.tensor([ids]), do_sample=False, max_new_tokens=length
        )
        made.append(whole[0, len(ids) :].tolist())
    return made


if __name__ == "__main__":
    main()
