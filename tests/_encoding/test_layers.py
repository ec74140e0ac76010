"""Hidden states beside the sentence vector: which, how they are pooled, scaled and kept."""

import pickle

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import BertConfig, BertModel

from pafo_sk import EmbeddingStore, PafoRewardEstimator
from pafo_sk._encoding.encode import encode_texts
from pafo_sk._encoding.layers import (
    block_scales,
    check_layers,
    n_layers,
    resolve_layers,
    scaled_blocks,
)
from pafo_sk.datasets import make_text_preferences

TEXTS = ["yes no tax", "bus", "more bike lane city city", "good less", ""]


@pytest.fixture(scope="module")
def deep_encoder(tiny_encoder_path, tmp_path_factory):
    """A random SentenceTransformer of four layers."""
    model = SentenceTransformer(str(tiny_encoder_path), device="cpu")
    config = model[0].model.config.to_dict() | {"num_hidden_layers": 4}
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(1)
        model[0].model = BertModel(BertConfig(**config)).eval()
    return model


def hidden_states(model, texts):
    """Means of all hidden states over each text alone, (n_texts, 5, 16)."""
    found = []
    for text in texts:
        features = model.preprocess([text])
        with torch.no_grad():
            states = (
                model[0]
                .model(
                    input_ids=features["input_ids"],
                    attention_mask=features["attention_mask"],
                    output_hidden_states=True,
                )
                .hidden_states
            )
        found.append(torch.stack([state[0].mean(dim=0) for state in states]))
    return torch.stack(found).numpy()


@pytest.mark.parametrize(
    ("layers", "numbers"),
    [
        ("last", ()),
        ("auto", (2, 4)),
        ((0, 3), (0, 3)),
        ((-1, -5), (4, 0)),
        ((0.25, 1.0), (1, 4)),
        ((2, 0.5), (2,)),
        ([3], (3,)),
    ],
)
def test_numbers(deep_encoder, layers, numbers):
    assert n_layers(deep_encoder) == 4
    assert resolve_layers(check_layers(layers), deep_encoder) == numbers


@pytest.mark.parametrize("layers", ["first", (), (1.5,), (True,), 3, ("last",), None])
def test_what_names_no_layers(layers):
    with pytest.raises(ValueError, match=r"layers.*must be \"auto\", \"last\" or a tuple"):
        check_layers(layers)


def test_layers_that_are_not_there(deep_encoder):
    with pytest.raises(ValueError, match=r"asks for \[5, -6\].*the layers 0 .*to 4"):
        resolve_layers((5, 1, -6), deep_encoder)


def test_blocks_are_means_over_the_tokens_of_a_text(deep_encoder):
    """Padding does not count, and the last layer is the sentence vector."""
    vectors = encode_texts(TEXTS, deep_encoder, encode_params={"layers": (0, 3, -1)}, cache=None)
    states = hidden_states(deep_encoder, TEXTS)
    np.testing.assert_allclose(vectors[:, :16], states[:, 0], atol=1e-5)
    np.testing.assert_allclose(vectors[:, 16:32], states[:, 3], atol=1e-5)
    np.testing.assert_allclose(
        vectors[:, 32:], encode_texts(TEXTS, deep_encoder, cache=None), atol=1e-5
    )
    assert not deep_encoder[0].model.config.output_hidden_states
    assert not deep_encoder._forward_hooks


def test_an_encoder_can_be_pickled_afterwards(tiny_encoder_path):
    """The hooks that transformers leaves in the layers could not be sent to another process."""
    model, params = SentenceTransformer(str(tiny_encoder_path)), {"layers": (0, -1)}
    vectors = encode_texts(TEXTS, model, encode_params=params, cache=None)
    again = pickle.loads(pickle.dumps(model))
    for encoder in (again, model):
        np.testing.assert_array_equal(
            encode_texts(TEXTS, encoder, encode_params=params, cache=None), vectors
        )


def test_an_encoder_that_was_only_unpickled(tiny_encoder_path, tmp_path, run_python):
    """In a process that has made none of its class, transformers 5 would hand out no layers."""
    params = {"layers": (0, -1)}
    encoder = SentenceTransformer(str(tiny_encoder_path), device="cpu")
    (tmp_path / "encoder.pickle").write_bytes(pickle.dumps(encoder))
    code = f"""
import pickle
import numpy as np
from pafo_sk._encoding.encode import encode_texts
with open("encoder.pickle", "rb") as file:
    encoder = pickle.load(file)
np.save("vectors.npy", encode_texts({TEXTS}, encoder, encode_params={params}, cache=None))
"""
    run_python(code, tmp_path)
    np.testing.assert_allclose(
        np.load(tmp_path / "vectors.npy"),
        encode_texts(TEXTS, encoder, encode_params=params, cache=None),
        atol=1e-6,
    )


def test_a_transformer_that_hands_out_no_hidden_states(tiny_encoder_path):
    class Silent(BertModel):
        _can_record_outputs = None

    encoder = SentenceTransformer(str(tiny_encoder_path), device="cpu")
    encoder[0].model = Silent(encoder[0].model.config).eval()
    with pytest.raises(ValueError, match=r'Silent hands out no hidden states.*"layers": "last"'):
        encode_texts(TEXTS, encoder, encode_params={"layers": "auto"}, cache=None)


def test_normalisation_is_that_of_the_sentence_vector(deep_encoder):
    params = {"normalize_embeddings": True}
    both = encode_texts(
        TEXTS, deep_encoder, encode_params={**params, "layers": (2, -1)}, cache=None
    )
    own = encode_texts(TEXTS, deep_encoder, encode_params=params, cache=None)
    np.testing.assert_allclose(both[:, 16:], own, atol=1e-5)
    np.testing.assert_allclose(both[:, :16], hidden_states(deep_encoder, TEXTS)[:, 2], atol=1e-5)


@pytest.mark.parametrize("kind", ["memory", "folder"])
def test_layers_are_kept_one_by_one(deep_encoder, tmp_path, kind, monkeypatch):
    store = EmbeddingStore(tmp_path / "store") if kind == "folder" else "memory"
    texts = [f"{kind} {text}" for text in TEXTS]

    def encode(layers):
        return encode_texts(texts, deep_encoder, encode_params={"layers": layers}, cache=store)

    three = encode((1, 2, -1))

    def refuse(*args, **kwargs):
        raise AssertionError("nothing needs to be encoded again")

    with monkeypatch.context() as patch:
        patch.setattr(type(deep_encoder[0]), "forward", refuse)
        np.testing.assert_array_equal(encode((2, 1)), three[:, np.r_[16:32, 0:16]])
        np.testing.assert_array_equal(encode("last"), three[:, 32:])
        with pytest.raises(AssertionError):
            encode((0, 1))
    np.testing.assert_allclose(encode((0, 1))[:, 16:], three[:, :16], atol=1e-5)


def test_encoders_without_layers(tiny_encoder_path):
    class Own:
        def encode(self, texts):
            return np.array([[len(text), 1.0] for text in texts])

    cut = SentenceTransformer(str(tiny_encoder_path), device="cpu", truncate_dim=8)
    for encoder in (Own(), cut):
        assert n_layers(encoder) == 0
        assert resolve_layers("auto", encoder) == ()
        with pytest.raises(ValueError, match=r"layers.*needs a SentenceTransformer.*\"last\""):
            encode_texts(TEXTS, encoder, encode_params={"layers": (0,)}, cache=None)


def test_blocks_are_scaled_to_vary_alike():
    rng = np.random.RandomState(0)
    vectors = np.concatenate(
        [100 * rng.normal(size=(50, 3)) + 7, rng.normal(size=(50, 3)), np.ones((50, 3))], axis=1
    ).astype(np.float32)
    scales = block_scales(vectors, 3)
    blocks = scaled_blocks(vectors, scales).reshape(50, 3, 3)
    np.testing.assert_allclose(blocks.var(axis=0).sum(axis=1), [1, 1, 0], atol=1e-4)
    assert block_scales(vectors, 1) is None
    assert scaled_blocks(vectors, None) is vectors


def test_a_model_keeps_its_layers_and_scales(deep_encoder):
    data = make_text_preferences(n_users=8, n_comparisons=6, random_state=0)
    fit = {"strategy": "pooled", "random_state": 0, "encoder": deep_encoder}
    model = PafoRewardEstimator(**fit).fit(data.X, data.y)
    assert model.encoder_info_["layers"] == (2, 4)
    assert model.encoder_info_["dimension"] == 32
    # one row is scaled as all rows of fit were
    np.testing.assert_allclose(
        model.decision_function(data.X[:1]), model.decision_function(data.X)[:1], atol=1e-5
    )
    last = PafoRewardEstimator(**fit, encode_params={"layers": "last"}).fit(data.X, data.y)
    assert (last.encoder_info_["layers"], last.encoder_info_["dimension"]) == ("last", 16)
    model.set_params(encode_params={"layers": (1, 4)})
    with pytest.raises(ValueError, match=r"for layers=\(1, 4\).*fitted with layers=\(2, 4\)"):
        model.predict(data.X)
