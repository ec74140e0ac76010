"""Several devices for one encoder: sentence-transformers' pool, one process for each of them."""

from __future__ import annotations

import inspect
import multiprocessing
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pafo_sk._encoding.fingerprint import encoder_facts, revision_of, state_of

# Batches of each device between two results. More of them let devices wait less for one another;
# a kill loses as many.
ROUND = 8
_POLL_SECONDS = 1.0


class DevicePool:
    """Encodes on several devices; its processes start when first needed.

    Parameters
    ----------
    model : SentenceTransformer
    devices : tuple of str
        One process for each.
    window : int or None
        ``max_length`` of the processes; None: the model's.
    """

    def __init__(self, model: Any, devices: tuple[str, ...], window: int | None = None):
        self._model, self.devices, self._window = model, devices, window
        self._home = model.device
        self._pool: dict[str, Any] | None = None

    def encode(self, texts: list[str], **options: Any) -> Any:
        """Vectors of texts, the longest first, as ``SentenceTransformer.encode`` has them.

        Raises
        ------
        RuntimeError
            If a process has died. What a process raises is raised here.
        """
        if self._pool is None:
            self._pool = self._start()
        size = share(len(texts), self.devices)
        options |= {"pool": self._pool, "batch_size": size, "chunk_size": size}
        if "pool" in inspect.signature(self._model.encode).parameters:
            return self._model.encode(
                texts, convert_to_numpy=True, show_progress_bar=False, **options
            )
        return self._model.encode_multi_process(texts, **options)  # sentence-transformers below 5

    def close(self) -> None:
        """Stop the processes and put the model back where it was."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            # What nobody will read any more must not keep this process from ending.
            pool["input"].cancel_join_thread()
            self._model.stop_multi_process_pool(pool)
        if self._model.device != self._home:
            with _same_revision(self._model):
                self._model.to(self._home)

    def _start(self) -> dict[str, Any]:
        if multiprocessing.current_process().daemon:
            raise RuntimeError(
                f"encode_params['device']={list(self.devices)} needs a process for each device, "
                "and this one, a daemon such as a Dask worker, may not start any. Start a worker "
                "for each GPU and pass one device: encode_params={'device': 'cuda'}."
            )
        before = set(multiprocessing.active_children())
        window = self._model.max_seq_length
        with _same_revision(self._model):
            try:
                if self._window is not None:  # each process gets a copy of the model as it is now
                    self._model.max_seq_length = self._window
                pool = self._model.start_multi_process_pool(list(self.devices))
            except BaseException:
                for process in set(multiprocessing.active_children()) - before:
                    if process.daemon:  # those of the pool are
                        process.terminate()
                        process.join()
                raise
            finally:
                if self._window is not None:
                    self._model.max_seq_length = window
        pool["output"] = _Results(pool["output"], pool["processes"], self.devices)
        return pool


@contextmanager
def _same_revision(model: Any) -> Iterator[None]:
    """Let tensors move: at other addresses it is the same encoder, and need not be hashed again.

    In half precision it must not be: a revision is that of the weights before the cast.
    """
    revision = revision_of(model)
    try:
        yield
    finally:
        encoder_facts[model].update(revision=revision, state=state_of(model))


def share(n_texts: int, devices: tuple[str, ...]) -> int:
    """How many of so many texts one process encodes at once."""
    return -(-n_texts // (ROUND * len(devices)))


@contextmanager
def device_pool(model: Any, params: dict[str, Any]) -> Iterator[DevicePool | None]:
    """A pool, if ``params`` has several devices; stopped whatever happens."""
    if not isinstance(params.get("device"), tuple):
        yield None
        return
    pool = DevicePool(model, params["device"], params.get("max_length"))
    try:
        yield pool
    finally:
        pool.close()


class _Results:
    """The queue of results, which does not wait for a process that died.

    sentence-transformers before 6.2 waits for ever, and there an error ends its process.
    """

    def __init__(self, results: Any, processes: list[Any], devices: tuple[str, ...]):
        self._results, self._processes, self._devices = results, processes, devices

    def get(self, timeout: float | None = None) -> Any:
        while True:
            try:
                return self._results.get(timeout=timeout or _POLL_SECONDS)
            except queue.Empty:
                for process, device in zip(self._processes, self._devices, strict=True):
                    if not process.is_alive():
                        raise RuntimeError(_obituary(device, process.exitcode)) from None
                if timeout is not None:
                    raise

    def close(self) -> None:
        self._results.close()


def _obituary(device: str, code: int | None) -> str:
    message = f"The encoder's process on {device} died with exit code {code}. "
    if code is not None and code < 0:
        return message + (
            f"Signal {-code} ended it; the system does so (9) when memory runs out: a smaller "
            "encode_params['batch_size'], fewer devices, or one: encode_params={'device': 'cuda'}."
        )
    return message + (
        "Why is in its traceback on stderr. A script that encodes on several devices must do so "
        'under `if __name__ == "__main__":`, as each process imports it.'
    )
