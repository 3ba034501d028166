"""Four words for a key, so that two people can compare it by voice.

A word stands for ten bits of the SHA-256 of the public key, four of them for forty:
enough to notice a key that was exchanged by mistake or on the way, when both sides
look; what is believed is always the whole key. The list is sorted and never changes:
a word's place in it is its meaning.
"""

from __future__ import annotations

import hashlib

from relayq.trust.keys import PublicKey

_LIST = """
acid acorn acre actor adder adobe aisle alarm album alder alley alloy almond alpine altar amber anchor
angle animal ankle anvil apple apricot apron aqua arch arena argon armchair armor aroma arrow artist ash
aspen asphalt aster atlas attic aunt autumn avenue avocado award axle azure bacon badge bagel baker
bakery balcony ballad balloon balm bamboo banana banjo banker banner barber barley barn baron barrel
basalt basil basin basket bass bat bath baton bayou beach beacon bead beagle beam bean bear beard beaver
beech beetle bell bellows belt bench beret berry bicycle bike birch bird biscuit bishop bison blade
blanket blaze blizzard block blossom blue board boat bobcat bolt bone bonfire bonnet book boot border
borough bottle boulder bouquet bowl box brain branch brandy brass brave bread breeze brick bride bridge
brine bronze brooch brook broom brother brown brush bubble bucket buckle buffalo bugle builder bulb
bumper bundle bunker burrow bus bush butter button cabbage cabin cable cactus cadet cake calf camel
cameo camera camp canal canary candle candy cannon canoe canopy canvas canyon cape captain car caramel
caravan carbon card cardinal cargo caribou carnival carol carpet carrot cart cashew castle cat catfish
cattle cave cavern cedar celery cellar cello cement center cereal chain chair chalk chamber chapel
chariot charm cheese cherry chess chest chief child chimney chin chipmunk chisel choir chord chowder
cider cigar cinema cinnamon circle circus citrus city clam clarinet clause clay clerk cliff clinic cloak
clock cloth cloud clove clover clown club coach coal coast coat cobalt cobra cocktail cocoa coconut
coffee coil coin collar collie colony column comb comet compass condor cone convoy cookie copper copse
coral cord cork corn corner cottage cotton couch cougar country courier cousin cove cow coyote crab
cradle crag crane crater crayon cream creek crescent cricket crow crown crust crystal cube cup curtain
curve cushion cycle cypress daisy dam dance dancer dawn deck deer delta denim desert desk diamond diary
diesel dime dinner dish diver doctor dog dollar dolphin domino donkey donut door dough dove dragon
drawer dream dress drift drill drum duck dune dust eagle earth easel echo eel egg elbow elder elm ember
emerald engine envelope equator estate evening fabric face falcon family farm farmer fawn feast feather
fence fern ferry fiddle field fig finch finger fir fire fish flag flame flask fleet flint flock floor
flour flower flute foam fog forest fork fort fossil fountain fox frame freight frog frost fruit funnel
fur gallery garden garlic gate gazelle gem geyser giant ginger giraffe glacier glass globe glove glue
goat gold golf goose gorge grain granite grape grass gravel green grill grocer ground grove guard guest
guide guitar gull gypsum hail hall hammer hammock hand harbor hare harp harvest hat hawk hay hazel heart
hedge helmet hen herald herb hero heron hiker hill hinge hippo hive hobby holly honey hood hook hoop
horn horse hotel hound house hunter husky ice icicle igloo index ink inlet insect iris iron island ivory
ivy jacket jade jaguar jam jar jasmine jeans jelly jersey jewel jigsaw jockey joker judge juice jungle
juniper jury kayak kernel kettle key king kitchen kite kitten kiwi knee knight knot koala label lace
ladder lagoon lake lamb lamp lantern larch lark laser laundry lava lavender lawn lawyer leaf leather
lemon lens leopard letter lettuce lever library lichen lily lime linen lion lizard llama lobster locket
lodge log lotus lumber lunch lynx lyric machine magnet magpie maid mango mantle maple marble march
margin marina market marsh mask mast match meadow medal melon mentor mercury metal meteor mill mint
mirror mitten moat mocha model mole monkey moon moose morning mosaic moss moth motor mound mountain
mouse mouth muffin mule museum music mustard napkin navy nebula necklace nectar needle nest net nickel
night noodle north nose notebook nugget nurse nut nutmeg oak oar oasis oat ocean octave office oil olive
onion opal opera orange orbit orchard orchid organ osprey otter oven owl oyster paddle page paint palace
palm panda panel panther paper parade parcel park parrot parsley pasta pastry path pawn peach peacock
peak peanut pear pearl pebble pecan pedal pelican pencil penguin penny pepper perch petal piano pickle
picnic pier pigeon pillar pillow pilot pine pink pirate pizza plain planet plank plate plaza plow plum
plume pocket poem poet polar pond pony pool poplar poppy porch port postcard potato pottery powder
prairie prince prism puddle puffin pulley puma pumpkin puppet purple puzzle pyramid quail quarry quartz
queen quill quilt rabbit raccoon radar radio radish raft rail rain raisin ramp ranch ranger raven recipe
red reef reindeer ribbon rice ridge ring ripple river road robin robot rocket roof room rooster root
rope rose ruby rudder rug ruler saddle sage sail sailor salad salmon salt sand sandal sapphire satin
sauce saucer scale scarf school scooter scout screen screw script sculptor sea seal season seed shadow
shark shed sheep shelf shell shepherd shield ship shirt shoe shore shovel shrimp shrub shutter signal
silk silver singer siren sister skate sketch ski skirt sky slate sled sleeve slope snail snake snow soap
soccer sock sofa soil soldier solo sonnet soup south spade spark sparrow spear sphere spice spider
spinach spiral sponge spoon spring spruce square squash squid stable stadium stage stair stamp star
statue steam steel stem step stew stone stool stork storm stove stream street string studio sugar suit
summer summit sun sunset surf swan sweater swing switch sword syrup table tablet tailor tango tank tape
tart taxi tea teacher temple tennis tent thimble thistle thorn thread throne thumb thunder ticket tide
tiger tile timber tin toast tomato tooth topaz torch tortoise tower town toy tractor trail train tray
tree trellis triangle trout truck trumpet trunk tulip tuna tunnel turban turkey turnip turtle tuxedo
twig twin umbrella uncle unicorn uniform vacuum valley valve van vanilla vase vault velvet vessel vest
vine vinegar violet violin visitor voice volcano voyage wafer wagon waiter walnut walrus waltz warden
wasp watch water wave wax weasel weather weaver wedge west whale wheat wheel whisker whistle white
willow wind window wine wing winter wizard wolf wombat wood wool word worker wreath wren wrist yacht
yard yarn yellow yogurt zebra zenith zinc zipper zone
"""
WORDS = tuple(_LIST.split())
BITS = 10
COUNT = 4


def four_words(public: str) -> str:
    """Return the fingerprint of a public key: `amber-canoe-otter-tulip`."""
    number = int.from_bytes(hashlib.sha256(PublicKey(public).raw).digest()[:5], "big")
    places = (number >> BITS * place & (1 << BITS) - 1 for place in reversed(range(COUNT)))
    return "-".join(WORDS[place] for place in places)
