"""Encoder objects are the same if their vectors are, whatever else they hold."""

import threading

import numpy as np
import pytest
import torch

from pafo_sk._encoding.encode import check_same_encoder, encode_texts, encoder_info
from pafo_sk._encoding.fingerprint import fingerprint_of
from pafo_sk._encoding.probing import PROBES, same_signature, signature_of, state_of


class Client:
    """An encoder behind an interface, as people write them."""

    def __init__(self, key="secret", scale=1.0, wobble=0.0):
        self.key, self.scale, self.wobble = key, scale, wobble
        self.n_calls, self.lock, self.timeout = 0, threading.Lock(), 30

    def encode(self, texts):
        self.n_calls += 1
        noise = self.wobble * np.random.default_rng(self.n_calls).standard_normal((len(texts), 3))
        counts = [[len(text), text.count("e"), sum(map(str.isupper, text))] for text in texts]
        return self.scale * (np.array(counts) + noise)


class Table:
    """Vectors of known texts, and of no others."""

    def __init__(self, **vectors):
        self.vectors = vectors

    def encode(self, texts):
        return [self.vectors[text] for text in texts]


def test_what_does_not_change_the_vectors_does_not_count():
    used = Client()
    saved = encoder_info(None, used)
    for _ in range(3):
        encode_texts(["a"], used, cache=None)
        used.key, used.timeout = "rotated", 60
        assert fingerprint_of(used) == saved["fingerprint"]
    assert saved["dimension"] == 3
    for other in (Client("another key"), Client(wobble=1e-3)):
        check_same_encoder(saved, None, other)
    assert encoder_info(None, Client())["fingerprint"] == saved["fingerprint"]


@pytest.mark.parametrize(
    "change", ["scale", "method", "array", "weights", "closure", "list", "dict"]
)
def test_an_object_that_is_changed_in_place_is_another_encoder(change):
    class Encoder:
        def __init__(self):
            self.scale, self.weight = 1.0, np.ones(2)
            self.linear = torch.nn.Linear(2, 2)
            self.long = [1.0] * 3001
            self.words = dict(enumerate(self.long))

        def encode(self, texts):
            features = np.array([[len(text), text.count("e")] for text in texts], dtype=float)
            scale = self.scale * sum(self.long) * sum(self.words.values())
            features = torch.as_tensor(features * self.weight * scale, dtype=torch.float32)
            return self.linear(features)

    encoder = Encoder()
    saved, before = encoder_info(None, encoder), encode_texts(["one text"], encoder)
    if change == "scale":
        encoder.scale = 2.0
    elif change in ("list", "dict"):  # which stays the same object, of the same size
        changed = encoder.long if change == "list" else encoder.words
        for place in range(len(changed)):
            changed[place] = 2.0
    elif change == "array":
        encoder.weight *= 2
    elif change == "weights":
        with torch.no_grad():
            encoder.linear.weight += 1
    elif change == "method":
        old = Encoder.encode
        Encoder.encode = lambda self, texts: 2 * old(self, texts)
    else:
        factor = 3
        encoder.encode = lambda texts: factor * Encoder.encode(encoder, texts)
    assert fingerprint_of(encoder) != saved["fingerprint"]
    assert not np.allclose(encode_texts(["one text"], encoder), before)
    with pytest.raises(ValueError, match="Pass the original encoder"):
        check_same_encoder(saved, None, encoder)


def test_a_class_that_is_written_again_is_another_encoder():
    """As a cell of a notebook is edited and run again, under the same name."""

    def cell(source):
        names = {"__name__": "__main__"}
        exec(source, names)
        return names["Encoder"]()

    source = "class Encoder:\n  def encode(self, texts):\n    return [[len(t), 1] for t in texts]"
    assert fingerprint_of(cell(source)) == fingerprint_of(cell(source))
    assert fingerprint_of(cell(source)) != fingerprint_of(
        cell(source.replace("len(t)", "t.count('e')"))
    )


def test_an_encoder_names_itself():
    class Named(Client):
        fingerprint = "my-model-v2"

    encoder = Named()
    assert fingerprint_of(encoder) == fingerprint_of(Named("other", scale=3))
    assert encoder.n_calls == 0
    encoder.fingerprint = "my-model-v3"
    assert fingerprint_of(encoder) != fingerprint_of(Named())


def test_a_table_of_known_texts_is_told_by_what_it_holds():
    assert fingerprint_of(Table(a=[1, 2])) == fingerprint_of(Table(a=[1, 2]))
    assert fingerprint_of(Table(a=[1, 2])) != fingerprint_of(Table(a=[1, 3]))

    class Unspeakable(Table):
        def __reduce__(self):
            raise TypeError("no pickles")

    with pytest.raises(KeyError, match="What tells one encoder") as caught:
        fingerprint_of(Unspeakable())
    assert "Give it an attribute `fingerprint`" in caught.value.__notes__[0]


class Words:
    """Counts words, of which the probes may have none."""

    def __init__(self, *words):
        self.words = words

    def encode(self, texts):
        return np.array([[text.split().count(word) for word in self.words] for text in texts])


class Unspeakable(Words):
    def __reduce__(self):
        raise TypeError("no pickles")


def test_words_that_no_probe_has():
    """All such encoders have the same vectors of the probes."""
    one, other = Words("tax", "bus"), Words("bike", "lane")
    assert fingerprint_of(one) == fingerprint_of(Words("tax", "bus"))
    assert fingerprint_of(one) != fingerprint_of(other)
    assert encode_texts(["tax tax bus"], one).tolist() == [[2, 1]]
    assert encode_texts(["tax tax bus"], other).tolist() == [[0, 0]]
    one.words = ("bus", "tax")
    assert encode_texts(["tax tax bus"], one).tolist() == [[1, 2]]
    # what cannot be pickled has only its vectors
    assert fingerprint_of(Unspeakable("tax", "No.")) != fingerprint_of(Unspeakable("No.", "tax"))


def test_vectors_of_another_size_under_another_name():
    encoder = Words("tax", "bus")
    for words in (("tax", "bus"), ("tax", "bus", "lane")):
        encoder.words, encoder.fingerprint = words, f"{len(words)} words"
        assert encode_texts(["tax"], encoder).shape == (1, len(words))


def test_signatures():
    signature, dimension, blind = signature_of(Client())
    assert dimension == 3
    assert not blind
    assert len(signature) == 4 * len(PROBES)
    assert same_signature(signature, signature * 1.001)
    assert not same_signature(signature, signature * 1.02)
    assert not same_signature(signature, signature[:-4])

    class Single:
        def encode(self, texts):
            return np.ones(3)

    assert signature_of(Single()) is None


def test_state_looks_at_everything_once():
    """Also at a container that holds itself, and at a part of containers too large to look into."""
    encoder = Client()
    encoder.itself, encoder.many = encoder, list(range(10**6))
    before = state_of(encoder)
    assert state_of(encoder) == before
    assert len(before) < 200
    encoder.many.append(1)
    assert state_of(encoder) != before
