"""How one knows a credential: by the name it is given, by its shape, and by what certainly is none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from inference.facts.vllm import CREDENTIAL_ENV

__all__ = ["SHORTEST", "literal_credential", "may_hold_shape", "named_like_credential", "shape_of", "texts_in"]

_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("a Hugging Face token", re.compile(r"\bhf_[A-Za-z0-9]{20,}")),
    ("an NGC key", re.compile(r"\bnvapi-[A-Za-z0-9_-]{20,}")),
    ("an AWS access key", re.compile(r"\bAKIA[0-9A-Z]{16}\b")),
    ("a Google API key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("a Google access token", re.compile(r"\bya29\.[0-9A-Za-z_-]{20,}")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})")),
    ("a GitLab token", re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}")),
    ("an OpenAI key", re.compile(r"\bsk-(?:proj-)?[A-Za-z0-9]{32,}")),
    ("a Slack token", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{20,}")),
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----")),
)
_BEGINNINGS = (
    "hf_",
    "nvapi-",
    "AKIA",
    "AIza",
    "ya29.",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "sk-",
    "xox",
    "PRIVATE KEY",
)
"""What one of these shapes contains, whatever else is in it."""
_ANY = re.compile("|".join(f"(?:{pattern.pattern})" for _, pattern in _SHAPES))
_NAME = re.compile(
    r"(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY|SECRET_?KEY|PRIVATE_?KEY|CREDENTIALS?)$"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])([A-Z])")
_OF_A_TOKENIZER = re.compile(
    r"(?:^|_)(?:BOS|EOS|PAD|UNK|SEP|CLS|MASK|STOP|START|END|IMAGE|AUDIO|VIDEO|SPECIAL|THINK\w*|MAX|NEXT|PER)_TOKEN$"
    r"|^AUTOMOUNT_SERVICE_ACCOUNT_TOKEN$"
)
_ELSEWHERE = re.compile(
    r"^(?:\$|/|\{\{|(?:sm|gcpsm|gcp-sm|vault|op|secretref|secretmanager|berglas|ref\+\w+)[:+]|projects/[^/]+/secrets/)"
)
"""Values that only say where the credential is: a variable, a file, a template, a secret store."""
_NONE = frozenset(
    {"", "empty", "none", "null", "nil", "dummy", "unused", "not-used", "not-needed", "no-key", "na", "n/a", "fake",
     "true", "false", "yes", "no", "on", "off", "[secret]"}
)  # fmt: skip
_FORM = re.compile(r"[<\[(].*[>\])]")
_DEPTH = 20

SHORTEST = 20
"""Characters that every credential with a shape of its own has at least."""


@lru_cache(maxsize=4096)
def named_like_credential(name: str) -> bool:
    """Whether a variable or key of this name holds a credential."""
    upper = _CAMEL.sub(lambda match: "_" + match.group(1), name).upper().replace("-", "_").replace(".", "_")
    return bool(_NAME.search(upper)) and not _OF_A_TOKENIZER.search(upper)


def shape_of(text: str) -> str | None:
    """Return what kind of credential a text contains, told by its shape."""
    if len(text) < SHORTEST or not (match := _ANY.search(text)):
        return None
    if len(set(match.group())) < 9:
        return None
    return next((kind for kind, pattern in _SHAPES if pattern.search(text)), None)


def literal_credential(name: str, value: str) -> bool:
    """Whether a variable or key holds a credential itself, and not the place where one is."""
    text = value.strip()
    if shape_of(text):
        return True
    if not named_like_credential(name) or _ELSEWHERE.match(text):
        return False
    if name.upper() in CREDENTIAL_ENV:
        return text.lower() not in {"", "[secret]"}
    return text.lower() not in _NONE and not text.isdigit() and not _FORM.fullmatch(text)


def may_hold_shape(value: Any) -> bool:
    """Whether any text in a value may contain a credential that is told by its shape; much faster than to read all."""
    try:
        text = repr(value)
    except RecursionError:
        return True
    return any(beginning in text for beginning in _BEGINNINGS)


def texts_in(value: Any, path: str = "", *, shortest: int = 0, depth: int = _DEPTH) -> Iterator[tuple[str, str]]:
    """Yield path and text of every string in a value that is not marked as secret; too short ones are left out."""
    if isinstance(value, str):
        if len(value) >= shortest:
            yield path, value
    elif depth:
        for step, nested in _entries(value):
            if type(nested) is str:
                if len(nested) >= shortest:
                    yield _joined(path, step), nested
            elif isinstance(nested, dict | list | tuple):
                yield from texts_in(nested, _joined(path, step), shortest=shortest, depth=depth - 1)


def _entries(value: Any) -> Iterable[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list | tuple) else ()


def _joined(path: str, step: str | int) -> str:
    if isinstance(step, int):
        return f"{path}[{step}]"
    return f"{path}.{step}" if path else step
