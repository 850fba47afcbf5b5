"""What the bundled reviews are made of: openings, what was good or bad, and words for both."""

from engine.demo.making.corpus.document import listed

GOOD = listed(
    "the music was so good;the garden was full of flowers;the sun came out after the rain;"
    "the cake was a success;we danced until midnight;we could rest after a long week;"
    "the children sang for us;the room was clean and bright;everybody smiled at the door;"
    "we learned to swim in the lake;the bed was soft and we slept well;"
    "a man with two horses told good stories;my daughter laughed out loud all day;"
    "the whole family came to dinner",
    ";",
)
"""Each a clause in the past, as the others. Few, so that a small model can learn them from some
hundred rows."""
BAD = listed(
    "the train was cancelled again;the noise did not stop all night;we had to pay twice;"
    "nobody came to help us;the garden was dry and dead;the man at the door shouted at us;"
    "we waited three hours for nothing;the lights went out;they laughed at my son;"
    "somebody stole my bag;a big dog ran towards the children;"
    "we could not find the way back;they blamed us for the mistake;the boat began to shake",
    ";",
)
PLEASED = listed(
    "happy glad cheerful delighted joyful pleased proud excited thrilled grateful relaxed blessed"
)
UPSET = listed(
    "sad gloomy miserable lonely unhappy disappointed angry furious annoyed afraid scared worried"
)
OPENINGS = (
    "a day at the {p} with my {w}: {c}",
    "last week we were at the {p}. {c}",
    "my {w} and i went to the {p}. {c}",
    "we lived in a house by the {p}. {c}",
    "on the way to the {p} {c}",
    "at the {p} {c}",
    "dear diary, we saw the {p} today and {c}",
    "{c}, that is what i remember of the {p}",
)
"""{p} a place, {w} who came along, {c} what happened."""
FELT = (
    "and i was {a}. {d}",
    "and i felt {a}. later {d}",
    "so i am {a} when i think of it. in the evening {d}",
    "and my {w} was {a} too. then {d}",
    "i felt {a} and {b}, and {d}",
    "it made us {a}, because {d}",
)
"""{a} {b} words for it, {d} what else happened."""
TURNED = (
    "i thought i would be {x}, but i was {a}: {d}",
    "at first i was {x}, but then {d} and we were {a}",
    "yesterday i was still {x}, now i am {a} because {d}",
    "everybody said that i would be {x}, but {d} and i felt {a}",
)
"""{x} a word for the opposite: such a review cannot be told by one word alone."""
WHO = listed("children mother brother friend wife husband father sister")
