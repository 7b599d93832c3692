#!/usr/bin/env python3
"""Fits what words and vector say of each category of harm; writes src/guard/checks/moderation/weights.rs.

    LOCKGATE_EVAL_DATA=… models/guard/moderation.py

See README.md beside this file for data, licence and protocol. The bench fits again by folds; `FOLDS`, `STRENGTH` and the balance of classes are the same there.
"""

import json
import sys
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).resolve().parent))
from findings import ROOT, findings, folder, write  # noqa: E402

TARGET = ROOT / "src/guard/checks/moderation/weights.rs"
# In the order of `Category::ALL`, by their names in the set.
CATEGORIES = ("S", "H", "V", "HR", "SH", "S3", "H2", "V2")
FOLDS = 5
# What the loss counts beside half the square of the weights.
STRENGTH = 0.3
# At a score of 0.5, so many of the harmless texts match that a fit has not seen.
ALARMS = 0.01
# And the usual harmless text has this score.
USUAL = 0.05


def fit(features, labels):
    """Weights and a constant; both classes count the same."""
    share = STRENGTH * np.where(labels, 0.5 / max(1, labels.sum()), 0.5 / max(1, (~labels).sum())) * len(labels)

    def loss(parameters):
        logit = features @ parameters[:-1] + parameters[-1]
        value = (share * (np.logaddexp(0, logit) - labels * logit)).sum() + (parameters[:-1] ** 2).sum() / 2
        slope = share * (1 / (1 + np.exp(-logit)) - labels)
        return value, np.append(features.T @ slope + parameters[:-1], slope.sum())

    return minimize(loss, np.zeros(features.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 1000}).x


def folded(features, labels):
    """Scores of texts that the fit has not seen."""
    scores, fold = np.zeros(len(labels)), np.arange(len(labels)) % FOLDS
    for out in range(FOLDS):
        fitted = fit(features[fold != out], labels[fold != out])
        scores[fold == out] = features[fold == out] @ fitted[:-1] + fitted[-1]
    return scores


def auroc(scores, labels):
    order = np.argsort(np.argsort(scores)) + 1
    positives = labels.sum()
    return (order[labels].sum() - positives * (positives + 1) / 2) / (positives * (~labels).sum())


def head(features, labels):
    """Weights whose score is 0.5 where so many harmless texts would match that the fit has not seen."""
    scores = folded(features, labels)
    fitted = fit(features, labels)
    bar, usual = np.quantile(scores[~labels], [1 - ALARMS, 0.5])
    fitted[-1] -= bar
    return fitted * np.log(1 / USUAL - 1) / (bar - usual), auroc(scores, labels)


def main() -> None:
    rows = [json.loads(line) for line in (folder() / "moderation/openai1680.jsonl").open()]
    _, seen = findings([row["prompt"] for row in rows])
    words, vectors = np.array([row["words"] for row in seen]), np.array([row["vector"] for row in seen])
    numbers = lambda values: ", ".join(f"{value:.3f}" for value in values)
    by_words, by_meaning = [], []
    for category in CATEGORIES:
        known = np.array([category in row for row in rows])
        labels = np.array([row[category] == 1 for row in rows if category in row])
        plain, of_words = head(words[known], labels)
        full, of_both = head(np.hstack([vectors, words])[known], labels)
        _, of_vector = head(vectors[known], labels)
        print(f"{category:3} {labels.sum():4} of {len(labels)}: AUROC by words {of_words:.3f}, by vector {of_vector:.3f}, by both {of_both:.3f}")
        by_words.append(f"([{numbers(plain[:-1])}], {plain[-1]:.3f})")
        size = vectors.shape[1]
        by_meaning.append(f"([{numbers(full[:size])}], [{numbers(full[size:-1])}], {full[-1]:.3f})")
    write(
        TARGET,
        f"""//! What words and vector say of each category. Written by `models/guard/moderation.py`; see `models/guard/README.md`.

use super::{{Category, words::NUMBERS}};
use crate::embed::DIMENSIONS;

/// Weights of the words and a constant, for the words alone.
pub(super) static WORDS: [([f32; NUMBERS], f32); Category::ALL.len()] = [{", ".join(by_words)}];

/// Weights of the vector and of the words, and a constant, for both together.
pub(super) static MEANING: [([f32; DIMENSIONS], [f32; NUMBERS], f32); Category::ALL.len()] = [{", ".join(by_meaning)}];
""",
    )


main()
