"""Encoding leaves torch's settings and the encoder's flags as found."""

import copy

import numpy as np
import torch

from pafo_sk._encoding.encode import encode_texts


class Dropping(torch.nn.Module):
    """A module with an encode of its own, noisy while it trains, and rude."""

    def __init__(self):
        super().__init__()
        self.dropout = torch.nn.Dropout(0.5)
        self.embedding = torch.nn.Embedding(200, 50)

    def encode(self, texts):
        torch.manual_seed(0)
        torch.rand(3)
        torch.set_num_threads(torch.get_num_threads() + 1)
        return self.dropout(self.embedding(torch.tensor([len(text) for text in texts])))


def test_surroundings_are_left_as_found(tiny_encoder):
    own, sentence_transformer = Dropping(), copy.deepcopy(tiny_encoder)
    own.eval()
    own.dropout.train()
    sentence_transformer.train()
    sentence_transformer[1].eval()
    torch.manual_seed(11)
    state, n_threads = torch.get_rng_state(), torch.get_num_threads()
    for encoder in (own, sentence_transformer):
        flags = [module.training for module in encoder.modules()]
        vectors = encode_texts(["a", "bb"], encoder)
        np.testing.assert_array_equal(vectors, encode_texts(["a", "bb"], encoder, cache=None))
        assert (vectors != 0).all()  # no dropout, though it was on
        assert [module.training for module in encoder.modules()] == flags
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == n_threads
