#!/usr/bin/env python3
"""Makes src/cache/verify/opposites.txt: pairs of words of opposite meaning.

Pairs come from WordNet 3.1 (its licence is in models/lexicon/LICENSE) and from models/lexicon/own.txt. Of WordNet, direct antonyms of single words are taken, and of
adjectives also the indirect ones: a word that is similar to one head of a pair is opposed to the other head ("rude" is similar to "impolite", and so opposed to "polite").

    models/lexicon.py WORDNET_DICT_FOLDER           writes the file
    models/lexicon.py WORDNET_DICT_FOLDER --check   fails if it is not what would be written
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "src/cache/verify/opposites.txt"
HEADER = "# Words of opposite meaning, a pair a line. Made by models/lexicon.py from WordNet 3.1 and models/lexicon/own.txt.\n"
# Adjectives that are opposed in one sense only, and stand side by side in every other.
UNTRUE = {("american", "foreign"), ("have", "lack"), ("can", "hire"), ("it", "them")}


def word(lemma: str) -> str | None:
    lemma = re.sub(r"\(.*\)", "", lemma).lower()
    return lemma if lemma.isalpha() and lemma.isascii() and len(lemma) > 1 else None


def synsets(path: Path):
    for line in path.read_text().splitlines():
        if line.startswith("  "):
            continue
        fields = line.split("|")[0].split()
        count = int(fields[3], 16)
        words = [word(lemma) for lemma in fields[4 : 4 + 2 * count : 2]]
        at = 4 + 2 * count
        pointers = [fields[at + 1 + 4 * n : at + 5 + 4 * n] for n in range(int(fields[at]))]
        yield fields[0], fields[2], words, pointers


def common(folder: Path) -> set[str]:
    """Words that WordNet's tagged texts use at all."""
    rows = (line.split() for line in (folder / "index.sense").read_text().splitlines())
    return {key.split("%")[0] for key, _, _, count in rows if int(count) > 0}


def wordnet(folder: Path):
    used = common(folder)
    for part in ("adj", "adv", "noun", "verb"):
        sets = {offset: (kind, words, pointers) for offset, kind, words, pointers in synsets(folder / f"data.{part}")}
        heads = {}
        for offset, (_, words, pointers) in sets.items():
            for symbol, to, _, ends in pointers:
                if symbol == "!":
                    one, other = words[int(ends[:2], 16) - 1], sets[to][1][int(ends[2:], 16) - 1]
                    heads.setdefault(offset, set()).add(other)
                    yield one, other
        for kind, words, pointers in sets.values():
            if kind != "s":
                continue
            for symbol, to, _, _ in pointers:
                if symbol == "&":
                    yield from ((one, other) for one in words[:2] if one in used for other in heads.get(to, ()) if other in used)


def own():
    for line in (HERE / "lexicon/own.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            yield tuple(line.split())


def made(folder: Path) -> str:
    pairs = {tuple(sorted(pair)) for pair in [*wordnet(folder), *own()] if all(pair) and pair[0] != pair[1]}
    return HEADER + "".join(f"{one} {other}\n" for one, other in sorted(pairs - UNTRUE))


def main() -> None:
    text = made(Path(sys.argv[1]))
    if "--check" in sys.argv:
        sys.exit(0 if TARGET.read_text() == text else f"{TARGET} is not what this script makes")
    TARGET.write_text(text)
    print(f"{text.count(chr(10)) - 1} pairs")


main()
