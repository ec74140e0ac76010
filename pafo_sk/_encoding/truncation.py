"""Texts that are longer than what an encoder reads: responses are kept, prompts are shortened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pafo_sk._encoding.encode import encodable
from pafo_sk._encoding.fingerprint import encoder_facts, prompt_of, revision_of
from pafo_sk._encoding.loading import check_params, encoder_lock
from pafo_sk._encoding.memory_store import address_of
from pafo_sk._warnings import warn_caller


def truncated(
    texts: Iterable[str], model: Any, encode_params: dict[str, Any] | None = None
) -> tuple[int, int]:
    """Count the unique texts that are longer than the encoder's window.

    Returns
    -------
    n_truncated : int
    n_new : int
        How many of them this process had not asked about before.
    """
    params = check_params(encode_params)
    tokenizer = getattr(model, "tokenizer", None)
    window = params.get("max_length") or getattr(model, "max_seq_length", None)
    special = getattr(tokenizer, "num_special_tokens_to_add", None)
    if window is None or special is None or not callable(tokenizer):
        return 0, 0
    prompt, room = prompt_of(model, params), window - special()
    # No token is shorter than a byte, so short texts need no tokenizer.
    whole = {prompt + encodable(text) for text in texts}
    long = [text for text in whole if len(text.encode()) > room]
    addresses = [address_of(text) for text in long]
    with encoder_lock:
        known = encoder_facts[model].setdefault("truncated", {})
        known = known.setdefault((revision_of(model), window), {})
        new = [row for row, address in enumerate(addresses) if address not in known]
        n_new = 0
        for start in range(0, len(new), 256):
            rows = new[start : start + 256]
            # Not verbose, because transformers would warn of long texts, though none is encoded.
            tokens = tokenizer([long[row] for row in rows], truncation=False, verbose=False)
            for row, ids in zip(rows, tokens["input_ids"], strict=True):
                known[addresses[row]] = len(ids) > window
                n_new += len(ids) > window
        return sum(known[address] for address in addresses), n_new


def join_prompt(prompt: str, response: str) -> str:
    """Return the text that is encoded for a response to a prompt."""
    return f"{prompt}\n{response}" if prompt else response


def join_prompts(prompts: Sequence[str], responses: Sequence[str]) -> list[str]:
    """Return the texts that are encoded for responses to prompts, however long they are."""
    return list(map(join_prompt, prompts, responses))


def within_window(
    prompts: Sequence[str],
    responses: Sequence[str],
    model: Any,
    encode_params: dict[str, Any] | None = None,
) -> list[str]:
    """Join prompts and responses, and drop the beginning of prompts that leave no room.

    An encoder reads the beginning of a text. Behind a long prompt it would see nothing of the
    response, so that all responses to it had the same vector. The end of the prompt is kept, as far
    as there is room beside the whole response. Encoders whose tokenizer does not tell where tokens
    are in the text get texts of any length.
    """
    texts = join_prompts(prompts, responses)
    params = check_params(encode_params)
    tokenizer: Any = getattr(model, "tokenizer", None)
    window = params.get("max_length") or getattr(model, "max_seq_length", None)
    if window is None or not getattr(tokenizer, "is_fast", False):
        return texts
    instruction = prompt_of(model, params)
    # no token is shorter than a byte, so that short texts need no tokenizer
    long = [
        row
        for row, text in enumerate(texts)
        if prompts[row] and len((instruction + encodable(text)).encode()) > window - 2
    ]
    if not long:
        return texts

    def tokens(some: list[str]) -> list[list[tuple[int, int]]]:
        """Where the tokens of texts begin and end; each distinct text is looked at once."""
        unique = {text: row for row, text in enumerate(dict.fromkeys(some))}
        found = tokenizer(
            list(map(encodable, unique)),
            add_special_tokens=False,
            truncation=False,
            return_offsets_mapping=True,
            verbose=False,
        )["offset_mapping"]
        return [found[unique[text]] for text in some]

    room = window - tokenizer.num_special_tokens_to_add() - len(tokens([instruction])[0])
    of_prompts = tokens([prompts[row] for row in long])
    of_responses = tokens([responses[row] for row in long])
    n_shortened = 0
    for row, of_prompt, of_response in zip(long, of_prompts, of_responses, strict=True):
        n_kept = max(room - len(of_response), 0)
        if n_kept < len(of_prompt):
            start = of_prompt[len(of_prompt) - n_kept][0] if n_kept else len(prompts[row])
            texts[row] = join_prompt(prompts[row][start:], responses[row])
            n_shortened += 1
    if n_shortened:
        warn_caller(
            f"{n_shortened} of {len(texts)} items are longer than the encoder's window of {window} "
            "tokens. Their responses are kept, and their prompts lose the beginning. Shorten the "
            "prompts, or choose an encoder with a longer window."
        )
    return texts


def warn_truncated(texts: list[str], model: Any, encode_params: dict[str, Any] | None) -> None:
    """Warn of texts that are cut off, unless this process has warned of all of them."""
    count, n_new = truncated(texts, model, encode_params)
    if n_new:
        warn_caller(
            f"{count} of {len(set(texts))} unique texts are longer than the encoder's window of "
            f"{getattr(model, 'max_seq_length', '?')} tokens; what lies beyond it is not read. "
            "Shorten them or choose an encoder with a longer window."
        )
