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
    for module in model.modules():  # of 4 bits: some CPUs would compute with other, faster kernels
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model.eval()


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
