"""Plain facts about the world, by relation, and the forms to ask for each."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Relation:
    name: str
    says: str
    """The answer, with {e} for the entity and {v} for its value."""
    asks: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (entry.split("=") for entry in text.replace("\n", " ").split(";"))
    return tuple((entity.strip(), value.strip()) for entity, value in pairs)


_CAPITAL = _pairs(
    """France=Paris;Germany=Berlin;Spain=Madrid;Italy=Rome;Portugal=Lisbon;Austria=Vienna;
    Poland=Warsaw;Greece=Athens;Norway=Oslo;Sweden=Stockholm;Finland=Helsinki;Denmark=Copenhagen;
    Ireland=Dublin;Hungary=Budapest;Belgium=Brussels;Russia=Moscow;Ukraine=Kyiv;Turkey=Ankara;
    Egypt=Cairo;Kenya=Nairobi;Morocco=Rabat;Ghana=Accra;Japan=Tokyo;China=Beijing;India=New Delhi;
    Thailand=Bangkok;Vietnam=Hanoi;Nepal=Kathmandu;Iran=Tehran;Iraq=Baghdad;Canada=Ottawa;Cuba=Havana;
    Peru=Lima;Chile=Santiago;Brazil=Brasilia;Mexico=Mexico City;Argentina=Buenos Aires;
    Australia=Canberra;England=London;Scotland=Edinburgh;Iceland=Reykjavik;Romania=Bucharest;
    Bulgaria=Sofia;Croatia=Zagreb;Serbia=Belgrade;Tunisia=Tunis;Senegal=Dakar;Mongolia=Ulaanbaatar"""
)
_LANGUAGE = _pairs(
    """France=French;Germany=German;Spain=Spanish;Italy=Italian;Portugal=Portuguese;Austria=German;
    Poland=Polish;Greece=Greek;Norway=Norwegian;Sweden=Swedish;Finland=Finnish;Denmark=Danish;
    Hungary=Hungarian;Russia=Russian;Turkey=Turkish;Egypt=Arabic;Morocco=Arabic;Japan=Japanese;
    China=Chinese;Thailand=Thai;Vietnam=Vietnamese;Nepal=Nepali;Iran=Persian;Iraq=Arabic;Cuba=Spanish;
    Peru=Spanish;Chile=Spanish;Brazil=Portuguese;Mexico=Spanish;Argentina=Spanish;Australia=English;
    England=English;Iceland=Icelandic;Romania=Romanian;Bulgaria=Bulgarian;Ukraine=Ukrainian"""
)
_CONTINENT = _pairs(
    """France=Europe;Germany=Europe;Spain=Europe;Italy=Europe;Poland=Europe;Greece=Europe;Norway=Europe;
    Egypt=Africa;Kenya=Africa;Morocco=Africa;Ghana=Africa;Senegal=Africa;Tunisia=Africa;Japan=Asia;
    China=Asia;India=Asia;Thailand=Asia;Vietnam=Asia;Nepal=Asia;Mongolia=Asia;Canada=North America;
    Mexico=North America;Cuba=North America;Peru=South America;Chile=South America;
    Brazil=South America;Argentina=South America;Iraq=Asia;Sweden=Europe;Hungary=Europe"""
)
_YOUNG = _pairs(
    """dog=puppy;cat=kitten;cow=calf;horse=foal;sheep=lamb;pig=piglet;goat=kid;hen=chick;duck=duckling;
    bear=cub;deer=fawn;frog=tadpole;swan=cygnet;owl=owlet;goose=gosling;kangaroo=joey;
    butterfly=caterpillar;wolf=pup;eagle=eaglet;fish=fry"""
)
_SOUND = _pairs(
    """dog=barks;cat=meows;cow=moos;horse=neighs;sheep=bleats;pig=grunts;duck=quacks;lion=roars;
    wolf=howls;bee=buzzes;frog=croaks;owl=hoots;mouse=squeaks;snake=hisses;donkey=brays;hen=clucks;
    crow=caws;elephant=trumpets;bird=sings"""
)
_KIND = _pairs(
    """dog=mammal;cat=mammal;whale=mammal;horse=mammal;bat=mammal;elephant=mammal;eagle=bird;owl=bird;
    penguin=bird;swan=bird;hen=bird;parrot=bird;frog=amphibian;toad=amphibian;snake=reptile;
    lizard=reptile;turtle=reptile;crocodile=reptile;shark=fish;salmon=fish;trout=fish;tuna=fish;ant=insect;bee=insect;
    butterfly=insect;beetle=insect;rose=flower;tulip=flower;daisy=flower;lily=flower;oak=tree;pine=tree;birch=tree;
    carrot=vegetable;potato=vegetable;onion=vegetable;cabbage=vegetable;apple=fruit;banana=fruit;
    pear=fruit;cherry=fruit;piano=instrument;violin=instrument;drum=instrument;flute=instrument;
    hammer=tool;saw=tool;shirt=piece of clothing;coat=piece of clothing"""
)
_LEGS = _pairs(
    """dog=four;cat=four;horse=four;cow=four;frog=four;lizard=four;elephant=four;hen=two;duck=two;
    eagle=two;penguin=two;human=two;spider=eight;octopus=eight;ant=six;bee=six;beetle=six;
    butterfly=six;snake=no;fish=no;worm=no;whale=no;crab=ten;sheep=four;owl=two;fly=six"""
)
_COLOUR = _pairs(
    """banana=yellow;lemon=yellow;grass=green;frog=green;snow=white;milk=white;coal=black;
    tomato=red;blood=red;strawberry=red;sky=blue;carrot=orange;pumpkin=orange;plum=purple;
    chocolate=brown;elephant=grey;rose=red;leaf=green;cherry=red;sun=yellow;night=black;flamingo=pink;
    mouse=grey;salt=white;sea=blue;crow=black;swan=white;cucumber=green;honey=golden;rust=brown;
    pig=pink;lavender=purple;ash=grey;straw=yellow"""
)
_MATERIAL = _pairs(
    """window=glass;table=wood;book=paper;tyre=rubber;coin=metal;nail=iron;ring=gold;jumper=wool;shoe=leather;
    candle=wax;brick=clay;bottle=glass;chair=wood;newspaper=paper;knife=steel;pillow=feathers;
    statue=stone;wall=bricks;bread=flour;cheese=milk;wine=grapes;raincoat=plastic;
    mirror=glass;spoon=steel;snowman=snow;igloo=ice;cup=porcelain;shirt=cotton;rope=hemp;wire=copper;
    barrel=wood;bell=bronze;sandcastle=sand;omelette=eggs"""
)
_OPPOSITE = _pairs(
    """hot=cold;big=small;tall=short;fast=slow;young=old;happy=sad;light=dark;heavy=light;hard=soft;wet=dry;
    full=empty;open=closed;rich=poor;strong=weak;early=late;loud=quiet;clean=dirty;near=far;high=low;
    wide=narrow;thick=thin;deep=shallow;good=bad;right=wrong;true=false;first=last;up=down;left=right;
    in=out;day=night;summer=winter;brave=cowardly;kind=cruel;cheap=expensive;easy=difficult;
    begin=end;buy=sell;push=pull;win=lose;love=hate;give=take;come=go;remember=forget;
    hope=despair;calm=angry;safe=dangerous;sweet=sour;awake=asleep"""
)
_PAST = _pairs(
    """go=went;see=saw;eat=ate;take=took;give=gave;come=came;run=ran;write=wrote;sing=sang;swim=swam;
    drink=drank;fly=flew;drive=drove;break=broke;speak=spoke;find=found;buy=bought;think=thought;
    bring=brought;teach=taught;catch=caught;feel=felt;leave=left;keep=kept;sleep=slept;build=built;
    send=sent;lose=lost;make=made;say=said;tell=told;know=knew;grow=grew;draw=drew;begin=began;
    forget=forgot;choose=chose;steal=stole;fall=fell;hide=hid;ride=rode;wake=woke;weep=wept;stand=stood"""
)
_PLURAL = _pairs(
    """child=children;man=men;woman=women;mouse=mice;foot=feet;tooth=teeth;goose=geese;ox=oxen;
    leaf=leaves;wolf=wolves;knife=knives;life=lives;wife=wives;city=cities;baby=babies;box=boxes;
    bus=buses;dish=dishes;tomato=tomatoes;potato=potatoes;hero=heroes;cat=cats;dog=dogs;book=books;
    fox=foxes;berry=berries;shelf=shelves;thief=thieves;brush=brushes;lady=ladies"""
)
_JOB = _pairs(
    """baker=bread;doctor=patients;teacher=pupils;farmer=crops;fisherman=fish;tailor=clothes;
    carpenter=furniture;painter=pictures;writer=books;gardener=plants;cook=meals;judge=laws;
    pilot=planes;sailor=ships;miner=coal;beekeeper=honey;shepherd=sheep;librarian=library books;
    astronomer=stars;musician=songs;dentist=teeth;mechanic=engines;photographer=photos;actor=plays"""
)
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MONTHS = (
    "January February March April May June July August September October November December".split()
)


def _following(names: list[str], step: int) -> tuple[tuple[str, str], ...]:
    return tuple((name, names[(at + step) % len(names)]) for at, name in enumerate(names))


RELATIONS = (
    Relation(
        "capital",
        "The capital of {e} is {v}.",
        (
            "What is the capital of {e}?", "Which city is the capital of {e}?",
            "Name the capital of {e}.", "Do you know the capital city of {e}?",
            "{e} has which capital?", "capital of {e}", "Tell me the capital of {e}.",
            "What city is the seat of government of {e}?", "I travel to {e}. What is its capital?",
            "Which capital belongs to {e}?", "What do we call the capital of {e}?",
            "If I am in {e}, in which city is the parliament?",
        ),
        _CAPITAL,
    ),
    Relation(
        "country",
        "{v} is the capital of {e}.",
        (
            "{v} is the capital of which country?", "Which country has the capital {v}?",
            "Of what country is {v} the capital?", "In which country is the city of {v}?",
            "Name the country whose capital is {v}.", "{v} is in which country?",
            "Where is {v}?", "I live in {v}. In which country am I?",
            "To which country does {v} belong?", "What country do you visit when you go to {v}?",
            "Which country is governed from {v}?", "country of {v}",
        ),
        _CAPITAL,
    ),
    Relation(
        "language",
        "People in {e} speak {v}.",
        (
            "What language do people speak in {e}?", "Which language is spoken in {e}?",
            "What is the language of {e}?", "Name the main language of {e}.",
            "In {e}, what do people speak?", "language of {e}",
            "I want to travel to {e}. Which language should I learn?",
            "Which language do children in {e} learn first?", "What do they speak in {e}?",
            "Tell me which language is used in {e}.", "What is spoken in {e}?",
        ),
        _LANGUAGE,
    ),
    Relation(
        "continent",
        "{e} is in {v}.",
        (
            "On which continent is {e}?", "Which continent does {e} belong to?",
            "What continent is {e} on?", "Name the continent of {e}.", "continent of {e}",
            "Where in the world is {e}?", "{e} lies on which continent?",
            "In which part of the world is {e}?", "Tell me the continent where {e} is.",
            "Is {e} in Europe, Asia, Africa or America?",
        ),
        _CONTINENT,
    ),
    Relation(
        "young",
        "A young {e} is called a {v}.",
        (
            "What is a young {e} called?", "What do you call a baby {e}?",
            "What is the name for a young {e}?", "How do we call the young of a {e}?",
            "A baby {e} is called what?", "Name the baby of a {e}.", "baby {e} name",
            "Which word means a young {e}?", "What word is used for the child of a {e}?",
            "When a {e} is very young, what is it called?",
        ),
        _YOUNG,
    ),
    Relation(
        "sound",
        "A {e} {v}.",
        (
            "What sound does a {e} make?", "Which noise does a {e} make?", "What does a {e} do when it is loud?",
            "How does a {e} sound?", "Tell me the sound of a {e}.", "sound of a {e}",
            "What does the {e} say?", "What do you hear from a {e}?",
            "Which sound is typical of a {e}?", "How does a {e} call?",
        ),
        _SOUND,
    ),
    Relation(
        "kind",
        "A {e} is a kind of {v}.",
        (
            "What kind of thing is a {e}?", "What is a {e}?", "A {e} is a kind of what?",
            "To which group does a {e} belong?", "What type of thing is a {e}?",
            "In which class would you put a {e}?", "Tell me what a {e} is.", "what's a {e}",
            "How would you classify a {e}?", "Which category fits a {e}?",
        ),
        _KIND,
    ),
    Relation(
        "legs",
        "A {e} has {v} legs.",
        (
            "How many legs does a {e} have?", "What number of legs has a {e}?",
            "Tell me how many legs a {e} has.", "Count the legs of a {e}.",
            "On how many legs does a {e} walk?", "legs of a {e}",
            "A {e} has how many legs?", "Do you know the number of legs of a {e}?",
            "If you see a {e}, how many legs can you count?",
        ),
        _LEGS,
    ),
    Relation(
        "colour",
        "The usual colour of {e} is {v}.",
        (
            "What colour is {e}?", "Which colour does {e} usually have?", "What is the colour of {e}?",
            "Name the usual colour of {e}.", "colour of {e}", "Tell me the colour of {e}.",
            "I want to paint {e}. Which colour do I need?", "In what colour would you draw {e}?",
            "How does {e} look, by colour?", "{e} is mostly what colour?",
        ),
        _COLOUR,
    ),
    Relation(
        "material",
        "A {e} is usually made of {v}.",
        (
            "What is a {e} made of?", "Which material is used for a {e}?",
            "From what do people make a {e}?", "What is the usual material of a {e}?",
            "Name the material of a {e}.", "Tell me what a {e} is made of.", "a {e} is made of what",
            "What do you need to make a {e}?", "Out of which material is a {e} made?",
            "What does a {e} consist of?",
        ),
        _MATERIAL,
    ),
    Relation(
        "opposite",
        'The opposite of "{e}" is "{v}".',
        (
            'What is the opposite of "{e}"?', "Which word is the opposite of {e}?",
            "Give me the opposite of {e}.", "opposite of {e}", 'What word means the reverse of "{e}"?',
            "Name the opposite of {e}.", "If something is not {e}, what is it?",
            'I look for the contrary of "{e}".', "What is the contrary of {e}?",
            "Tell me the opposite word for {e}.", "Not {e}, but what?",
        ),
        _OPPOSITE,
    ),
    Relation(
        "past",
        'The past tense of "{e}" is "{v}".',
        (
            'What is the past tense of "{e}"?', "Put the verb {e} into the past.",
            "What is the past form of {e}?", "past tense of {e}", 'How do you say "{e}" in the past?',
            'Today I {e}. Yesterday I what?', "Give me the past tense of {e}.",
            "Which form of {e} do we use for yesterday?", "Tell me the past of the verb {e}.",
            "I need the simple past of {e}.",
        ),
        _PAST,
    ),
    Relation(
        "plural",
        'The plural of "{e}" is "{v}".',
        (
            'What is the plural of "{e}"?', "Give me the plural of {e}.", "One {e}, two what?",
            "plural of {e}", 'How do you say "{e}" when there are many?', "Put the noun {e} into the plural.",
            "Which word means more than one {e}?", "Tell me the plural form of {e}.",
            "I see one {e}. Now there are three. Three what?", "What is the plural form of {e}?",
        ),
        _PLURAL,
    ),
    Relation(
        "job",
        "The work of a {e} is about {v}.",
        (
            "What is the work of a {e} about?", "What does a {e} work with?", "With what does a {e} deal?",
            "What is the job of a {e} about?", "Tell me what a {e} works with.", "job of a {e}",
            "What is most important in the work of a {e}?", "A {e} works with what?",
            "What does a {e} care for at work?",
        ),
        _JOB,
    ),
    Relation(
        "next",
        "After {e} comes {v}.",
        (
            "What comes after {e}?", "Which one follows {e}?", "What is next after {e}?",
            "{e} is over. What comes now?", "Tell me what follows {e}.", "after {e}",
            "Name the one after {e}.", "What do we have when {e} has ended?",
            "Which name comes directly after {e}?",
        ),
        _following(_DAYS, 1) + _following(_MONTHS, 1),
    ),
    Relation(
        "before",
        "Before {e} comes {v}.",
        (
            "What comes before {e}?", "Which one is just before {e}?", "What was there before {e}?",
            "It is {e} now. What was before?", "Tell me what precedes {e}.", "before {e}",
            "Name the one before {e}.", "Which name comes directly before {e}?",
            "After what does {e} begin?",
        ),
        _following(_DAYS, -1) + _following(_MONTHS, -1),
    ),
)  # fmt: skip

BY_SIZE = (
    "grain of sand;ant;bee;coin;mouse;egg;frog;apple;rat;book;hen;cat;fox;dog;goat;wolf;pig;bear;horse;"
    "car;elephant;bus;house;whale;church;tower;bridge;village;mountain;island;city;country;moon;sun"
).split(";")
"""From the smallest to the largest."""

BY_SPEED = (
    "snail;worm;turtle;crab;duck;hen;pig;cow;boat;human;goat;cat;dog;wolf;horse;lion;bus;car;train;plane;rocket"
).split(";")
"""From the slowest to the fastest."""
