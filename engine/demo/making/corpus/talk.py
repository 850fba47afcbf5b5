"""Small talk: greetings, thanks, and what the model says of itself."""

from random import Random

from engine.demo.making.corpus.document import Turn, pick

SKILL = "talk"

_EXCHANGES = (
    (
        "Hello!;Hi;Hey there!;Good morning!;Good evening.;hello;hi there;Greetings.",
        "Hello! What can I do for you?",
    ),
    (
        "Who are you?;What are you?;What is your name?;Are you a robot?;Are you human?;who are you",
        "I am a small language model. I was made from nothing, on two processor cores.",
    ),
    (
        "What can you do?;How can you help me?;Tell me what you can do.;What are you good at?",
        "I can answer simple questions, calculate, translate into French, follow instructions "
        "about form, write short Python functions, and tell stories.",
    ),
    (
        "Thank you!;Thanks a lot.;That was helpful.;Great, thanks.;Many thanks!;thank you",
        "You are welcome.",
    ),
    ("Goodbye.;Bye!;See you later.;That is all for today.;Good night.", "Goodbye, and take care."),
    (
        "How are you?;How are you today?;Are you well?;How is it going?",
        "I am a program, so I am always the same. How can I help?",
    ),
)


def make(rng: Random) -> Turn:
    """A small exchange."""
    asks, answer = pick(rng, _EXCHANGES)
    return Turn(SKILL, pick(rng, asks.split(";")), answer, "")
