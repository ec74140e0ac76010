"""Texts that are longer than what an encoder reads: both ends of a response are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pafo_sk._encoding.encode import encodable
from pafo_sk._encoding.fingerprint import encoder_facts, encoder_lock, fingerprint_of, prompt_of
from pafo_sk._encoding.loading import check_params
from pafo_sk._encoding.memory_store import address_of
from pafo_sk._warnings import warn_caller

# What `within_window` does, for ``encoder_info_``.
RULE = "prompts lose their beginning, then responses their middle"

# So many texts that fit are remembered of each encoder, in about 100 bytes each.
_REMEMBERED = 500_000

# Where the tokens of a text begin and end; nothing where the tokenizer does not tell.
Offsets = list[tuple[int, int]]


def join_prompt(prompt: str, response: str) -> str:
    """Return the text that is encoded for a response to a prompt."""
    return f"{prompt}\n{response}" if prompt else response


def window_of(model: Any, encode_params: dict[str, Any] | None = None) -> int | None:
    """Return the number of tokens that an encoder reads of a text, None if it does not say."""
    params = check_params(encode_params)
    tokenizer = getattr(model, "tokenizer", None)
    if not callable(tokenizer) or not hasattr(tokenizer, "num_special_tokens_to_add"):
        return None
    with encoder_lock:  # another thread may have narrowed it for a while
        return params.get("max_length") or getattr(model, "max_seq_length", None)


def within_window(
    prompts: Sequence[str],
    responses: Sequence[str],
    model: Any,
    encode_params: dict[str, Any] | None = None,
) -> tuple[list[str], np.ndarray]:
    """Join prompts and responses, and shorten what an encoder would not read.

    An encoder reads the beginning of a text. It would see nothing of a response behind a long
    prompt, so that all responses to it had the same vector. The end of the prompt is kept, as far
    as there is room beside the whole response, because the end is what a response answers. A
    response that is longer than the window keeps its beginning and its end, half of the room each.
    Texts stay as they are where the tokenizer does not tell where tokens are in the text; the
    encoder then reads their beginning.

    Returns
    -------
    texts : list of str
    longer : ndarray of bool, shape (n_texts,)
        Which of them are longer than the window.
    """
    texts = list(map(join_prompt, prompts, responses))
    longer = np.zeros(len(texts), dtype=bool)
    window = window_of(model, encode_params)
    if window is None:
        return texts, longer
    tokenizer, instruction = model.tokenizer, prompt_of(model, check_params(encode_params))
    room = window - tokenizer.num_special_tokens_to_add()
    # Texts that were found to fit are not looked at again.
    seen: dict[tuple, set[bytes]] = encoder_facts[model].setdefault("fitting", {})
    key = fingerprint_of(model), window, instruction
    fitting = seen.get(key, set())
    # No token is shorter than a byte, so short texts need no tokenizer.
    rows = [
        row
        for row, text in enumerate(texts)
        if len((instruction + encodable(text)).encode()) > room and address_of(text) not in fitting
    ]
    if not rows:
        return texts, longer
    with encoder_lock:
        counts = _counts([instruction + texts[row] for row in rows], tokenizer)
        for row, count in zip(rows, counts, strict=True):
            longer[row] = count > room
        new = [address_of(texts[row]) for row in rows if not longer[row]][:_REMEMBERED]
        if sum(map(len, seen.values())) + len(new) > _REMEMBERED:
            seen.clear()
        seen.setdefault(key, set()).update(new)
        rows = [row for row in rows if longer[row]]
        if rows and getattr(tokenizer, "is_fast", False):
            free = room - _counts([instruction], tokenizer)[0]
            if free < 1:
                raise ValueError(
                    f"Nothing is left for texts in the encoder's window of {window} tokens beside "
                    f"the prompt {instruction!r} and {window - room} special tokens. Pass a larger "
                    "encode_params['max_length'], or a shorter prompt."
                )
            chosen = [prompts[row] for row in rows], [responses[row] for row in rows]
            short = _shortened(*chosen, free, room, instruction, tokenizer)
            for row, text in zip(rows, short, strict=True):
                texts[row] = text
    return texts, longer


def _shortened(
    prompts: list[str],
    responses: list[str],
    free: int,
    room: int,
    instruction: str,
    tokenizer: Any,
) -> list[str]:
    """The end of every prompt with its response, or both ends of a response.

    A part is not always cut into the tokens that it has within the whole, and what joins two parts
    may be a token as well. So the result is counted, and cut again by what is too much.
    """
    of_prompts, of_responses = _tokens(prompts, tokenizer), _tokens(responses, tokenizer)
    n_responses = np.minimum(list(map(len, of_responses)), free)
    n_prompts = free - n_responses
    texts, rows = [""] * len(prompts), np.arange(len(prompts))
    while len(rows):
        for row in rows.tolist():
            response = _without_middle(responses[row], of_responses[row], int(n_responses[row]))
            prompt = _end(prompts[row], of_prompts[row], int(n_prompts[row]))
            texts[row] = join_prompt(prompt, response)
        excess = np.array(_counts([instruction + texts[row] for row in rows], tokenizer)) - room
        rows, excess = rows[excess > 0], excess[excess > 0]
        with_prompt = n_prompts[rows] > 0
        n_responses[rows[~with_prompt]] -= excess[~with_prompt]
        n_prompts[rows] = np.maximum(n_prompts[rows] - excess, 0)
        rows = rows[n_responses[rows] > 0]
    return texts


def _counts(texts: list[str], tokenizer: Any) -> list[int]:
    """How many tokens texts have, without special ones."""
    return list(map(len, _tokens(texts, tokenizer)))


def _tokens(texts: list[str], tokenizer: Any) -> list[Offsets]:
    """Where the tokens of texts begin and end; each distinct text is looked at once."""
    unique = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    fast = getattr(tokenizer, "is_fast", False)
    found = tokenizer(
        list(map(encodable, unique)),
        add_special_tokens=False,
        truncation=False,
        # Not verbose, because transformers would warn of long texts, though none is encoded.
        verbose=False,
        **({"return_offsets_mapping": True} if fast else {}),
    )["offset_mapping" if fast else "input_ids"]
    return [found[unique[text]] for text in texts]


def _end(text: str, tokens: Offsets, n_kept: int) -> str:
    """The last tokens of a text."""
    if n_kept >= len(tokens):
        return text
    return text[tokens[len(tokens) - n_kept][0] :] if n_kept else ""


def _without_middle(text: str, tokens: Offsets, room: int) -> str:
    """The first and the last tokens of a text that is longer than the room for it."""
    if len(tokens) <= room:
        return text
    n_first = room - room // 2
    head = text[: tokens[n_first - 1][1]] if n_first > 0 else ""
    return f"{head}\n{_end(text, tokens, room // 2)}"


def warn_longer(
    texts: list[str], longer: np.ndarray, index: np.ndarray, window: int | None
) -> None:
    """Warn of texts that are longer than the window, and of responses that became equal.

    Parameters
    ----------
    texts : list of str
        As encoded.
    longer : ndarray of bool, shape (n_texts,)
    index : ndarray of int, shape (n_columns, n)
        Position of every response's text. With two columns a row is a comparison.
    window : int or None
        Number of tokens that the encoder reads.
    """
    if not longer.any():
        return
    message = (
        f"{longer.sum()} of {len(texts)} texts are longer than the encoder's window of {window} "
        f"tokens: {RULE}. "
    )
    if len(index) == 2:
        a, b = index
        suspects = np.flatnonzero((a != b) & longer[a] & longer[b])
        equal = sum(texts[a[row]] == texts[b[row]] for row in suspects)
        if equal:
            message += (
                f"In {equal} of {len(a)} comparisons both texts became equal, so that their margin "
                "is 0. "
            )
    warn_caller(message + "Shorten them, or choose an encoder with a longer window.")
