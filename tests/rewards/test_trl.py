"""A real step of TRL's GRPOTrainer, with a tiny random policy."""

import warnings

import numpy as np
import pytest

pytestmark = pytest.mark.slow
WORDS = ["a", "b", "c", "d", "e", "f", "question", "1", "2", "3", "user", "assistant"]
TEMPLATE = "{% for message in messages %}{{ message['content'] + ' ' }}{% endfor %}"


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    """A GPT-2 of two thousand weights, and its tokenizer."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(["<pad>", "<eos>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    )
    fast.chat_template = TEMPLATE
    config = GPT2Config(
        vocab_size=len(vocabulary), n_positions=64, n_embd=16, n_layer=1, n_head=2,
        bos_token_id=1, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    return GPT2LMHeadModel(config), fast


@pytest.mark.parametrize("form", ["plain", "conversational"])
def test_a_step(form, text_model, policy, tmp_path):
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    model, tokenizer = policy
    prompts = ["question 1", "question 2"]
    if form == "conversational":
        prompts = [[{"role": "user", "content": prompt}] for prompt in prompts]
    rows = Dataset.from_dict({"prompt": prompts, "user": ["user 1", None]})
    reward = text_model.as_reward_func(user_column="user")
    seen = []

    def watched(prompts, completions, **columns):
        values = reward(prompts, completions, **columns)
        seen.append((columns["user"], values))
        return values

    watched.__name__ = reward.__name__
    config = GRPOConfig(
        output_dir=str(tmp_path), max_steps=1, per_device_train_batch_size=4, num_generations=2,
        max_completion_length=4, report_to=[], use_cpu=True, bf16=False, logging_steps=1,
        save_strategy="no", disable_tqdm=True, learning_rate=0.1,
    )  # fmt: skip
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of trl and accelerate
        trainer = GRPOTrainer(
            model, watched, args=config, train_dataset=rows, processing_class=tokenizer
        )
        trainer.train()
    (log,) = [entry for entry in trainer.state.log_history if "reward" in entry]
    values = np.concatenate([values for _, values in seen])
    assert len(values) == 4
    assert np.isfinite(values).all()
    assert log["reward"] == pytest.approx(values.mean(), rel=1e-4, abs=1e-4)
    assert "rewards/pafo_reward/mean" in log
    assert {user for users, _ in seen for user in users} == {"user 1", None}
    assert any((model.state_dict()[name] != value).any() for name, value in before.items())
