import copy
import gc
import pickle
import shutil
import threading
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from pafo_sk._encoding import loading
from pafo_sk._encoding.encode import check_same_encoder, encode_texts, encoder_info
from pafo_sk._encoding.fingerprint import (
    EncoderReference,
    encoder_facts,
    fingerprint_of,
    reference_for,
)
from pafo_sk._encoding.loading import load_encoder


def test_fingerprint_of_a_folder(
    tiny_encoder_path, tmp_path, monkeypatch, tiny_encoder, other_weights
):
    info = encoder_info(tiny_encoder_path, tiny_encoder)
    assert info["name"] == str(tiny_encoder_path)
    assert info["dimension"] == 16
    assert len(info["fingerprint"]) >= 16
    int(info["fingerprint"], 16)
    monkeypatch.setattr(loading, "_models", {})
    again = load_encoder(tiny_encoder_path, device="cpu")
    assert again is not tiny_encoder
    assert encoder_info(tiny_encoder_path, again) == info
    changed = load_encoder(other_weights(tiny_encoder_path, tmp_path / "changed"), device="cpu")
    assert encoder_info(None, changed)["fingerprint"] != info["fingerprint"]
    assert encoder_info(None, tiny_encoder)["name"].endswith("SentenceTransformer")


def train(model):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    sum(parameter.sum() for parameter in model.parameters()).backward()
    optimizer.step()


def add_a_token(model):
    model.tokenizer.add_tokens(["brandnew"])


def shorten(model):
    model.max_seq_length = 11


def pool_otherwise(model):
    model[1].pooling_mode = "cls"


def prompt(model):
    model.prompts["p"], model.default_prompt_name = "yes ", "p"


@pytest.mark.parametrize("change", [train, shorten, pool_otherwise, prompt])
def test_changed_model_is_another_encoder(change, tiny_encoder):
    model = copy.deepcopy(tiny_encoder)
    texts = ["yes no " * 10]
    before = encode_texts(texts, model)
    fingerprint = encoder_info(None, model)["fingerprint"]
    assert fingerprint == encoder_info(None, tiny_encoder)["fingerprint"]
    change(model)
    assert encoder_info(None, model)["fingerprint"] != fingerprint
    np.testing.assert_allclose(
        encode_texts(texts, model), model.encode(texts, convert_to_numpy=True), atol=1e-6
    )
    assert not np.allclose(before, encode_texts(texts, model), atol=1e-4)


def test_vocabulary_belongs_to_the_fingerprint(tiny_encoder):
    model = copy.deepcopy(tiny_encoder)
    add_a_token(model)
    assert (
        encoder_info(None, model)["fingerprint"] != encoder_info(None, tiny_encoder)["fingerprint"]
    )


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("tokenizer_config.json", '"do_lower_case": true', '"do_lower_case": false'),
        ("config.json", '"hidden_act": "gelu"', '"hidden_act": "relu"'),
        ("config.json", '"num_attention_heads": 2', '"num_attention_heads": 4'),
    ],
)
def test_configuration_belongs_to_the_fingerprint(
    tiny_encoder_path, tiny_encoder, tmp_path, file, before, after
):
    folder = shutil.copytree(tiny_encoder_path, tmp_path / "changed")
    changes = {before: after, '"lowercase": true': '"lowercase": false'}
    tokens = [folder / "tokenizer.json"] if file.startswith("tokenizer") else []
    for path in [folder / file, *tokens]:
        text = path.read_text()
        for old, new in changes.items():
            text = text.replace(old, new)
        assert text != path.read_text()
        path.write_text(text)
    model = load_encoder(folder, device="cpu")
    text = ["YES no"]
    assert not np.allclose(model.encode(text), tiny_encoder.encode(text), atol=1e-6)
    assert (
        encoder_info(None, model)["fingerprint"] != encoder_info(None, tiny_encoder)["fingerprint"]
    )


@pytest.mark.parametrize("kind", ["static", "words", "counts"])
def test_fingerprint_of_encoders_without_a_transformer(kind):
    def make(lower):
        if kind == "static":
            tokenizer = Tokenizer(models.WordLevel({"no": 0, "[UNK]": 1}, unk_token="[UNK]"))
            tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
            if lower:
                tokenizer.normalizer = normalizers.Lowercase()
            parts = [modules.StaticEmbedding(tokenizer, embedding_weights=np.eye(2))]
        elif kind == "words":
            words = dict.fromkeys(["No", "no"]).keys()  # any iterable of words is allowed
            tokenizer = modules.tokenizer.WhitespaceTokenizer(words, do_lower_case=lower)
            parts = [modules.WordEmbeddings(tokenizer, np.eye(2)), modules.Pooling(2)]
        else:
            parts = [modules.BoW(["no", "report" if lower else "meeting"])]
        return SentenceTransformer(modules=parts, device="cpu")

    fingerprint = encoder_info(None, make(True))["fingerprint"]
    assert encoder_info(None, make(True))["fingerprint"] == fingerprint
    assert encoder_info(None, make(False))["fingerprint"] != fingerprint


class Wrapper:
    def __init__(self, model, suffix=""):
        self.model, self.suffix = model, suffix

    def encode(self, texts):
        return self.model.encode([text + self.suffix for text in texts])


class Slots:
    __slots__ = ()

    def encode(self, texts):
        return np.ones((len(texts), 2))


@dataclass
class Unhashable:
    scale: float

    def encode(self, texts):
        return np.full((len(texts), 2), self.scale)


class Locked(Unhashable):
    def __init__(self, scale):
        self.scale, self.lock = scale, threading.Lock()


def test_fingerprint_of_objects(tiny_encoder_path, tiny_encoder, monkeypatch, returns):
    def fingerprint(encoder):
        return encoder_info(None, encoder)["fingerprint"]

    # Equal weights at other addresses.
    monkeypatch.setattr(loading, "_models", {})
    again = load_encoder(tiny_encoder_path, device="cpu")
    assert fingerprint(Wrapper(tiny_encoder)) == fingerprint(Wrapper(again))
    assert fingerprint(Wrapper(tiny_encoder)) != fingerprint(Wrapper(tiny_encoder, " no"))
    # It returns two vectors whatever the texts, so it is told apart by what it holds.
    ones = [returns([torch.ones(2), torch.ones(3)[:2]]) for _ in range(2)]
    assert fingerprint_of(ones[0]) == fingerprint_of(ones[1])
    assert fingerprint_of(ones[0]) != fingerprint_of(returns([torch.ones(2), torch.zeros(2)]))
    for kind in (Unhashable, Locked):
        assert fingerprint(kind(1.0)) == fingerprint(kind(1.0))
        assert fingerprint(kind(1.0)) != fingerprint(kind(2.0))
    assert fingerprint(Slots()) == fingerprint(Slots())
    assert encoder_info(None, Unhashable(1.0))["dimension"] == 2


def test_facts_die_with_their_object():
    encoder = Unhashable(1.0)
    fingerprint = fingerprint_of(encoder)
    n_entries = len(encoder_facts._entries)
    del encoder
    gc.collect()
    assert len(encoder_facts._entries) < n_entries
    # Whatever gets the freed address is examined on its own.
    assert fingerprint_of(Unhashable(2.0)) != fingerprint


def test_reference(tiny_encoder):
    encoder = Unhashable(3.0)
    reference = reference_for(encoder)
    assert reference_for(encoder) == reference
    assert isinstance(reference, EncoderReference)
    assert load_encoder(pickle.loads(pickle.dumps(reference))) is encoder
    np.testing.assert_array_equal(encode_texts(["a"], reference), [[3, 3]])
    assert encoder_info(reference, encoder)["name"] == reference.name
    # A copy that comes and goes does not take the original with it, nor the other way round.
    clone, passing = copy.deepcopy(encoder), copy.deepcopy(encoder)
    assert reference_for(clone) == reference_for(passing) == reference
    del passing
    gc.collect()
    assert load_encoder(reference) is encoder
    del encoder
    gc.collect()
    assert load_encoder(reference) is clone
    del clone
    gc.collect()
    message = (
        rf"{reference.name}, fingerprint {reference.fingerprint}\) that is not in this process"
    )
    with pytest.raises(ValueError, match=rf"{message}.*set_params\(encoder=obj\).*obj\.save"):
        load_encoder(reference)
    assert load_encoder(reference_for(tiny_encoder)).encode is not None


def test_check_same_encoder(tiny_encoder, letters):
    saved, now = encoder_info("tiny", tiny_encoder), encoder_info(None, letters)
    check_same_encoder(saved, "moved elsewhere", tiny_encoder)
    with pytest.raises(ValueError, match="Pass the original encoder") as caught:
        check_same_encoder(saved, None, letters)
    for part in (
        saved["fingerprint"],
        now["fingerprint"],
        "tiny (16 dim",
        "Letters (3 dim",
        "fit again",
    ):
        assert part in str(caught.value)


def test_asking_for_the_dimension_leaves_no_trace(letters, store):
    assert encoder_info(None, letters)["dimension"] == 3
    assert store.info()["n_entries"] == 0
    letters.asked.clear()
    encode_texts(["b"], letters)
    assert encoder_info(None, letters)["dimension"] == 3
    assert letters.asked == ["b"]
