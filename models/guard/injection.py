#!/usr/bin/env python3
"""Fits what each sign of an injection is worth, and what the vector adds; writes src/guard/checks/injection/{weights.rs,attacks.i8} and left_out.json.

    LOCKGATE_EVAL_DATA=… models/guard/injection.py

Signs and vectors come from the code itself: `cargo bench --bench guard_quality -- --findings`. See README.md beside this file for data, licences and protocol.
"""

import json
import sys
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import harmless  # noqa: E402
from findings import ROOT, findings, folder, write  # noqa: E402

TARGET = ROOT / "src/guard/checks/injection"
SOURCES = ("deepset", "inthewild", "purplellama")
TRAFFIC = ("banking77", "clinc150")
# Of every five rows of traffic the first fits; the second sets the bar, here and in the bench.
EVERY, FITS, BAR = 5, 0, 1
# Harmless prompts, by how much they count beside each other. Deepset's own are harmless prompts of its kind.
SHARES = {"harmless": 0.5, "traffic": 0.5, "deepset": 0.25}
# Harmless prompts weigh twice as much as attacks.
HARMLESS = 2.0
RIDGE = 0.002
VECTOR_RIDGE = 0.02
# Which window of a text shows an attack is not known; the one that scores highest is taken, and the fit repeated.
ROUNDS = 5
MOST = 4.0
# No public set disguises its letters; who does so has a reason.
LEAST = {"[disguised] in a sentence": 0.5, "[invisible] in a sentence": 0.5}
# What the structure may say beside a vector; as in detector.rs.
CLEAR = (-4.0, 6.0)
# At a score of 0.5, so many of the traffic that sets the bar and of the templates are over it.
TRAFFIC_ALARMS, HARMLESS_ALARMS = 0.01, 0.05
# Many texts show the same signs and score the same; the bar is above those that are on it.
MARGIN = 0.05
# Vectors of attacks nearer than this to one that is kept add nothing.
NEAR = 0.9
UNIT = 400.0


class Rows:
    """Texts of one kind."""

    def __init__(self, windows, vectors):
        self.windows, self.vectors = windows, vectors

    def __len__(self):
        return len(self.windows)

    def logits(self, signs, bias):
        return np.array([(windows @ signs).max(initial=0.0) + bias for windows in self.windows])

    def best(self, signs):
        """The window of each text that says most."""
        picked = np.zeros((len(self), len(signs)))
        for row, windows in enumerate(self.windows):
            if len(windows):
                picked[row] = windows[np.argmax(windows @ signs)]
        return picked


def load(place):
    """Attacks and harmless rows of each source, traffic that fits, traffic that sets the bar, templates."""
    read = lambda path: [json.loads(line) for line in (place / path).open()]
    texts, parts = [], {}

    def add(name, more):
        parts[name] = slice(len(texts), len(texts) + len(more))
        texts.extend(more)

    for source in SOURCES:
        for attack in (True, False):
            add((source, attack), [row["text"] for row in read(f"injection/{source}.jsonl") if row["attack"] == attack])
    for name, first in (("traffic", FITS), ("bar", BAR)):
        add(name, [row["text"] for kind in TRAFFIC for row in read(f"traffic/{kind}.jsonl")[first::EVERY]])
    add("harmless", harmless.texts())
    names, seen = findings(texts)
    shown = lambda row: np.array([[sign == "1" for sign in window] for window in row["windows"]], bool).reshape(-1, len(names))
    windows, vectors = [shown(row) for row in seen], np.array([row["vector"] for row in seen])
    return names, {name: Rows(windows[part], vectors[part]) for name, part in parts.items()}


def logistic(features, labels, weights, ridge, offset, bounds, start):
    """Weights of the features, and a constant."""
    count = features.shape[1]

    def loss(parameters):
        logit = features @ parameters[:count] + parameters[count] + offset
        value = (weights * (np.logaddexp(0, logit) - labels * logit)).sum() + (ridge * parameters[:count] ** 2).sum()
        slope = weights * (1 / (1 + np.exp(-logit)) - labels)
        return value, np.append(features.T @ slope + 2 * ridge * parameters[:count], slope.sum())

    return minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": 2000}).x


def training(rows, sources):
    """What is fitted on, with what each row counts."""
    parts = [(rows[source, True], 1.0, 1 / len(sources)) for source in sources]
    kinds = {"harmless": rows["harmless"], "traffic": rows["traffic"]}
    if "deepset" in sources:
        kinds["deepset"] = rows["deepset", False]
    total = sum(SHARES[kind] for kind in kinds)
    parts += [(part, 0.0, HARMLESS * SHARES[kind] / total) for kind, part in kinds.items()]
    labels = np.concatenate([np.full(len(part), label) for part, label, _ in parts])
    weights = np.concatenate([np.full(len(part), share / len(part)) for part, _, share in parts])
    return [part for part, _, _ in parts], labels, weights


def structure(names, parts, labels, weights):
    """What each sign is worth: nothing, or something that speaks for an attack."""
    count = len(names)
    signs, bounds = np.ones(count), [(LEAST.get(name, 0.0), MOST) for name in names] + [(None, None)]
    for _ in range(ROUNDS):
        features = np.concatenate([part.best(signs) for part in parts])
        fitted = logistic(features, labels, weights, RIDGE, 0.0, bounds, np.append(np.full(count, 0.5), -3.0))
        signs = fitted[:count]
    return signs, fitted[count]


def nearest(vectors, known):
    return (vectors @ known.T).max(axis=1)


def meaning(rows, sources, signs, bias):
    """What vector and nearest attack add. The attacks that are near to one of a source are looked for in the others, as they will be for an attack that is new."""
    parts, labels, weights = training(rows, sources)
    banks = {source: rows[source, True].vectors for source in sources}

    def near(part):
        others = [bank for bank in banks.values() if bank is not part.vectors]
        return nearest(part.vectors, np.concatenate(others or list(banks.values())))

    features = np.concatenate([np.column_stack([part.vectors, near(part)]) for part in parts])
    offset = np.concatenate([np.clip(part.logits(signs, bias), *CLEAR) for part in parts])
    size = features.shape[1] - 1
    bounds = [(None, None)] * size + [(0.0, None), (None, None)]
    fitted = logistic(features, labels, weights, np.append(np.full(size, VECTOR_RIDGE), RIDGE), offset, bounds, np.zeros(size + 2))
    return fitted[:size], fitted[size], fitted[size + 1]


def bar(traffic, templates):
    return max(np.quantile(traffic, 1 - TRAFFIC_ALARMS), np.quantile(templates, 1 - HARMLESS_ALARMS)) + MARGIN


def fit(names, rows, sources):
    """All weights; a logarithm of odds of 0, a score of 0.5, is where the bar is, by structure and with a vector."""
    parts, labels, weights = training(rows, sources)
    signs, bias = structure(names, parts, labels, weights)
    bias -= bar(rows["bar"].logits(signs, bias), rows["harmless"].logits(signs, bias))
    vector, near, vector_bias = meaning(rows, sources, signs, bias)
    known = np.concatenate([rows[source, True].vectors for source in sources])
    with_vector = lambda part: np.clip(part.logits(signs, bias), *CLEAR) + part.vectors @ vector + near * nearest(part.vectors, known) + vector_bias
    vector_bias -= bar(with_vector(rows["bar"]), with_vector(rows["harmless"]))
    return {
        "signs": np.round(signs, 3).tolist(),
        "bias": round(float(bias), 3),
        "vector": np.round(vector, 3).tolist(),
        "nearest": round(float(near), 3),
        "vector_bias": round(float(vector_bias), 3),
    }


def kept(vectors):
    """The vectors of a source without those that are next to one that is kept."""
    chosen = []
    for vector in vectors:
        if not chosen or (np.array(chosen) @ vector).max() < NEAR:
            chosen.append(vector)
    return np.array(chosen)


def publish(names, fitted, banks):
    numbers = lambda values: ", ".join(f"{value:.3f}" for value in values)
    signs = "\n".join(f"    {value:.3f}, // {name}" for value, name in zip(fitted["signs"], names))
    attacks = ", ".join(f'("{source}", {len(bank)})' for source, bank in banks.items())
    write(
        TARGET / "weights.rs",
        f"""//! What each sign is worth, and what the vector adds. Written by `models/guard/injection.py`; see `models/guard/README.md`.

use super::signs;
use crate::embed::DIMENSIONS;

/// For each sign.
pub(super) static SIGNS: [f32; signs::SIGNS] = [
{signs}
];

/// Added to the sum of the signs.
pub(super) const BIAS: f32 = {fitted["bias"]};

/// For each number of a vector.
pub(super) static VECTOR: [f32; DIMENSIONS] = [{numbers(fitted["vector"])}];

/// For the cosine to the nearest known attack.
pub(super) const NEAREST: f32 = {fitted["nearest"]};

/// Added to the sum of structure, vector and nearest attack.
pub(super) const VECTOR_BIAS: f32 = {fitted["vector_bias"]};

/// The sets of known attacks, and how many of `attacks.i8` are of each.
pub(super) static ATTACKS: [(&str, usize); {len(banks)}] = [{attacks}];
""",
    )
    vectors = np.concatenate(list(banks.values()))
    (TARGET / "attacks.i8").write_bytes(np.clip(np.round(vectors * UNIT), -127, 127).astype(np.int8).tobytes())


def main() -> None:
    names, rows = load(folder())
    fitted = fit(names, rows, SOURCES)
    for value, name in sorted(zip(fitted["signs"], names), reverse=True):
        print(f"{value:6.2f}  {name}")
    publish(names, fitted, {source: kept(rows[source, True].vectors) for source in SOURCES})
    left_out = [{"left_out": source, **fit(names, rows, tuple(other for other in SOURCES if other != source))} for source in SOURCES]
    (HERE / "left_out.json").write_text("[\n" + ",\n".join(json.dumps(fitted) for fitted in left_out) + "\n]\n")


main()
