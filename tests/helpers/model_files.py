"""The parts of a model's file, and files made of such parts."""

import hashlib
import json

from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors


def parts(content):
    """Document and tensors of a file."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    return json.loads(header["__metadata__"]["pafo_sk"]), load_tensors(content)


def sealed(document, tensors):
    """A file with the right digest, as a hostile writer would make it."""
    document = {**document, "sha256": "0" * 64}
    data = save_tensors(tensors, metadata={"pafo_sk": json.dumps(document, ensure_ascii=False)})
    return data.replace(b"0" * 64, hashlib.sha256(data).hexdigest().encode(), 1)
