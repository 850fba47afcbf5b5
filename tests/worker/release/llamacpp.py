"""A GGUF file opened in llama.cpp itself (the wheel `xllamacpp`), for tests of all parts.

Numbers are as exact as llama.cpp has them on a CPU: keys and values in float32, no flash attention.
Its server listens on a free port of the loopback, and ends with the context manager.
"""

import gc
import http.client
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_PATIENCE = 120
"""Seconds for one reply."""


@dataclass(frozen=True, slots=True)
class Completion:
    tokens: list[int]
    """Greedy, the end token too where one was met."""
    top: list[dict[int, float]]
    """Of each token's place: natural log-probabilities over the whole vocabulary, the likeliest."""
    stop: str
    """`eos` where a token ended the answer, `limit` where its length did, `word`."""
    prompt: int
    """Tokens that the model read; a BOS that was put before the given ids counts."""


class LlamaCpp:
    """What llama.cpp makes of texts and prompts with one GGUF file."""

    def __init__(self, address: str) -> None:
        host, _, port = address.removeprefix("http://").rpartition(":")
        self._connection = http.client.HTTPConnection(host, int(port), timeout=_PATIENCE)

    def token_ids(self, text: str, *, special: bool = True, ends: bool = False) -> list[int]:
        """Ids of a text. `special`: names of control tokens in it are those tokens; `ends`: with
        the BOS and EOS that the file's flags ask for."""
        body = {"content": text, "parse_special": special, "add_special": ends}
        return list(self._post("/tokenize", body)["tokens"])

    def decode(self, ids: Iterable[int]) -> str:
        """The text of token ids, special tokens too."""
        return str(self._post("/detokenize", {"tokens": list(ids)})["content"])

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]] = (),
        *,
        answer_next: bool = True,
        **settings: Any,
    ) -> str:
        """The prompt by the file's own template; `settings` are its own (`enable_thinking`)."""
        body: dict[str, Any] = {
            "messages": list(messages),
            "add_generation_prompt": answer_next,
            "chat_template_kwargs": settings,
        }
        if tools:
            body["tools"] = list(tools)
        return str(self._post("/apply-template", body)["prompt"])

    def complete(
        self,
        prompt: Sequence[int],
        count: int,
        *,
        top: int = 0,
        biases: dict[int, float] | None = None,
        past_ends: bool = False,
    ) -> Completion:
        """Greedy tokens after a prompt of ids, which is read as it is; `biases` are added to
        logits by token, `past_ends` lets no token end the answer."""
        reply = self._post(
            "/completion",
            {
                "prompt": list(prompt),
                "n_predict": count,
                "temperature": 0,
                "n_probs": top,
                "return_tokens": True,
                "cache_prompt": False,
                "ignore_eos": past_ends,
                "logit_bias": [[token, bias] for token, bias in (biases or {}).items()],
            },
        )
        places = reply.get("completion_probabilities", [])
        return Completion(
            list(reply["tokens"]),
            [{one["id"]: one["logprob"] for one in place["top_logprobs"]} for place in places],
            str(reply["stop_type"]),
            int(reply["tokens_evaluated"]),
        )

    def stops_at(self, prompt: Sequence[int], token: int) -> bool:
        """Whether an answer ends once the model gives this token."""
        answer = self.complete(prompt, 3, biases={token: 1e4})
        assert answer.tokens[0] == token, f"token {token} was not generated: {answer}"
        return answer.stop == "eos" and len(answer.tokens) == 1

    def properties(self) -> dict[str, Any]:
        """What the server says of the model: `chat_template`, `bos_token`, `eos_token` ..."""
        return dict(self._ask("GET", "/props"))

    def close(self) -> None:
        self._connection.close()

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        return self._ask("POST", path, json.dumps(body))

    def _ask(self, method: str, path: str, body: str | None = None) -> Any:
        self._connection.request(method, path, body, {"Content-Type": "application/json"})
        reply = self._connection.getresponse()
        content = reply.read()
        if reply.status != 200:
            raise ValueError(f"{path}: {reply.status}: {content.decode(errors='replace')}")
        return json.loads(content)


@contextmanager
def open_gguf(file: Path, *, context: int = 512) -> Iterator[LlamaCpp]:
    """The file in llama.cpp; the test is skipped where the wheel is not installed.

    `context`: tokens of prompt and answer together. Raises what the wheel raises where llama.cpp
    refuses the file.
    """
    xllamacpp = pytest.importorskip("xllamacpp")
    settings = xllamacpp.CommonParams()
    settings.model.path = str(file)
    settings.port = 0
    settings.n_ctx = context
    settings.n_parallel = 1
    settings.n_gpu_layers = 0
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
    settings.cache_type_k = settings.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    settings.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    settings.use_jinja = True
    # An assistant's message at the end is a turn as any other, not the start of the answer.
    settings.prefill_assistant = False
    settings.warmup = settings.ui = settings.fit_params = False
    settings.verbosity = -1
    server = xllamacpp.Server(settings)
    client = LlamaCpp(server.listening_address)
    try:
        # Its end waits for ever where it comes before the loop that answers has begun.
        with suppress(ValueError):
            client.complete([0], 1)
        yield client
    finally:
        client.close()
        del server
        gc.collect()
