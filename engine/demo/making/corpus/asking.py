"""Ways to begin and end a request, and system messages: what varies around every question."""

from random import Random

from engine.demo.making.corpus.document import pick

_BEFORE = (
    "Please answer: ",
    "Hi! ",
    "Hello, ",
    "Hey, ",
    "Quick question: ",
    "Can you help me? ",
    "I have a question. ",
    "One more thing: ",
    "Good morning. ",
    "For my homework: ",
    "Tell me, ",
    "So, ",
    "OK, ",
    "I need some help. ",
    "My friend asks: ",
    "Next one. ",
)
_AFTER = (
    " Thanks!",
    " Thank you.",
    " Please.",
    " I am curious.",
    " Take your time.",
    " Be careful.",
    " I really want to know.",
    " It is for school.",
)
SYSTEMS = (
    "You are a helpful assistant.",
    "You are a careful assistant. Answer clearly.",
    "You help people with short, correct answers.",
    "Follow the instructions of the user exactly.",
    "You are a friendly teacher.",
    "Answer the question of the user.",
    "You are a small language model that tries to be right.",
    "Be brief and precise.",
    "You are an assistant in a school.",
    "Do what the user asks, nothing else.",
    "You are patient and exact.",
    "Reply in a calm and simple way.",
)


def dress(rng: Random, request: str) -> str:
    """The request as it is, or with a few words before or after it."""
    chance = rng.random()
    if chance < 0.55:
        return request
    if chance < 0.8:
        return pick(rng, _BEFORE) + request
    if chance < 0.92:
        return request + pick(rng, _AFTER)
    return pick(rng, _BEFORE) + request + pick(rng, _AFTER)


def careless(rng: Random, request: str) -> str:
    """Now and then as people type in a hurry: no capital at the start, no stop at the end."""
    chance = rng.random()
    if chance < 0.85 or not request:
        return request
    return request[0].lower() + request[1:].rstrip(".?!")
