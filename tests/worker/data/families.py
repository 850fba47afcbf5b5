"""Small chat templates of our own that write turns as the published ones of known families do.

The comment at each names the published one and where its text is stored: TRL
(`trl/chat_templates`), llama.cpp (`models/templates`, `tests/test-chat-template.cpp`),
huggingface.js (`packages/jinja/test/e2e.test.js`). Each published one writes every conversation of
`test_families`, and every prompt in it, with the same characters and tokens as ours, but for
SmolLM3's head, which is shorter here.
"""

from dataclasses import dataclass
from typing import Any

from tests.worker.tiny import make_tokenizer


@dataclass(frozen=True, slots=True)
class Family:
    template: str
    marks: tuple[str, ...]
    """The tokens that stand for themselves, beside BOS and EOS."""
    bos: str = "<s>"
    eos: str = "</s>"

    def tokenizer(self) -> Any:
        words = tuple(dict.fromkeys(("<|pad|>", *self.marks, self.bos, self.eos)))
        return make_tokenizer(self.template, words, bos_token=self.bos, eos_token=self.eos)


_ALL = "{% for m in messages %}"
_END = "{% endfor %}"
_PROMPT = "{% if add_generation_prompt %}"
_CHATML = (
    "{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
    + _END + _PROMPT + "{{ '<|im_start|>assistant\\n' }}{% endif %}"
)  # fmt: skip
_IM = ("<|im_start|>", "<|im_end|>")

# TRL llama3.jinja
LLAMA3 = Family(
    _ALL + "{% if loop.first %}{{ bos_token }}{% endif %}"
    "{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' }}"
    "{{ m.content | trim + '<|eot_id|>' }}"
    + _END + _PROMPT
    + "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
    ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
)  # fmt: skip

# llama.cpp "mistralai/Mistral-7B-Instruct-v0.2 (NOTE: Old pre-v1 without a system prompt)"
MISTRAL_7B = Family(
    "{{ bos_token }}" + _ALL
    + "{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}"
    "{% elif m.role == 'assistant' %}{{ m.content + eos_token }}"
    "{% else %}{{ raise_exception('only user and assistant') }}{% endif %}" + _END,
    ("[INST]", "[/INST]"),
)  # fmt: skip

# huggingface.js "TheBloke/Mistral-7B-Instruct-v0.1-GPTQ": a space after each answer's end
MISTRAL_V01 = Family(
    MISTRAL_7B.template.replace("+ eos_token", "+ eos_token + ' '"), ("[INST]", "[/INST]")
)

_MISTRAL = (
    "{% if messages[0].role == 'system' %}{% set system = messages[0].content + '\n\n' %}"
    "{% set messages = messages[1:] %}{% else %}{% set system = '' %}{% endif %}{{ bos_token }}"
    + _ALL
    + "{% if m.role == 'user' %}{{ '[INST]GAP' + (system if loop.last else '') + m.content }}"
    "{{ '[/INST]' }}{% else %}{{ 'GAP' + m.content + eos_token }}{% endif %}" + _END
)

# llama.cpp "Mistral-Large-Instruct-2407 (mistralai 'v3' template; …)"
MISTRAL_V3 = Family(_MISTRAL.replace("GAP", " "), ("[INST]", "[/INST]"))

# llama.cpp mistralai-Mistral-Nemo-Instruct-2407.jinja, huggingface.js the same
NEMO = Family(_MISTRAL.replace("GAP", ""), ("[INST]", "[/INST]"))

# TRL qwen2_5.jinja, llama.cpp Qwen-Qwen2.5-7B-Instruct.jinja
QWEN25 = Family(
    "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\n' }}"
    "{{ 'You are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n' }}"
    "{% endif %}" + _ALL + _CHATML,
    _IM, eos="<|im_end|>",
)  # fmt: skip

_QWEN3 = (
    "{% set last = namespace(at=0) %}"
    + _ALL + "{% if m.role == 'user' %}{% set last.at = loop.index0 %}{% endif %}" + _END + _ALL
    + "{% set text, reason = m.content, '' %}"
    "{% if m.role == 'assistant' and '</think>' in text %}"
    "{% set reason = text.split('</think>')[0].split('<think>')[-1].strip('\n') %}"
    "{% set text = text.split('</think>')[-1].lstrip('\n') %}{% endif %}"
    "{{ '<|im_start|>' + m.role + '\n' }}"
    "{% if m.role == 'assistant' and loop.index0 > last.at %}"
    "{{ '<think>\n' + reason + '\n</think>\n\n' }}{% endif %}{{ text + '<|im_end|>\n' }}"
    + _END + _PROMPT
)  # fmt: skip
_THINK = ("<think>", "</think>")

# TRL qwen3.jinja, huggingface.js "Qwen/Qwen3-0.6B"
QWEN3 = Family(
    _QWEN3 + "{{ '<|im_start|>assistant\n' }}{% endif %}", (*_IM, *_THINK), eos="<|im_end|>"
)

# TRL qwen3_5_think.jinja, huggingface.js "Qwen/Qwen3.5-4B"
QWEN35 = Family(
    _QWEN3 + "{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}",
    (*_IM, *_THINK),
    eos="<|im_end|>",
)

# TRL qwen3_5_nothink.jinja
QWEN35_SMALL = Family(
    _QWEN3 + "{{ '<|im_start|>assistant\n<think>\n\n</think>\n\n' }}{% endif %}",
    (*_IM, *_THINK), eos="<|im_end|>",
)  # fmt: skip

_GEMMA = (
    _ALL + "{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' }}"
    "{{ (system if loop.first else '') + m.content | trim + '<end_of_turn>\n' }}"
    + _END + _PROMPT + "{{ '<start_of_turn>model\n' }}{% endif %}"
)  # fmt: skip

# llama.cpp google-gemma-2-2b-it.jinja
GEMMA2 = Family(
    "{{ bos_token }}{% set system = '' %}{% if messages[0].role == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}" + _GEMMA,
    ("<start_of_turn>", "<end_of_turn>"), "<bos>", "<eos>",
)  # fmt: skip

# TRL gemma3.jinja
GEMMA3 = Family(
    "{{ bos_token }}{% set system = '' %}{% if messages[0].role == 'system' %}"
    "{% set system = messages[0].content + '\n\n' %}{% set messages = messages[1:] %}{% endif %}"
    + _GEMMA,
    ("<start_of_turn>", "<end_of_turn>"), "<bos>", "<eos>",
)  # fmt: skip

# TRL phi3_5.jinja, llama.cpp microsoft-Phi-3.5-mini-instruct.jinja
PHI35 = Family(
    _ALL + "{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}" + _END
    + _PROMPT + "{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}",
    ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>"), eos="<|endoftext|>",
)  # fmt: skip

# llama.cpp "phi-4", whose user turns open the answer whether it is asked for or not
PHI4 = Family(
    _ALL + "{% if m.role != 'assistant' %}{{ '<|im_start|>' + m.role + '<|im_sep|>' }}{% endif %}"
    "{{ m.content + '<|im_end|>' }}"
    "{% if m.role == 'user' %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}" + _END,
    (*_IM, "<|im_sep|>"), eos="<|im_end|>",
)  # fmt: skip

# llama.cpp deepseek-ai-DeepSeek-R1-Distill-Qwen-32B.jinja and …-Llama-8B.jinja
DEEPSEEK_R1 = Family(
    "{{ bos_token }}" + _ALL
    + "{% if m.role == 'system' %}{{ m.content }}"
    "{% elif m.role == 'user' %}{{ '<｜User｜>' + m.content }}"
    "{% else %}{{ '<｜Assistant｜>' + m.content.split('</think>')[-1] + eos_token }}{% endif %}"
    + _END + _PROMPT + "{{ '<｜Assistant｜><think>\n' }}{% endif %}",
    ("<｜User｜>", "<｜Assistant｜>", *_THINK),
    "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>",
)  # fmt: skip

# huggingface.js "HuggingFaceH4/zephyr-7b-beta"
ZEPHYR = Family(
    _ALL + "{{ '<|' + m.role + '|>\n' + m.content + eos_token + '\n' }}" + _END
    + _PROMPT + "{{ '<|assistant|>\n' }}{% endif %}",
    ("<|system|>", "<|user|>", "<|assistant|>"),
)  # fmt: skip

# llama.cpp "teknium/OpenHermes-2.5-Mistral-7B"
CHATML = Family(_ALL + _CHATML, _IM, eos="<|im_end|>")

# llama.cpp "ibm-granite/granite-3.0-8b-instruct"
GRANITE = Family(
    _ALL + "{{ '<|start_of_role|>' + m.role + '<|end_of_role|>' + m.content }}"
    "{{ '<|end_of_text|>\n' }}" + _END
    + _PROMPT + "{{ '<|start_of_role|>assistant<|end_of_role|>' }}{% endif %}",
    ("<|start_of_role|>", "<|end_of_role|>"), eos="<|end_of_text|>",
)  # fmt: skip

# allenai/OLMo-2-1124-7B-SFT, tokenizer_config.json: no newline after the last answer
OLMO2 = Family(
    "{{ bos_token }}" + _ALL
    + "{{ '<|' + m.role + '|>\n' + m.content }}"
    "{% if m.role != 'assistant' %}{{ '\n' }}{% else %}{{ eos_token }}"
    "{% if not loop.last %}{{ '\n' }}{% endif %}{% endif %}" + _END
    + _PROMPT + "{{ '<|assistant|>\n' }}{% endif %}",
    (), "<|endoftext|>", "<|endoftext|>",
)  # fmt: skip

_SMOLLM3 = (
    "{% set ns = namespace(mode='/think', system='') %}{% if messages[0].role == 'system' %}"
    "{% set ns.system = messages[0].content %}"
    "{% if '/no_think' in ns.system %}{% set ns.mode = '/no_think' %}"
    "{% elif '/think' in ns.system %}{% set ns.mode = '/think' %}{% endif %}"
    "{% set ns.system = ns.system.replace('/no_think', '').replace('/think', '').rstrip() %}"
    "{% endif %}{% set empty = '' if ns.mode == '/think' else '<think>\n\n</think>\n' %}"
    "{{ '<|im_start|>system\nToday: ' + strftime_now('%d %B %Y') + '\nMode: ' + ns.mode + '\n\n' }}"
    "{{ (ns.system or 'You are SmolLM.') + '\n\n' }}"
    + _ALL
    + "{% if m.role == 'user' %}{{ '<|im_start|>user\n' + m.content + '<|im_end|>\n' }}"
    "{% elif m.role == 'assistant' %}{% generation %}"
    "{{ '<|im_start|>assistant\n' + empty + m.content.lstrip('\n') + '<|im_end|>\n' }}"
    "{% endgeneration %}{% endif %}"
    + _END + _PROMPT + "{{ '<|im_start|>assistant\n' + empty }}{% endif %}"
)  # fmt: skip

# huggingface.js "HuggingFaceTB/SmolLM3-3B": its head opens a system turn, and does not close it
SMOLLM3 = Family(_SMOLLM3, (*_IM, *_THINK), eos="<|im_end|>")

# The same with `enable_thinking` off: an empty block before every answer, earlier ones as well
SMOLLM3_NO_THINK = Family(
    _SMOLLM3.replace("mode='/think'", "mode='/no_think'"), (*_IM, *_THINK), eos="<|im_end|>"
)
