"""Everyday words shared by the skills: people, things, places, doings."""

from engine.demo.making.corpus.document import listed

NAMES = listed(
    "Anna Ben Clara David Emma Felix Grace Hugo Ida Jack Kate Leo Maya Noah Olga Paul Rosa Sam "
    "Tara Victor Wendy Yusuf Zoe Amir Bella Carlos Dina Eric Fatima George Hana Ivan Julia Karl "
    "Lena Marco Nina Oscar Priya Ruth Simon Tina Uma Will Alice Bruno Chen Daisy Elena Frank"
)

_HIS = frozenset(
    listed(
        "Ben David Felix Hugo Jack Leo Noah Paul Sam Victor Yusuf Amir Carlos Eric George Ivan "
        "Karl Marco Oscar Simon Will Bruno Chen Frank"
    )
)

THINGS = listed(
    "apple ball basket bell bird boat book bottle box bread bridge brush button cake candle card "
    "carrot chair cheese clock cloud coat coin cup desk dish door drum egg feather fish flag "
    "flower fork garden glass glove grape hammer hat horse house jar key kite knife ladder lamp "
    "leaf lemon letter map mirror moon nail needle nest onion orange paper pear pencil piano "
    "picture pillow plant plate plum pocket potato ring river road rock rope rose sail scarf seed "
    "shell ship shirt shoe snake sock soup spoon stamp star stone stool sun table tent ticket "
    "tiger tomato towel tower toy train tree truck umbrella vase violin wagon wall watch wheel "
    "whistle window wolf wood zebra"
)

ANIMALS = listed(
    "ant bear bee camel cat cow crab deer dog dolphin donkey duck eagle elephant fox frog goat "
    "hen horse kitten lion lizard monkey mouse owl panda parrot pig rabbit rat shark sheep snail "
    "snake spider squirrel swan tiger turtle whale wolf zebra"
)

COLOURS = listed("red blue green yellow white black brown grey orange pink purple golden")

PLACES = listed(
    "forest village mountain city island desert castle garden valley lake harbour meadow library "
    "market farm beach river cave school station"
)

TOPICS = listed(
    "rain sea moon sun winter summer spring night morning wind snow river mountain forest garden "
    "friendship music home school train ship bread coffee dog cat bird horse robot star road "
    "rain bridge city market storm fire flower tree island dream clock letter book window child "
    "mother father teacher doctor farmer king queen dragon lighthouse"
)


def pronouns(name: str) -> tuple[str, str, str]:
    """The subject, object and possessive pronoun that the corpus uses for a name."""
    return ("he", "him", "his") if name in _HIS else ("she", "her", "her")
