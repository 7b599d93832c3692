"""Pairs of questions of our own, from templates: same meaning in other words, and near-identical words of another meaning.

Each family lists ways to ask one thing; different families of a group share words and ask for different things.
"""

import itertools
import random

# Ways to ask the same: all lines of a family mean the same for the same fillers.
FAMILIES = {
    "howto": [
        "How do I {do}?",
        "How can I {do}?",
        "What is the best way to {do}?",
        "what's the easiest way to {do}",
        "Can you tell me how to {do}?",
        "I want to {do}. How do I do that?",
        "What steps do I take to {do}?",
    ],
    "why-do": ["Why should I {do}?", "What is the reason to {do}?", "Why would anyone {do}?"],
    "where-do": ["Where can I {do}?", "What is a good place to {do}?", "Which place is best to {do}?"],
    "cost-do": ["How much does it cost to {do}?", "What does it cost to {do}?", "what is the price to {do}"],
    "time-do": ["How long does it take to {do}?", "How much time does it take to {do}?", "how many hours do I need to {do}"],
    "permission-do": ["Am I allowed to {do}?", "Is it legal to {do}?", "Is it against the law to {do}?"],
    "attribute": ["What is the {of} of {thing}?", "What's {thing}'s {of}?", "Tell me the {of} of {thing}", "Can you name the {of} of {thing}?"],
    "opinion": ["What do you think of {thing}?", "What is your opinion on {thing}?", "What are your thoughts about {thing}?"],
    "history": ["What is the history of {thing}?", "Where does {thing} come from?", "How did {thing} begin?"],
    "future": ["What is the future of {thing}?", "What will become of {thing}?", "How will {thing} develop?"],
    "best": ["What are the best {goods} in {place}?", "Which {goods} in {place} are best?", "What are some good {goods} in {place}?", "Can you recommend {goods} in {place}?"],
    "worst": ["What are the worst {goods} in {place}?", "Which {goods} in {place} are the worst?"],
    "cheap": ["What are the cheapest {goods} in {place}?", "Which {goods} in {place} cost the least?"],
    "become": ["How do I become a {role}?", "How can I become a {role}?", "What does it take to become a {role}?", "What should I do to be a {role}?"],
    "earn": ["How much does a {role} earn?", "What is the salary of a {role}?", "How much money does a {role} make?"],
    "day": ["What does a {role} do all day?", "What is a typical day of a {role} like?"],
    "between": ["What is the difference between {a} and {b}?", "How do {a} and {b} differ?", "What is the difference between {b} and {a}?", "How is {a} different from {b}?"],
    "better": ["Which is better, {a} or {b}?", "Is {a} or {b} better?", "Which is better, {b} or {a}?", "Should I choose {a} or {b}?"],
    "into": ["How do I turn {a} into {b}?", "What is the best way to turn {a} into {b}?", "How can I change {a} into {b}?"],
    "into-back": ["How do I turn {b} into {a}?", "What is the best way to turn {b} into {a}?", "How can I change {b} into {a}?"],
    "using-a": ["How do I use {a} without {b}?", "Can I use {a} without {b}?"],
    "using-b": ["How do I use {b} without {a}?", "Can I use {b} without {a}?"],
}
# Synonyms: a filler may be said either way.
DO = [
    ("learn to swim", "learn swimming"), ("learn to cook", "learn cooking"), ("lose weight", "get slimmer"), ("gain weight", "put on weight"),
    ("fix a flat tyre", "repair a flat tyre"), ("change a tyre", "replace a tyre"), ("buy a used car", "purchase a second-hand car"), ("sell a used car", "sell a second-hand car"),
    ("rent a car", "hire a car"), ("write a novel", "write a book of fiction"), ("publish a novel", "get a novel published"), ("remove rust", "get rid of rust"), ("prevent rust", "keep rust from forming"),
    ("delete my account", "remove my account"), ("create an account", "sign up for an account"), ("start a podcast", "begin a podcast"), ("grow tomatoes", "cultivate tomatoes"), ("cook tomatoes", "prepare tomatoes"),
    ("train a puppy", "teach a puppy"), ("adopt a puppy", "get a puppy from a shelter"), ("build a website", "create a website"), ("translate a website", "put a website into another language"),
    ("sleep better", "improve my sleep"), ("sleep less", "need less sleep"), ("stop worrying", "quit worrying"), ("paint a wall", "put paint on a wall"), ("insulate a wall", "put insulation into a wall"),
    ("speak in public", "give a speech in public"), ("file a tax return", "submit a tax return"), ("amend a tax return", "correct a tax return"), ("bake bread", "make bread"), ("freeze bread", "keep bread in the freezer"),
]
THING = ["chess", "the violin", "jazz", "paper", "Norway", "Kenya", "Lisbon", "Toyota", "Linux", "glass", "the bicycle", "the euro", "Sanskrit", "football", "silk", "the radio", "porcelain", "Peru"]
OF = [("origin", "beginning"), ("name", "name"), ("meaning", "sense"), ("capital", "capital"), ("population", "number of inhabitants"), ("currency", "money"), ("size", "area"), ("inventor", "creator")]
GOODS = [("restaurants", "places to eat"), ("hotels", "places to stay"), ("museums", "museums"), ("bookshops", "bookstores"), ("beaches", "beaches"), ("schools", "schools"), ("gyms", "fitness studios"), ("bakeries", "bakeries")]
PLACE = ["Madrid", "Oslo", "Toronto", "Lagos", "Mumbai", "Seoul", "Lima", "Cairo", "Perth", "Boston"]
ROLE = [("pilot", "pilot"), ("doctor", "physician"), ("lawyer", "attorney"), ("teacher", "teacher"), ("actor", "actor"), ("nurse", "nurse"), ("chef", "cook"), ("judge", "judge"), ("data scientist", "data scientist"), ("plumber", "plumber")]
SIDES = [("a PDF", "a Word file"), ("butter", "oil"), ("Java", "Kotlin"), ("a loan", "a grant"), ("steel", "iron"), ("a salary", "an hourly wage"), ("coal", "gas"), ("a laptop", "a tablet"), ("rice", "pasta"), ("grams", "cups")]
# What narrows a question: the answer is another.
NARROWED = ["for free", "at home", "without experience", "in winter", "as a student", "at 60", "in two weeks", "abroad", "on a small budget", "without a computer"]
FAMILY_OF = {
    "do": ["howto", "why-do", "where-do", "cost-do", "time-do", "permission-do"],
    "thing": ["opinion", "history", "future"],
    "role": ["become", "earn", "day"],
    "goods": ["best", "worst", "cheap"],
    "sides": ["between", "better", "into", "into-back", "using-a", "using-b"],
}


def fillers(slot: str):
    match slot:
        case "do":
            return [({"do": one}, {"do": other}) for one, other in DO]
        case "thing":
            return [({"thing": thing},) * 2 for thing in THING]
        case "role":
            return [({"role": one}, {"role": other}) for one, other in ROLE]
        case "goods":
            return [({"goods": one, "place": place}, {"goods": other, "place": place}) for one, other in GOODS for place in PLACE]
        case "sides":
            return [({"a": a, "b": b},) * 2 for a, b in SIDES]


def pairs(seed: int = 1):
    """Yields (a, b, same, group)."""
    random_ = random.Random(seed)
    for slot, families in FAMILY_OF.items():
        fills = fillers(slot)
        for n, (plain, other) in enumerate(fills):
            for family in families:
                ways = FAMILIES[family]
                one, two = random_.sample(ways, 2)
                yield one.format(**plain), two.format(**plain), True, "reworded"
                yield one.format(**plain), random_.choice(ways).format(**other), True, "synonym"
                neighbour = fills[(n + random_.randrange(1, len(fills))) % len(fills)][0]
                yield one.format(**plain), random_.choice([one, two]).format(**neighbour), False, "other filler"
                asked = random_.choice([other for other in families if other != family])
                yield one.format(**plain), random_.choice(FAMILIES[asked]).format(**plain), False, "other question"
                text = one.format(**plain).rstrip("?")
                yield one.format(**plain), f"{text} {random_.choice(NARROWED)}?", False, "narrowed"
                yield one.format(**plain), f"{text}, please?", True, "empty word"
    for (one, _), thing, other in itertools.product(OF, THING[:10], THING[10:14]):
        yield FAMILIES["attribute"][0].format(of=one, thing=thing), FAMILIES["attribute"][random_.randrange(4)].format(of=one, thing=other), False, "other filler"
    for (one, other), thing in itertools.product(OF, THING):
        ways = random_.sample(FAMILIES["attribute"], 2)
        yield ways[0].format(of=one, thing=thing), ways[1].format(of=other, thing=thing), True, "synonym"
        asked = random_.choice([of for of, _ in OF if of != one])
        yield ways[0].format(of=one, thing=thing), ways[random_.randrange(2)].format(of=asked, thing=thing), False, "other question"
