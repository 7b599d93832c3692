#!/usr/bin/env python3
"""Fits how much each check of src/cache/verify lowers the score, and writes src/cache/verify/weights.rs.

    LOCKGATE_EVAL_DATA=… models/fit.py            fits, reports and writes
    LOCKGATE_EVAL_DATA=… models/fit.py --report   fits and reports, groups left out one by one

What every check says of a pair comes from the code itself: `cargo bench --bench cache_quality -- --findings`. Pairs come from data whose licence allows it: traps (CheckList, MIT),
BANKING77 (CC BY 4.0), CLINC150 (CC BY 3.0), and models/verification/templates.py. Nothing is fitted on Quora's or GSM-Plus's pairs; they only measure.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from sklearn.feature_extraction.text import TfidfVectorizer

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "verification"))
import templates  # noqa: E402

TARGET = HERE.parent / "src/cache/verify/weights.rs"
# Where every check that ships with a veto has said no, there is nothing to weigh.
VETOES = ("numbers", "literals", "negation", "opposites", "arguments", "names", "people", "time", "question")
VETO_AT = 0.5
# Pairs less alike than this are served at no setting worth having.
ZONE = 0.75
# Steepness of the logistic curve in cosine: what the similarity itself says, held fixed so that easy sets cannot flatten it.
SLOPE = 90.0
RIDGE = 0.3
# What a check that finds all or nothing weighs once an operator takes its veto away: the fit has seen no pair that it refused.
LEAST = 0.15
ALL_OR_NOTHING = ("numbers", "literals", "negation", "opposites", "arguments", "people")
# Templates are cleaner than people's questions, so they count less.
SHARE = {"banking77": 1.0, "clinc150": 1.0, "traps": 1.0, "templates": 0.25}
NEIGHBOURS = 3
GRID = np.round(np.arange(0.70, 0.996, 0.01), 2)


def traffic(path: Path):
    """Each text with its nearest in words, of its own intent and of others."""
    intents = {row["text"]: row["intent"] for row in map(json.loads, path.open())}
    texts, labels = list(intents), np.array(list(intents.values()))
    vectors = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)).fit_transform(texts)
    seen = set()
    for begin in range(0, len(texts), 500):
        near = (vectors[begin : begin + 500] @ vectors.T).toarray()
        for row, scores in enumerate(near, begin):
            order = [other for other in np.argsort(-scores)[:400] if other != row]
            for same in (True, False):
                chosen = [other for other in order if (labels[other] == labels[row]) == same][:NEIGHBOURS]
                seen |= {(min(row, other), max(row, other), same) for other in chosen}
    return [(texts[a], texts[b], same, f"{labels[a]}|{labels[b]}") for a, b, same in sorted(seen)]


def pairs(folder: Path):
    rows = map(json.loads, (folder / "pairs/traps.jsonl").open())
    return {
        "traps": [(row["a"], row["b"], row["same"], row["group"]) for row in rows],
        "banking77": traffic(folder / "traffic/banking77.jsonl"),
        "clinc150": traffic(folder / "traffic/clinc150.jsonl"),
        "templates": list(templates.pairs()),
    }


def findings(rows):
    """Labels, groups, cosines and what each check found."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "pairs.jsonl"
        file.write_text("".join(json.dumps({"a": a, "b": b, "same": same, "group": group}) + "\n" for a, b, same, group in rows))
        command = ["cargo", "bench", "--quiet", "--bench", "cache_quality", "--", "--findings", str(file)]
        lines = subprocess.run(command, cwd=HERE.parent, check=True, capture_output=True, text=True).stdout.splitlines()
    table = [line.split(",") for line in lines[1:]]
    names = lines[0].split(",")[3:]
    same = np.array([row[0] == "1" for row in table])
    group = np.array([row[1] for row in table])
    numbers = np.array([[float(cell) for cell in row[2:]] for row in table])
    return names, {"same": same, "group": group, "cosine": numbers[:, 0], "found": numbers[:, 1:]}


def vetoed(names, found):
    return (found[:, [names.index(name) for name in VETOES]] >= VETO_AT).any(axis=1)


def fit(names, sets):
    """Weights in cosine. Each set has an intercept of its own, for their shares of equal pairs say nothing."""
    count = len(names)
    parts = []
    for place, (name, data) in enumerate(sets.items()):
        keep = (data["cosine"] > ZONE) & ~vetoed(names, data["found"])
        same = data["same"][keep]
        weight = np.where(same, 0.5 / max(1, same.sum()), 0.5 / max(1, (~same).sum())) * SHARE[name]
        parts.append((data["cosine"][keep], data["found"][keep], same.astype(float), weight, place))

    def loss(parameters):
        weights = parameters[:count]
        total, gradient = RIDGE * (weights**2).sum(), np.zeros_like(parameters)
        gradient[:count] = 2 * RIDGE * weights
        for cosine, found, same, share, place in parts:
            logit = np.clip(SLOPE * (cosine - found @ weights - parameters[count + place]), -60, 60)
            total += (share * (np.logaddexp(0, logit) - same * logit)).sum()
            slope = share * (1 / (1 + np.exp(-logit)) - same) * SLOPE
            gradient[:count] -= found.T @ slope
            gradient[count + place] -= slope.sum()
        return total, gradient

    start = np.concatenate([np.full(count, 0.02), np.full(len(parts), 0.8)])
    # A check may only lower the score.
    bounds = [(0, 0.6)] * count + [(None, None)] * len(parts)
    return minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": 1000}).x[:count]


def finished(names, weights):
    """What was never seen to weigh still does when its veto is taken away."""
    least = [LEAST if name in ALL_OR_NOTHING else 0.0 for name in names]
    return np.round(np.maximum(weights, least), 3)


def score(names, weights, data):
    """As `verify` computes it; a veto is the end."""
    room = 1 - weights[names.index("shared")]
    scores = np.minimum(1, 1 - (room - (data["cosine"] - data["found"] @ weights)) / room)
    return np.where(vetoed(names, data["found"]), -1, scores)


def calibration(names, weights, sets):
    """Threshold and share of served pairs that are different, each set counting the same; made to fall with the threshold."""
    points = []
    for threshold in GRID:
        wrong = right = 0.0
        for data in sets.values():
            served = score(names, weights, data) >= threshold
            wrong += (served & ~data["same"]).sum() / max(1, (~data["same"]).sum())
            right += (served & data["same"]).sum() / max(1, data["same"].sum())
        points.append(wrong / max(1e-9, wrong + right))
    return np.minimum.accumulate(np.array(points))


def write(names, weights, errors):
    cells = ", ".join(f"{weight:.3f}" for weight in weights)
    points = ", ".join(f"({threshold:.2f}, {error:.4f})" for threshold, error in zip(GRID, errors))
    TARGET.write_text(
        f"""//! How much each check lowers the score. Written by `models/fit.py`; see `models/verification/README.md`.

use super::CHECKS;

/// In cosine, for a check that found all it can find; in the order of [`super::Check::ALL`].
pub(super) const WEIGHTS: [f32; CHECKS] = [{cells}];

/// Thresholds, and the share of semantic hits that were wrong there; rising thresholds, falling shares.
pub(super) const CALIBRATION: &[(f32, f32)] = &[{points}];
"""
    )
    subprocess.run(["rustfmt", "--edition", "2024", str(TARGET)], check=True)


def leave_groups_out(names, sets):
    """How a group fares that the weights have not seen."""
    traps = sets["traps"]
    for group in sorted(set(traps["group"])):
        out = traps["group"] == group
        rest = {**sets, "traps": {key: value[~out] for key, value in traps.items()}}
        weights = finished(names, fit(names, rest))
        held = {key: value[out] for key, value in traps.items()}
        served = [(score(names, weights, held) >= threshold).mean() for threshold in (0.85, 0.90, 0.95)]
        kind = "same" if held["same"][0] else "different"
        print(f"  {kind:<9} " + " ".join(f"{100 * share:5.1f} %" for share in served) + f"  {group}")


def main() -> None:
    folder = os.environ.get("LOCKGATE_EVAL_DATA")
    if not folder:
        sys.exit("LOCKGATE_EVAL_DATA is not set: name the folder that holds pairs/ and traffic/.")
    names, sets = None, {}
    for name, rows in pairs(Path(folder)).items():
        names, sets[name] = findings(rows)
        print(f"{name}: {len(rows)} pairs, {100 * sets[name]['same'].mean():.0f} % same")
    weights = finished(names, fit(names, sets))
    print({name: float(weight) for name, weight in zip(names, weights) if weight > 0})
    errors = calibration(names, weights, sets)
    print("threshold: share of served that is wrong")
    print("  " + "  ".join(f"{threshold:.2f}: {100 * error:.1f} %" for threshold, error in zip(GRID[::5], errors[::5])))
    if "--report" in sys.argv:
        print("groups left out of the fit, served at thresholds 0.85, 0.90, 0.95")
        leave_groups_out(names, sets)
    else:
        write(names, weights, errors)


main()
