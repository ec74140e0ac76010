import pytest

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
    from pafo_sk._encoding import load_encoder

    return load_encoder(tiny_encoder_path, device="cpu")
