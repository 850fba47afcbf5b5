"""Plain facts about the world: tables of pairs, and two orders."""

from engine.demo.making.corpus.document import listed


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (entry.split("=") for entry in text.replace("\n", " ").split(";"))
    return tuple((entity.strip(), value.strip()) for entity, value in pairs)


CAPITAL = _pairs(
    """France=Paris;Germany=Berlin;Spain=Madrid;Italy=Rome;Portugal=Lisbon;Austria=Vienna;
    Poland=Warsaw;Greece=Athens;Norway=Oslo;Sweden=Stockholm;Finland=Helsinki;Denmark=Copenhagen;
    Ireland=Dublin;Hungary=Budapest;Belgium=Brussels;Russia=Moscow;Ukraine=Kyiv;Turkey=Ankara;
    Egypt=Cairo;Kenya=Nairobi;Morocco=Rabat;Ghana=Accra;Japan=Tokyo;China=Beijing;India=New Delhi;
    Thailand=Bangkok;Vietnam=Hanoi;Nepal=Kathmandu;Iran=Tehran;Iraq=Baghdad;Canada=Ottawa;Cuba=Havana;
    Peru=Lima;Chile=Santiago;Brazil=Brasilia;Mexico=Mexico City;Argentina=Buenos Aires;
    Australia=Canberra;England=London;Scotland=Edinburgh;Iceland=Reykjavik;Romania=Bucharest;
    Bulgaria=Sofia;Croatia=Zagreb;Serbia=Belgrade;Tunisia=Tunis;Senegal=Dakar;Mongolia=Ulaanbaatar"""
)
LANGUAGE = _pairs(
    """France=French;Germany=German;Spain=Spanish;Italy=Italian;Portugal=Portuguese;Austria=German;
    Poland=Polish;Greece=Greek;Norway=Norwegian;Sweden=Swedish;Finland=Finnish;Denmark=Danish;
    Hungary=Hungarian;Russia=Russian;Turkey=Turkish;Egypt=Arabic;Morocco=Arabic;Japan=Japanese;
    China=Chinese;Thailand=Thai;Vietnam=Vietnamese;Nepal=Nepali;Iran=Persian;Iraq=Arabic;Cuba=Spanish;
    Peru=Spanish;Chile=Spanish;Brazil=Portuguese;Mexico=Spanish;Argentina=Spanish;Australia=English;
    England=English;Iceland=Icelandic;Romania=Romanian;Bulgaria=Bulgarian;Ukraine=Ukrainian"""
)
CONTINENT = _pairs(
    """France=Europe;Germany=Europe;Spain=Europe;Italy=Europe;Poland=Europe;Greece=Europe;Norway=Europe;
    Egypt=Africa;Kenya=Africa;Morocco=Africa;Ghana=Africa;Senegal=Africa;Tunisia=Africa;Japan=Asia;
    China=Asia;India=Asia;Thailand=Asia;Vietnam=Asia;Nepal=Asia;Mongolia=Asia;Canada=North America;
    Mexico=North America;Cuba=North America;Peru=South America;Chile=South America;
    Brazil=South America;Argentina=South America;Iraq=Asia;Sweden=Europe;Hungary=Europe"""
)
YOUNG = _pairs(
    """dog=puppy;cat=kitten;cow=calf;horse=foal;sheep=lamb;pig=piglet;goat=kid;hen=chick;duck=duckling;
    bear=cub;deer=fawn;frog=tadpole;swan=cygnet;owl=owlet;goose=gosling;kangaroo=joey;
    butterfly=caterpillar;wolf=pup;eagle=eaglet;fish=fry"""
)
SOUND = _pairs(
    """dog=barks;cat=meows;cow=moos;horse=neighs;sheep=bleats;pig=grunts;duck=quacks;lion=roars;
    wolf=howls;bee=buzzes;frog=croaks;owl=hoots;mouse=squeaks;snake=hisses;donkey=brays;hen=clucks;
    crow=caws;elephant=trumpets;bird=sings"""
)
KIND = _pairs(
    """dog=mammal;cat=mammal;whale=mammal;horse=mammal;bat=mammal;elephant=mammal;eagle=bird;owl=bird;
    penguin=bird;swan=bird;hen=bird;parrot=bird;frog=amphibian;toad=amphibian;snake=reptile;
    lizard=reptile;turtle=reptile;crocodile=reptile;shark=fish;salmon=fish;trout=fish;tuna=fish;ant=insect;bee=insect;
    butterfly=insect;beetle=insect;rose=flower;tulip=flower;daisy=flower;lily=flower;oak=tree;pine=tree;birch=tree;
    carrot=vegetable;potato=vegetable;onion=vegetable;cabbage=vegetable;apple=fruit;banana=fruit;
    pear=fruit;cherry=fruit;piano=instrument;violin=instrument;drum=instrument;flute=instrument;
    hammer=tool;saw=tool;shirt=piece of clothing;coat=piece of clothing"""
)
LEGS = _pairs(
    """dog=four;cat=four;horse=four;cow=four;frog=four;lizard=four;elephant=four;hen=two;duck=two;
    eagle=two;penguin=two;human=two;spider=eight;octopus=eight;ant=six;bee=six;beetle=six;
    butterfly=six;snake=no;fish=no;worm=no;whale=no;crab=ten;sheep=four;owl=two;fly=six"""
)
COLOUR = _pairs(
    """banana=yellow;lemon=yellow;grass=green;frog=green;snow=white;milk=white;coal=black;
    tomato=red;blood=red;strawberry=red;sky=blue;carrot=orange;pumpkin=orange;plum=purple;
    chocolate=brown;elephant=grey;rose=red;leaf=green;cherry=red;sun=yellow;night=black;flamingo=pink;
    mouse=grey;salt=white;sea=blue;crow=black;swan=white;cucumber=green;honey=golden;rust=brown;
    pig=pink;lavender=purple;ash=grey;straw=yellow"""
)
MATERIAL = _pairs(
    """window=glass;table=wood;book=paper;tyre=rubber;coin=metal;nail=iron;ring=gold;jumper=wool;shoe=leather;
    candle=wax;brick=clay;bottle=glass;chair=wood;newspaper=paper;knife=steel;pillow=feathers;
    statue=stone;wall=bricks;bread=flour;cheese=milk;wine=grapes;raincoat=plastic;
    mirror=glass;spoon=steel;snowman=snow;igloo=ice;cup=porcelain;shirt=cotton;rope=hemp;wire=copper;
    barrel=wood;bell=bronze;sandcastle=sand;omelette=eggs"""
)
OPPOSITE = _pairs(
    """hot=cold;big=small;tall=short;fast=slow;young=old;happy=sad;light=dark;heavy=light;hard=soft;wet=dry;
    full=empty;open=closed;rich=poor;strong=weak;early=late;loud=quiet;clean=dirty;near=far;high=low;
    wide=narrow;thick=thin;deep=shallow;good=bad;right=wrong;true=false;first=last;up=down;left=right;
    in=out;day=night;summer=winter;brave=cowardly;kind=cruel;cheap=expensive;easy=difficult;
    begin=end;buy=sell;push=pull;win=lose;love=hate;give=take;come=go;remember=forget;
    hope=despair;calm=angry;safe=dangerous;sweet=sour;awake=asleep"""
)
PAST = _pairs(
    """go=went;see=saw;eat=ate;take=took;give=gave;come=came;run=ran;write=wrote;sing=sang;swim=swam;
    drink=drank;fly=flew;drive=drove;break=broke;speak=spoke;find=found;buy=bought;think=thought;
    bring=brought;teach=taught;catch=caught;feel=felt;leave=left;keep=kept;sleep=slept;build=built;
    send=sent;lose=lost;make=made;say=said;tell=told;know=knew;grow=grew;draw=drew;begin=began;
    forget=forgot;choose=chose;steal=stole;fall=fell;hide=hid;ride=rode;wake=woke;weep=wept;stand=stood"""
)
PLURAL = _pairs(
    """child=children;man=men;woman=women;mouse=mice;foot=feet;tooth=teeth;goose=geese;ox=oxen;
    leaf=leaves;wolf=wolves;knife=knives;life=lives;wife=wives;city=cities;baby=babies;box=boxes;
    bus=buses;dish=dishes;tomato=tomatoes;potato=potatoes;hero=heroes;cat=cats;dog=dogs;book=books;
    fox=foxes;berry=berries;shelf=shelves;thief=thieves;brush=brushes;lady=ladies"""
)
JOB = _pairs(
    """baker=bread;doctor=patients;teacher=pupils;farmer=crops;fisherman=fish;tailor=clothes;
    carpenter=furniture;painter=pictures;writer=books;gardener=plants;cook=meals;judge=laws;
    pilot=planes;sailor=ships;miner=coal;beekeeper=honey;shepherd=sheep;librarian=library books;
    astronomer=stars;musician=songs;dentist=teeth;mechanic=engines;photographer=photos;actor=plays"""
)
DAYS = listed("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS = listed(
    "January February March April May June July August September October November December"
)

BY_SIZE = listed(
    "grain of sand;ant;bee;coin;mouse;egg;frog;apple;rat;book;hen;cat;fox;dog;goat;wolf;pig;bear;"
    "horse;car;elephant;bus;house;whale;church;tower;bridge;village;mountain;island;"
    "city;country;moon;sun",
    ";",
)
"""From the smallest to the largest."""

BY_SPEED = listed(
    "snail;worm;turtle;crab;duck;hen;pig;cow;boat;human;goat;"
    "cat;dog;wolf;horse;lion;bus;car;train;plane;rocket",
    ";",
)
"""From the slowest to the fastest."""
