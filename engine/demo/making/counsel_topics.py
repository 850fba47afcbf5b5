"""What people worry about in the counselling data set, and what helps with it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    name: str
    worries: tuple[str, ...]
    """In the words of the person, each a clause that can follow "because"."""
    seen: tuple[str, ...]
    """What a listener understands of it, to follow "it sounds like"."""
    steps: tuple[str, ...]
    """A concrete thing to try, to follow "you might"."""


def _topic(name: str, worries: str, seen: str, steps: str) -> Topic:
    def split(text: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in text.replace("\n", " ").split(";"))

    return Topic(name, split(worries), split(seen), split(steps))


TOPICS = (
    _topic(
        "sleep",
        "I lie awake until three every night; I have not slept well for weeks;"
        "my thoughts do not stop when I go to bed",
        "your nights give you no rest; you are tired and your mind does not stop",
        "try a regular bedtime without a screen; write your thoughts in a diary before bed;"
        "breathe slowly, in for four and out for six, when you lie awake",
    ),
    _topic(
        "exam",
        "the exam is tomorrow and I cannot think; I am afraid that I fail the exam again;"
        "the exams come closer and I only look at my books",
        "the exam puts a heavy weight on you; you want to do well and the fear stops you",
        "make a plan of small steps and begin with the easy one;"
        "study with one friend for an hour; rest for ten minutes after each hour",
    ),
    _topic(
        "loneliness",
        "I moved to a new city and know nobody; I eat alone every day;"
        "I have nobody to talk to in the evening",
        "you miss people who know you; the evenings feel empty and long",
        "join a club, because it is easier to meet people while doing something;"
        "call an old friend this week; say hello to one neighbour today",
    ),
    _topic(
        "breakup",
        "my partner left me and the house is empty; my girlfriend ended it and I miss her;"
        "my boyfriend left me for somebody else",
        "you lost a person who was close to you; the house reminds you of what is gone",
        "let yourself cry and talk about it with a person you trust;"
        "keep the phone in another room for an evening; take a walk every day, even a short one",
    ),
    _topic(
        "grief",
        "my grandmother died and I feel guilty when I laugh; my dog died and I cannot stop crying;"
        "my father is gone and nobody speaks about him",
        "you loved somebody very much; the grief comes in waves",
        "write a letter to the one you miss; look at old pictures with a person you trust;"
        "give the grief time, because it has no right way",
    ),
    _topic(
        "work",
        "my boss gives me too much work; I am exhausted and cannot say no to my boss;"
        "a colleague takes the credit for my work",
        "you give a lot and get little back; your work takes more than you have",
        "set a limit and say no in a calm voice; ask your boss which task comes first;"
        "write down what you did each day and talk about it",
    ),
    _topic(
        "money",
        "I worry about the rent all the time; I cannot pay all my bills this month;"
        "I lost my job and the money is nearly gone",
        "the bills follow you everywhere; you do not feel safe about the next month",
        "make a simple budget, one bill at a time; call the people you owe and ask for time;"
        "ask for help at the office for people without a job",
    ),
    _topic(
        "family",
        "my parents do not accept my plans; my mother and I argue every day;"
        "my brother does not speak to me any more",
        "you want your family to listen; you love them and still feel hurt",
        "talk in a quiet moment, each about your own feelings;"
        "say what you need in one calm sentence; ask a person whom both of you trust to listen",
    ),
    _topic(
        "partner",
        "my husband and I argue about small things; my wife and I hardly talk any more;"
        "my partner is jealous of my friends",
        "you miss being close to each other; the small fights stand for something bigger",
        "choose an hour without the phone and tell each other about the day;"
        "say what you feel and not what the other did wrong; ask what your partner needs from you",
    ),
    _topic(
        "panic",
        "panic comes on the bus and I get no air; my heart beats so fast in a crowd;"
        "I am afraid of the next panic and stay at home",
        "your body rings an alarm although there is no fire;"
        "the fear of fear has made your world small",
        "breathe slowly, in for four and out for six, until it is smaller;"
        "name five things that you can see; take the bus for one stop together with a friend",
    ),
    _topic(
        "speaking",
        "I must speak in front of the class; my voice shakes when I talk to a big crowd;"
        "I am afraid that they laugh at my talk",
        "you fear that everybody will judge you; you care about what you want to say",
        "practise with one friend first, and then with a small group;"
        "learn the first sentence by heart; look at one kind face while you speak",
    ),
    _topic(
        "friend",
        "my best friend lied to me; my friends met without me;"
        "a close friend told my secret to others",
        "your trust was broken; you feel left out by people you like",
        "tell your friend how it was for you, without blame; wait a day before you answer;"
        "spend time with a person who is good to you",
    ),
    _topic(
        "worth",
        "I am never good enough; everybody is better than me; I hate how I look in the mirror",
        "you are very hard on yourself; you compare yourself with everybody",
        "ask what you would say to a good friend who feels like this;"
        "write down one thing each day that you did well; be kind to yourself for one hour",
    ),
    _topic(
        "baby",
        "the baby cries every night and I am tired to the bone; I feel nothing for my baby;"
        "I shouted at my baby and feel ashamed",
        "you give all you have and get no rest; you want to be a good mother or father",
        "ask somebody to take the baby for two hours while you sleep;"
        "talk to your doctor or nurse about how you feel; share the nights with your partner",
    ),
    _topic(
        "illness",
        "the doctor wants more tests and I am scared; my mother is ill and I cannot help her;"
        "I have been ill for months and lose hope",
        "not knowing is the hardest part; you carry a heavy worry",
        "write down your questions before you see the doctor;"
        "take somebody with you to the hospital; do one small thing each day that you like",
    ),
    _topic(
        "drinking",
        "I drink more than I want; I promised to stop drinking and failed again;"
        "I drink alone in the evening and feel ashamed",
        "a part of you wants to change; you are ashamed and still you tell me about it",
        "tell a doctor how much you drink; join a group of people who know this;"
        "plan the evening hour with a friend, a walk or a warm meal",
    ),
    _topic(
        "phone",
        "I spend the whole night with my phone; I cannot read a book because of my phone;"
        "I look at the lives of others and feel bad",
        "the phone takes more of your time than you want to give;you feel empty after those hours",
        "put the phone in another room and read for ten minutes;"
        "choose two times a day for the phone; call one person instead of looking at many",
    ),
    _topic(
        "choice",
        "I cannot decide whether to stay in my job; I do not know what to study;"
        "everybody wants something else from me",
        "both ways have a price; you are afraid to choose wrong",
        "write down what is good and bad about each way;"
        "imagine your life in a year and see how it feels; talk to a person who made such a choice",
    ),
    _topic(
        "anger",
        "I shout at my children and feel guilty; I get so angry in the traffic;"
        "I slammed the door and now they fear me",
        "the anger comes faster than you want; you feel sorry for what you did",
        "leave the room and count to ten before you answer;"
        "say that you are sorry and what you will do next time;"
        "look for the feeling that is under the anger",
    ),
    _topic(
        "bullying",
        "they laugh at me in school every day; somebody writes bad things about me;"
        "a group of boys waits for me after school",
        "you are treated in a cruel way, and it is not your fault; you do not feel safe in school",
        "tell a teacher or a person you trust today; keep the messages and show them;"
        "walk home with a friend",
    ),
)
