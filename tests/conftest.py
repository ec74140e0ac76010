import os
from typing import ClassVar

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # several test processes: more threads in each would get in each other's way
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, settings
from sklearn.utils import Bunch

# A busy machine is slow, which is no fault of a test.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

_WORDS = "yes no tax cut raise city bus bike lane more less good bad"


@pytest.fixture(scope="session")
def tiny_encoder_path(tmp_path_factory):
    """Folder of a random SentenceTransformer: 16 dimensions, a window of 12 tokens."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    letters = [chr(code) for code in range(33, 127)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_WORDS.split(), *letters]
    vocabulary += [f"##{letter}" for letter in letters]
    folder = tmp_path_factory.mktemp("tiny_encoder")
    bert = folder / "bert"
    bert.mkdir()
    (bert / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizerFast(str(bert / "vocab.txt"), model_max_length=64).save_pretrained(bert)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        BertModel(config).save_pretrained(bert)
    # Of a plain BERT this makes one that averages its tokens.
    model = SentenceTransformer(str(bert), device="cpu")
    model.max_seq_length = 12
    path = folder / "saved"
    model.save(str(path))
    return path


@pytest.fixture(scope="session")
def tiny_encoder(tiny_encoder_path):
    """The object loaded from ``tiny_encoder_path``; shared, so tests must not change it."""
    from pafo_sk._encoding.loading import load_encoder

    return load_encoder(tiny_encoder_path, device="cpu")


@pytest.fixture(scope="session")
def quick():
    """Make an estimator whose fit takes a fraction of a second."""
    from pafo_sk import PafoRewardEstimator, RewardNet

    def make(**params):
        settings = {"n_folds": 3, "distill_weight": 0.5, "specialist_shrinkage": 1.0}
        settings["n_prototypes"] = 1
        settings["reward_net"] = RewardNet(optimizer__max_iter=10)
        return PafoRewardEstimator(**{**settings, "random_state": 0, **params})

    return make


@pytest.fixture(scope="session")
def data():
    """Comparisons of 20 users in two groups, as differences of 6 numbers with a user column."""
    from pafo_sk.datasets import make_preferences

    return make_preferences(n_users=20, n_comparisons=10, n_features=6, random_state=0)


class LetterEncoder:
    """Counts letters. It names itself, so that it is asked for nothing but texts."""

    asked: ClassVar[list] = []

    def __init__(self, letters="abcdef"):
        self.letters = self.fingerprint = letters

    def encode(self, texts):
        LetterEncoder.asked.extend(texts)
        return np.array([[text.count(c) for c in self.letters] for text in texts], dtype=float)


@pytest.fixture
def letter_encoder():
    """An encoder object that counts letters; ``asked`` are the texts it got in this test."""
    LetterEncoder.asked.clear()
    return LetterEncoder()


class Letters:
    """Counts letters, and has no name of its own."""

    def encode(self, texts):
        return np.array([[text.count(c) for c in "abcdef"] for text in texts], dtype=float)


@pytest.fixture(scope="session")
def text_model(texts, quick):
    """A fitted model of texts; shared, so tests must not change it."""
    return quick(encoder=Letters()).fit(texts.X, texts.y, groups=texts.groups)


def _text_comparisons(seed=0, n_users=12, n_comparisons=10):
    rng = np.random.RandomState(seed)
    n = n_users * n_comparisons
    texts = np.array(["".join(rng.choice(list("abcdef"), 6)) for _ in range(40)], dtype=object)
    a = rng.randint(40, size=n)
    b = (a + 1 + rng.randint(39, size=n)) % 40
    users = rng.permutation(np.repeat(np.arange(n_users), n_comparisons))
    # the first quarter of the users likes b, the others like a
    group = np.where(users < n_users // 4, "few", "most").astype(object)
    liked = np.where(group == "few", "b", "a")
    margin = [y.count(c) - x.count(c) for x, y, c in zip(texts[a], texts[b], liked, strict=True)]
    X = pd.DataFrame(
        {
            "prompt": [f"question {i % 15}" for i in range(n)],
            "response_a": texts[a],
            "response_b": texts[b],
            "user": [f"user {u}" for u in users],
        }
    )
    y = (np.array(margin) + rng.normal(scale=0.3, size=n) > 0).astype(int)
    return Bunch(X=X, y=y, groups=group, users=users)


@pytest.fixture(scope="session")
def texts():
    """Comparisons of short texts by 12 users, of whom a quarter likes another letter."""
    return _text_comparisons()


@pytest.fixture(scope="session")
def made():
    """Comparisons of 60 items by 20 users, with the row numbers of the items."""
    from pafo_sk.datasets import make_preferences

    return make_preferences(20, 10, n_features=6, n_items=60, form="pairs", random_state=0)


@pytest.fixture(scope="session")
def table(made):
    """The same as a table; shared, so tests must not change it."""
    from pafo_sk import ComparisonTable

    return ComparisonTable(
        made.item_features, made.item_a, made.item_b, users=made.users, groups=made.groups
    )
