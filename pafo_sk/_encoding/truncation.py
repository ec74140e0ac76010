"""How many texts are longer than what an encoder reads."""

from __future__ import annotations

from collections.abc import Iterable
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


def warn_truncated(texts: list[str], model: Any, encode_params: dict[str, Any] | None) -> None:
    """Warn of texts that are cut off, unless this process has warned of all of them."""
    count, n_new = truncated(texts, model, encode_params)
    if n_new:
        warn_caller(
            f"{count} of {len(texts)} unique texts are longer than the encoder's window of "
            f"{getattr(model, 'max_seq_length', '?')} tokens; what lies beyond it is not read. "
            "Shorten them or choose an encoder with a longer window."
        )
