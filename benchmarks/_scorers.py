"""Ten stand-ins for reward models, each computed from the text of a response."""

from __future__ import annotations

import re

import numpy as np


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FORMAL = _words(
    "therefore however furthermore moreover consequently thus hence regarding consider significant "
    "research analysis theory evidence study framework approach methodology concept context "
    "objective strategy subsequently additionally individuals numerous various"
)
_CASUAL = _words(
    "hey wow cool fun awesome guys kid kids stuff yeah gonna wanna really super totally crazy okay "
    "ok lol amazing magic party star show movie music game vibe"
)
_GOOD = _words(
    "good great best better love loved happy joy beautiful wonderful success successful benefit "
    "benefits improve enjoy positive effective valuable perfect excellent healthy safe easy hope "
    "strong bright exciting delicious gentle warm delight"
)
_BAD = _words(
    "bad worse worst hate sad fear danger dangerous risk risks problem problems difficult fail "
    "failure loss lose negative pain poor dark death crisis conflict harm wrong war threat cold "
    "lonely lost broken"
)
_READER = _words("you your yours yourself we our us let")
_WORD = re.compile(r"[a-z']+")
_SENTENCE = re.compile(r"[.!?]+(?:\s|$)")
_LIST = re.compile(r"(?m)^\s*(?:[-*•]|\d+[.)])\s")


def score(text: str) -> dict[str, float]:
    """Compute the ten scores of one response."""
    words = _WORD.findall(text.lower())
    n_words = max(len(words), 1)
    n_sentences = max(len(_SENTENCE.findall(text)), 1)
    n_letters = max(len(text), 1)

    def per_100(vocabulary: frozenset[str]) -> float:
        return 100 * sum(word in vocabulary for word in words) / n_words

    return {
        "length": float(np.log(n_words)),
        "short_sentences": -n_words / n_sentences,
        "diversity": len(set(words)) / np.sqrt(n_words),
        "long_words": sum(map(len, words)) / n_words,
        "formal": per_100(_FORMAL) - per_100(_CASUAL),
        "cheerful": per_100(_GOOD) - per_100(_BAD),
        "reader": per_100(_READER),
        "figures": float(np.log1p(sum(c.isdigit() for c in text) + 3 * len(_LIST.findall(text)))),
        "lively": float(np.log1p(100 * sum(c in "!?" for c in text) / n_letters)),
        "punctuated": float(np.log1p(100 * sum(c in ",;:()-" for c in text) / n_letters)),
    }
