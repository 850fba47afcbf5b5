"""Six families of feelings: their words, and what brings them about."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Feeling:
    name: str
    adjectives: tuple[str, ...]
    nouns: tuple[str, ...]
    causes: tuple[tuple[str, str], ...]
    """What happened, told by "I" and told of somebody: {p} she, {s} her (owner), {o} her."""
    signs: tuple[str, ...]
    """What a person does who feels so, in the past tense; {s} her."""


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.replace("\n", " ").split(";"))


def _causes(text: str) -> tuple[tuple[str, str], ...]:
    told = []
    for part in _split(text):
        mine = part.replace("{p}", "i").replace("{s}", "my").replace("{o}", "me")
        told.append((mine, part))
    return tuple(told)


FEELINGS = (
    Feeling(
        "sadness",
        _split(
            "sad;hopeless;gloomy;miserable;lonely;heartbroken;unhappy;empty;lost;depressed;blue;"
            "discouraged;disappointed;hurt;sorrowful;homesick;down;worthless;rejected;ashamed;"
            "defeated;tearful;broken;neglected"
        ),
        _split("sadness;sorrow;grief;loneliness;despair;misery"),
        _causes(
            "{s} dog died in the night;{p} lost {s} job;{s} best friend moved away;"
            "nobody came to the party;{p} failed the exam again;{s} grandmother is gone;"
            "{p} missed {s} family;the old house was sold;nobody remembered {s} birthday;"
            "{p} had to say goodbye;{s} team lost the last game;the garden was dry and dead;"
            "{p} ate alone again;{s} letters never got an answer;the long marriage was over;"
            "{p} could not see {s} children;all the work was for nothing;"
            "{s} friends left without {o}"
        ),
        _split(
            "cried for a long time;stayed in bed all day;did not want to eat;looked at the floor;"
            "spoke in a very low voice;sat alone in the dark room;wept over {s} old letters"
        ),
    ),
    Feeling(
        "joy",
        _split(
            "happy;glad;cheerful;delighted;joyful;pleased;proud;excited;content;thrilled;grateful;"
            "hopeful;satisfied;merry;lucky;relaxed;playful;bright;peaceful;optimistic;blessed;"
            "lively;wonderful;relieved"
        ),
        _split("joy;happiness;delight;pleasure;gladness;cheer"),
        _causes(
            "{p} passed the exam;{s} team won the game;the sun came out after the rain;"
            "{p} got the new job;{s} friends sang for {o};the holiday began;{p} finished the race;"
            "the cake was a success;{s} painting won a prize;the whole family came to dinner;"
            "{p} learned to swim;the garden was full of flowers;{p} danced until midnight;"
            "{s} first book was printed;the doctor had good news;{p} paid the last bill;"
            "the music was so good;{p} could rest after a long week"
        ),
        _split(
            "smiled all day;sang in the kitchen;danced around the room;laughed out loud;"
            "told everybody the good news;jumped up and down;hummed a little song"
        ),
    ),
    Feeling(
        "love",
        _split(
            "loving;tender;caring;fond;affectionate;devoted;romantic;warm;passionate;adoring;"
            "close;gentle;compassionate;sympathetic;sweet;attached;longing;faithful;"
            "supportive;generous"
        ),
        _split("love;affection;tenderness;devotion;fondness;passion"),
        _causes(
            "{s} husband held {s} hand;the baby slept in {s} arms;{p} thought of {s} wife all day;"
            "{s} mother kissed {o} good night;{p} wrote a long letter to {s} sweetheart;"
            "the old couple walked side by side;{s} daughter gave {o} a hug;"
            "{p} looked into {s} partner's eyes;{s} boyfriend cooked for {o};"
            "{p} wanted to hold {o} close for ever;{s} little brother fell asleep on {s} shoulder;"
            "{p} planned the wedding;{s} girlfriend brought {o} roses;{p} cared for {s} old father;"
            "{p} shared everything with {s} partner;{s} children kissed {o} at the door"
        ),
        _split(
            "held the hand for a long time;gave a soft kiss;wrote a small poem;"
            "whispered a dear name;hugged everybody at the door;kept the picture near {s} heart"
        ),
    ),
    Feeling(
        "anger",
        _split(
            "angry;furious;annoyed;mad;irritated;bitter;enraged;cross;resentful;frustrated;"
            "hostile;outraged;offended;jealous;grumpy;hateful;impatient;bothered;disgusted;"
            "insulted;stressed;rebellious;spiteful;violent"
        ),
        _split("anger;rage;fury;hate;bitterness;irritation"),
        _causes(
            "somebody stole {s} bike;the neighbour lied about {o};the boss took all the credit;"
            "{s} brother broke the radio on purpose;the train was cancelled again;"
            "they laughed at {s} work;the noise did not stop all night;{p} had to pay twice;"
            "{s} sister read {s} diary;the shop refused to help {o};they never listen to {o};"
            "a driver shouted at {o};{s} colleague copied {s} idea;the promise was broken again;"
            "{p} waited three hours for nothing;they blamed {o} for the mistake;"
            "the referee cheated;someone scratched {s} car"
        ),
        _split(
            "shouted at everybody;slammed the door;threw the letter away;hit the table;"
            "refused to speak;wrote an unkind answer;turned red and walked out"
        ),
    ),
    Feeling(
        "fear",
        _split(
            "afraid;scared;anxious;nervous;worried;terrified;frightened;uneasy;shaky;insecure;"
            "uncertain;helpless;tense;panicked;threatened;timid;vulnerable;restless;hesitant;"
            "fearful;overwhelmed;suspicious;unsure;alarmed"
        ),
        _split("fear;terror;panic;worry;anxiety;dread"),
        _causes(
            "somebody followed {o} in the dark;the doctor wanted more tests;"
            "{p} heard steps in the empty house;the exam is tomorrow;the bridge began to shake;"
            "the plane fell and rose in the storm;{p} must speak before a big crowd;"
            "the big dog ran towards {o};{p} may lose the house;the lights went out;"
            "{p} was alone in the forest at night;the water rose and rose;"
            "{p} has to go to the hospital;the phone rang at three in the night;"
            "a stranger stood at the window;the brakes did not work;"
            "{p} could not find the way back;the fire came near the village"
        ),
        _split(
            "could not sleep;held {s} breath;locked all the doors;trembled and looked around;"
            "hid under the blanket;ran home without a stop;checked the window again and again"
        ),
    ),
    Feeling(
        "surprise",
        _split(
            "surprised;amazed;astonished;shocked;stunned;curious;impressed;startled;"
            "speechless;dazed;puzzled;strange;funny;astounded;bewildered;overcome"
        ),
        _split("surprise;wonder;amazement;astonishment;shock"),
        _causes(
            "an old friend stood at the door without warning;{p} found money in an old coat;"
            "it snowed in the middle of summer;{p} won although nobody expected it;"
            "the quiet boy began to sing like a star;the lost cat came back after three years;"
            "a letter came from a place {p} never heard of;"
            "the wall opened and showed a hidden room;"
            "everybody jumped out and called {s} name;the teacher suddenly did a magic trick;"
            "{p} met {s} double on the street;the box was full of gold;"
            "{s} shy sister became a pilot;the phone rang and it was the king;"
            "a horse walked into the kitchen;the old clock began to run by itself"
        ),
        _split(
            "opened {s} eyes wide;could not say a word;looked twice;dropped the cup;"
            "asked if it was true;stood still with an open mouth"
        ),
    ),
)
