"""A program of its own: what transformers and PEFT say, with nothing of ours in the process.

Reads {"base", "adapters": {name: path}, "prompts": [[id, …], …], "length"} from standard input and
writes {name: [[id, …], …]} of greedy answers, each model loaded fresh; "base" is the base alone.
"""

import json
import sys
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM


def main() -> None:
    asked = json.load(sys.stdin)
    said = {"base": answers(load(asked["base"]), asked)}
    for name, path in asked["adapters"].items():
        model = PeftModel.from_pretrained(load(asked["base"]), path)
        said[name] = answers(model.eval(), asked)
    json.dump(said, sys.stdout)


def load(path: str) -> Any:
    model: Any = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    return model.eval()


def answers(model: Any, asked: Any) -> list[list[int]]:
    made = []
    for ids in asked["prompts"]:
        whole = model.generate(
            input_ids=torch.tensor([ids]), do_sample=False, max_new_tokens=asked["length"]
        )
        made.append(whole[0, len(ids) :].tolist())
    return made


if __name__ == "__main__":
    main()
