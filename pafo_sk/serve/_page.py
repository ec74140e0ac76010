"""The page on which a person ranks responses and enrols a choice."""

from __future__ import annotations

import base64
import re
from hashlib import sha256
from importlib.resources import files

PAGE = files("pafo_sk.serve").joinpath("page.html").read_text(encoding="utf-8")


def _hash_of(tag: str) -> str:
    """Return the source expression of the one inline element of this kind."""
    (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", PAGE, re.DOTALL)
    return f"'sha256-{base64.b64encode(sha256(content.encode()).digest()).decode()}'"


HEADERS = {
    # nothing runs or is loaded but what the page itself holds, and it asks nobody but the service
    "Content-Security-Policy": (
        f"default-src 'none'; script-src {_hash_of('script')}; style-src {_hash_of('style')}; "
        "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
