"""Words for translating simple English sentences into French."""

from dataclasses import dataclass

from engine.demo.making.corpus.document import listed


@dataclass(frozen=True, slots=True)
class Noun:
    english: str
    french: str
    feminine: bool
    english_plural: str
    french_plural: str
    kind: str
    """person, animal, thing, food or place."""


@dataclass(frozen=True, slots=True)
class Adjective:
    english: str
    masculine: str
    feminine: str
    before: bool
    """Whether it stands before its noun."""


@dataclass(frozen=True, slots=True)
class Verb:
    english: str
    english_third: str
    forms: tuple[str, ...]
    """I, you, he, we, you (several), they."""
    objects: str
    """Kinds of nouns it takes, or "" for none."""


_NOUNS = {
    "person": "man homme m men;woman femme f women;boy garçon m;girl fille f;"
    "child enfant m children;friend ami m;teacher professeur m;doctor médecin m;king roi m;"
    "queen reine f;mother mère f;"
    "father père m;brother frère m;sister sœur f;farmer fermier m;baker boulanger m;"
    "neighbour voisin m;student étudiant m",
    "animal": "cat chat m;dog chien m;horse cheval m horses chevaux;bird oiseau m birds oiseaux;"
    "fish poisson m fishes poissons;cow vache f;mouse souris f mice souris;"
    "rabbit lapin m;duck canard m;wolf loup m wolves;bear ours m bears ours;"
    "lion lion m;hen poule f;pig cochon m;"
    "goat chèvre f;frog grenouille f;bee abeille f;elephant éléphant m",
    "thing": "book livre m;table table f;chair chaise f;car voiture f;key clé f;window fenêtre f;"
    "door porte f;lamp lampe f;clock horloge f;letter lettre f;pencil crayon m;bag sac m;"
    "hat chapeau m hats chapeaux;shoe chaussure f;shirt chemise f;dress robe f;"
    "coat manteau m coats manteaux;"
    "box boîte f boxes;ball balle f;flower fleur f;tree arbre m;boat bateau m boats bateaux;"
    "bed lit m;bottle bouteille f;glass verre m glasses;knife couteau m knives couteaux;"
    "plate assiette f;stone pierre f;star étoile f;gift cadeau m gifts cadeaux",
    "food": "apple pomme f;bread pain m;cheese fromage m;cake gâteau m cakes gâteaux;egg œuf m;"
    "soup soupe f;pear poire f;orange orange f;carrot carotte f;potato pomme@de@terre f potatoes "
    "pommes@de@terre;tomato tomate f tomatoes;lemon citron m;strawberry fraise f strawberries",
    "place": "house maison f;garden jardin m;school école f;kitchen cuisine f;forest forêt f;"
    "street rue f;city ville f cities;village village m;church église f churches;station gare f;"
    "river rivière f;mountain montagne f;beach plage f beaches;market marché m;hospital hôpital m "
    "hospitals hôpitaux;library bibliothèque f libraries;park parc m;room chambre f",
}
_ADJECTIVES = (
    "small petit petite b;big grand grande b;young jeune jeune b;pretty joli jolie b;"
    "fat gros grosse b;bad mauvais mauvaise b;good bon bonne b;"
    "black noir noire;white blanc blanche;red rouge rouge;green vert verte;blue bleu bleue;"
    "yellow jaune jaune;grey gris grise;brown brun brune;happy content contente;sad triste triste;"
    "tired fatigué fatiguée;hungry affamé affamée;clean propre propre;dirty sale sale;"
    "strong fort forte;weak faible faible;fast rapide rapide;slow lent lente;rich riche riche;"
    "poor pauvre pauvre;quiet calme calme;angry fâché fâchée;heavy lourd lourde;cold froid froide;"
    "round rond ronde;new neuf neuve;ill malade malade;kind gentil gentille b;open ouvert ouverte"
)
_IRREGULAR = {
    "want": "veux veux veut voulons voulez veulent",
    "see": "vois vois voit voyons voyez voient",
    "lose": "perds perds perd perdons perdez perdent",
    "take": "prends prends prend prenons prenez prennent",
    "buy": "achète achètes achète achetons achetez achètent",
    "eat": "mange manges mange mangeons mangez mangent",
    "sleep": "dors dors dort dormons dormez dorment",
    "run": "cours cours court courons courez courent",
    "wait": "attends attends attend attendons attendez attendent",
    "read": "lis lis lit lisons lisez lisent",
    "write": "écris écris écrit écrivons écrivez écrivent",
    "drink": "bois bois boit buvons buvez boivent",
    "leave": "pars pars part partons partez partent",
    "laugh": "ris ris rit rions riez rient",
    "hear": "entends entends entend entendons entendez entendent",
    "know": "connais connais connaît connaissons connaissez connaissent",
    "open": "ouvre ouvres ouvre ouvrons ouvrez ouvrent",
    "sell": "vends vends vend vendons vendez vendent",
    "follow": "suis suis suit suivons suivez suivent",
}
_ENDINGS = listed("e es e ons ez ent")
_TRANSITIVE = (
    ("look at", "looks at", "regard", "person animal thing food place"),
    ("find", "finds", "trouv", "person animal thing food place"),
    ("carry", "carries", "port", "thing food"),
    ("buy", "buys", "", "thing food"),
    ("love", "loves", "aim", "person animal thing food place"),
    ("want", "wants", "", "thing food"),
    ("see", "sees", "", "person animal thing food place"),
    ("eat", "eats", "", "food"),
    ("draw", "draws", "dessin", "person animal thing food place"),
    ("lose", "loses", "", "thing"),
    ("take", "takes", "", "thing food"),
    ("close", "closes", "ferm", "thing"),
    ("help", "helps", "aid", "person animal"),
    ("look for", "looks for", "cherch", "person animal thing food place"),
    ("wash", "washes", "lav", "person animal thing food"),
    ("show", "shows", "montr", "thing food place"),
    ("visit", "visits", "visit", "place"),
    ("hide", "hides", "cach", "thing food"),
    ("touch", "touches", "touch", "animal thing food"),
    ("hear", "hears", "", "person animal"),
    ("know", "knows", "", "person place"),
    ("open", "opens", "", "thing"),
    ("sell", "sells", "", "thing food"),
    ("follow", "follows", "", "person animal"),
)
_ALONE = (
    ("sleep", "sleeps", ""),
    ("run", "runs", ""),
    ("wait", "waits", ""),
    ("read", "reads", ""),
    ("write", "writes", ""),
    ("drink", "drinks", ""),
    ("leave", "leaves", ""),
    ("laugh", "laughs", ""),
    ("sing", "sings", "chant"),
    ("work", "works", "travaill"),
    ("dance", "dances", "dans"),
    ("play", "plays", "jou"),
    ("walk", "walks", "march"),
    ("cry", "cries", "pleur"),
    ("speak", "speaks", "parl"),
    ("fall", "falls", "tomb"),
)

NUMBERS = (
    "two deux;three trois;four quatre;five cinq;six six;seven sept;eight huit;nine neuf;ten dix"
)
TIMES = (
    ("today", "aujourd'hui"),
    ("now", "maintenant"),
    ("often", "souvent"),
    ("here", "ici"),
    ("every day", "tous les jours"),
    ("in the morning", "le matin"),
    ("in the evening", "le soir"),
    ("at night", "la nuit"),
    ("in summer", "en été"),
    ("in winter", "en hiver"),
    ("on Monday", "lundi"),
    ("with pleasure", "avec plaisir"),
    ("slowly", "lentement"),
    ("too", "aussi"),
)
PREPOSITIONS = (
    ("in", "dans"),
    ("behind", "derrière"),
    ("in front of", "devant"),
    ("under", "sous"),
    ("on", "sur"),
    ("with", "avec"),
)


def _nouns() -> tuple[Noun, ...]:
    nouns = []
    for kind, line in _NOUNS.items():
        for entry in line.split(";"):
            parts = [part.replace("@", " ") for part in entry.split()]
            english, french, gender, *plurals = parts
            one = plurals[0] if plurals else f"{english}s"
            more = plurals[1] if len(plurals) > 1 else f"{french}s"
            nouns.append(Noun(english, french, gender == "f", one, more, kind))
    return tuple(nouns)


def _verb(english: str, third: str, stem: str, objects: str) -> Verb:
    forms = tuple(stem + end for end in _ENDINGS) if stem else tuple(_IRREGULAR[english].split())
    return Verb(english, third, forms, objects)


NOUNS = _nouns()
ADJECTIVES = tuple(
    Adjective(part[0], part[1], part[2], len(part) > 3)
    for part in (entry.split() for entry in _ADJECTIVES.split(";"))
)
VERBS = tuple(_verb(*entry) for entry in _TRANSITIVE)
VERBS_ALONE = tuple(_verb(*entry, "") for entry in _ALONE)
