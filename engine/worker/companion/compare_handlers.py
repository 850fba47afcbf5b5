"""The companion's requests that compare arms: what each reads, and what the differences are."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from engine.chat import Message
from engine.compare import arm_tools
from engine.compare.arms import Arm, format_arm
from engine.compare.samples import Sample, Timings
from engine.compare.token_shift import to_table
from engine.errors import EngineError
from engine.recipes.settings import Decode
from engine.worker.companion import request_fields
from engine.worker.companion.model_pool import ModelPool
from engine.worker.companion.protocol import WAITING, Cancelled, Event, Request
from engine.worker.companion.streaming import answer_event, stream_answer
from engine.worker.data.chat_template import render_prompt
from engine.worker.data.token_ids import explain_unknown
from engine.worker.inference import arm_facts
from engine.worker.inference.arm_facts import Fact
from engine.worker.inference.endpoint_batch import EndpointBatch, combine
from engine.worker.inference.endpoint_replies import EndpointGone
from engine.worker.inference.model_batch import ROWS, ModelBatch
from engine.worker.inference.models import too_long
from engine.worker.inference.token_shift import ArmLogits, TokenSpelling, compare, read
from engine.worker.tokenizers.detokenize import decode_ids, pieces_of


class CompareHandlers:
    """Answers requests about several arms. What it raises as EngineError is the answer."""

    def __init__(self, pool: ModelPool) -> None:
        self._pool = pool

    def shift(self, request: Request, cancelled: Cancelled) -> Iterator[Event | None]:
        """{"base", "tuned", "sample"}: how far each token of an answer is from the base's choice.

        In place of `sample`: "messages" or "text", and "output_ids" (and "prompt_ids" where they
        are known). `done` holds the `shift`: {"base", "tuned", "prompt_id", "greedy", "kl",
        "shares": {kind: part}, "tokens": [{"id", "piece", "special", "kind", "rank", "tuned_rank",
        "base_probability", "tuned_probability", "kl", "base_top", "tuned_top"}]}, null where it was
        cancelled; a top is up to five of {"id", "piece", "probability"}; kinds are unshifted,
        marginal and shifted. `engine.compare.token_shift.from_table` reads it. One forward pass an
        arm.
        """
        base, tuned = (
            request_fields.parse_arm(request, "base"),
            request_fields.parse_arm(request, "tuned"),
        )
        sample = (
            request_fields.parse_sample(request)
            if "sample" in request
            else self._sample(request, tuned)
        )
        arm_logits: list[ArmLogits] = []
        for arm in (base, tuned):
            loaded_arm = yield from self._pool.load_arm(arm, cancelled)
            if loaded_arm is None:
                yield {"event": "done", "shift": None}
                return
            with self._pool.in_use(loaded_arm):
                arm_logits.append(read(loaded_arm, sample.prompt_ids, sample.output_ids))
            del loaded_arm  # so that its model can make room for the next
        before, after = arm_logits
        yield {"event": "done", "shift": to_table(compare(before, after, sample))}

    def strengths(self, request: Request, cancelled: Cancelled) -> Iterator[Event | None]:
        """{"arm", "messages" or "text", "tools", "decoding", "strengths"}: an answer at each.

        The arm's own strength does not matter; without `strengths` they are 0, 0.25, 0.5, 0.75, 1.
        Events `loading`, `begin`, `text` … and `answer`, which is what `generate` calls `done`, all
        with their "strength"; then `done` {"samples"}, fewer where it was cancelled.
        """
        arm, messages = request_fields.parse_arm(request), request_fields.parse_messages(request)
        decode = arm.decoding(request_fields.parse_decode(request))
        strengths = request_fields.parse_strengths(request)
        tools = request_fields.parse_tools(request, arm)
        if arm.is_endpoint or self._pool.locate(arm).adapter is None:
            raise EngineError(
                "This arm has no adapter strength.",
                format_arm(arm),
                "Choose an arm with an adapter.",
            )
        samples = []
        for strength in strengths:
            scaled = replace(arm, strength=strength)
            loaded_arm = yield from self._pool.load_arm(scaled, cancelled)
            if loaded_arm is None or cancelled():
                break
            events = stream_answer(self._pool, loaded_arm, messages, decode, cancelled, tools=tools)
            for event in events:
                if event and event["event"] == "answer":
                    samples.append(event["sample"])
                yield {**event, "strength": strength} if event else event
            del loaded_arm  # so that its model can make room for the next
        yield {"event": "done", "samples": samples}

    def answers(self, request: Request, cancelled: Cancelled) -> Iterator[Event | None]:
        """{"arms", "prompts": [{"id", "messages"}], "decoding", "batch"}: all answers of all arms.

        For sets: `batch` prompts (32) of an arm are answered side by side. Events `loading`,
        `notes` {"arm", "notes"}, `answer` {"sample", "behaviour"} as they are done, arm by arm,
        `refused` {"arm", "prompt_id", "reason"} for what an arm cannot read, and `done` {"count"},
        fewer where it was cancelled. Endpoints that are gone are the error, after all other arms.
        """
        arms, prompts = request_fields.parse_arms(request), request_fields.parse_prompts(request)
        usual, rows = (
            request_fields.parse_decode(request),
            request_fields.parse_number(request, "batch", ROWS),
        )
        count, gone = 0, list[EndpointGone]()
        for arm in arms:
            loaded_arm = None
            if not arm.is_endpoint:
                loaded_arm = yield from self._pool.load_arm(arm, cancelled)
                if loaded_arm is None:
                    break
            tools = arm_tools.read_arm_tools(arm)
            decode = arm.decoding(usual)
            batch: EndpointBatch | ModelBatch
            if loaded_arm is None:
                batch = EndpointBatch(arm, prompts, decode, tools)
            else:
                batch = ModelBatch(arm, loaded_arm, prompts, decode, rows, tools)
            with self._pool.in_use(*([loaded_arm] if loaded_arm else [])):
                if loaded_arm is not None:
                    yield {"event": "notes", "arm": format_arm(arm), "notes": loaded_arm.notes}
                try:
                    while not batch.done and not cancelled():
                        made = batch.step()
                        for sample in made:
                            count += 1
                            yield answer_event(sample)
                        yield WAITING if arm.is_endpoint and not made else None
                except EndpointGone as error:
                    gone.append(error)
            if isinstance(batch, EndpointBatch):
                batch.cancel()
            for name, why in batch.refused.items():
                reason = f"{why.title} {why.detail}"
                yield {
                    "event": "refused",
                    "arm": format_arm(arm),
                    "prompt_id": name,
                    "reason": reason,
                }
            del loaded_arm, batch  # so that its model can make room for the next
        if gone:
            raise combine(gone)
        yield {"event": "done", "count": count}

    def facts(self, request: Request, cancelled: Cancelled) -> Iterator[Event | None]:
        """{"arms", "messages" or "text", "tools", "decoding", "probe"}: how arms differ.

        `facts` comes at once, from files alone; with `probe` the models read the prompt, one pass
        an arm (events `loading`), and `done` has all of it again with `kl`. Both hold:
        `arms`: [{"name", "arm", "endpoint", "base", "adapter", "strength", "form", "template",
        "template_hash", "trained_template_hash", "tokenizer", "vocabulary", "context",
        "prompt_tokens", "room", "dtype", "quantized", "trained_on", "device", "batch", "decode",
        "apart", "error"}], null where it is not known; `error` {"title", "detail", "hint"} is of an
        arm that cannot answer.
        `differences`: [{"what", "values" (a text an arm), "text"}], what is one of prompt,
        template, system, prefix, tools, tokenizer, decoding, truncation, dtype, quantised,
        batching.
        `warnings`: [{"kind", "arms" (their numbers), "text"}], kind is one of same, same weights,
        no effect, another template, truncated, quantised, apart, error.
        `kl`: KL(i‖j) in nats per token of the prompt, null where it was not measured; empty without
        `probe`. Without a prompt a sentence of our own is read.
        """
        arms, usual = request_fields.parse_arms(request), request_fields.parse_decode(request)
        messages = (
            request_fields.parse_messages(request) if {"messages", "text"} & set(request) else []
        )
        device = self._pool.models().device
        conversation = arm_facts.conversation(messages)
        facts = [self._look(request, arm, conversation, usual) for arm in arms]
        table: Event = {
            "arms": [arm_facts.as_table(one, device) for one in facts],
            "differences": arm_facts.differences(facts),
        }
        first = table | {"warnings": arm_facts.warnings(facts), "kl": []}
        yield {"event": "facts"} | first
        if request.get("probe") is not True:
            yield {"event": "done"} | first
            return
        ids, logits = arm_facts.probe_ids(facts), {}
        for at, one in enumerate(facts):
            if one.weights is None or one.error is not None:
                continue
            try:
                loaded_arm = yield from self._pool.load_arm(one.arm, cancelled)
                if loaded_arm is None:
                    yield {"event": "done"} | first
                    return
                tokenizer, vocabulary = loaded_arm.tokenizer, loaded_arm.model.vocabulary
                if not explain_unknown(ids, tokenizer, vocabulary):
                    with self._pool.in_use(loaded_arm):
                        logits[at] = read(loaded_arm, ids[:1], ids[1:]).logits
                del loaded_arm  # so that its model can make room for the next
            except EngineError as error:
                facts[at] = replace(one, error=error)
            yield None
        kl = arm_facts.divergences(facts, logits)
        table["arms"] = [arm_facts.as_table(one, device) for one in facts]
        warnings = arm_facts.warnings(facts, kl, logits)
        yield {"event": "done", **table, "warnings": warnings, "kl": kl}

    def _look(self, request: Request, arm: Arm, messages: Sequence[Message], usual: Decode) -> Fact:
        """The facts of an arm; of one that cannot answer, why."""
        decode = arm.decoding(usual)
        try:
            tools = request_fields.parse_tools(request, arm)
            if arm.is_endpoint:
                return Fact(arm, decode=decode, tools=tools)
            weights, tokenizer = self._pool.locate(arm), self._pool.tokenizer(arm)
            device = self._pool.models().device
            fact = arm_facts.look(arm, weights, tokenizer, messages, usual, device, tools)
        except EngineError as error:
            return Fact(arm, decode=decode, error=error)
        if fact.room is not None and fact.room <= 0:
            return replace(fact, error=too_long(arm, len(fact.prompt), fact.context or 0))
        return fact

    def pieces(self, request: Request, cancelled: Cancelled) -> Iterator[Event]:
        """{"arm", "ids"}: what token ids are, by the arm's tokenizer; no model is loaded.

        `done` holds `text`, and `tokens`, one for each id: {"id", "token" (as the vocabulary writes
        it), "piece" (its own text), "special"}, and `spans`, the text in whole characters:
        {"text", "ids"}, where ids that only together make a character come together.
        """
        arm, ids = request_fields.parse_arm(request), request_fields.parse_token_ids(request, "ids")
        tokenizer = self._pool.tokenizer(arm)
        yield {"event": "done"} | describe(tokenizer, ids)

    def _sample(self, request: Request, tuned: Arm) -> Sample:
        """The answer that a request spells out."""
        messages = request_fields.parse_messages(request)
        if "prompt_ids" in request:
            prompt = request_fields.parse_token_ids(request, "prompt_ids")
        else:
            tokenizer = self._pool.tokenizer(tuned)
            tools = request_fields.parse_tools(request, tuned)
            prompt = render_prompt(
                messages, tokenizer, tuned.form, tuned.system, tuned.prefix, tools
            )
        return Sample(
            prompt_id=request_fields.parse_text(request, "prompt_id", ""),
            messages=tuple(messages),
            arm="",
            seed=0,
            template_hash="",
            prompt_ids=tuple(prompt),
            output_ids=tuple(request_fields.parse_token_ids(request, "output_ids")),
            text="",
            finish="stop",
            logprobs=(),
            decode=request_fields.parse_decode(request) if "decoding" in request else Decode(),
            timings=Timings(0.0, 0.0),
        )


def describe(tokenizer: Any, ids: list[int]) -> Event:
    """Token ids as `CompareHandlers.pieces` tells them. Raises EngineError for an unknown one."""
    if ids and max(ids) >= len(tokenizer):
        raise EngineError("Unknown token id.", f"{max(ids)}; this tokenizer has {len(tokenizer)}")
    words = TokenSpelling(tokenizer)
    return {
        "text": decode_ids(tokenizer, ids),
        "tokens": [
            {
                "id": one,
                "token": str(tokenizer.convert_ids_to_tokens(one)),
                "piece": words.piece(one),
                "special": words.is_special(one),
            }
            for one in ids
        ],
        "spans": [{"text": text, "ids": group} for text, group in pieces_of(tokenizer, ids)],
    }
