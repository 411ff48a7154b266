"""How Pulumi's protocol, previews and states mark what plain data cannot say.

https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/sig/signatures.go and, for what is not known yet,
https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/plugin/rpc.go. Tests compare them with the SDKs.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["KEY", "SIGNATURES", "UNKNOWN", "UNKNOWNS"]

KEY = "4dabf18193072939515e22adb298388d"
"""Key by which a map says that it stands for something else."""

SIGNATURES: Mapping[str, str] = {
    "asset": "c44067f5952c0a294b673a41bacd8c17",
    "archive": "0def7320c3a5731c473e5ecbe6d01bc7",
    "secret": "1b47061264138c4ac30d75fd1eb44270",
    "resource": "5cf8f73096256a8f31e491e813e4eb8e",
    "output": "d0e6a833031e9bbcd3f4e8bde6ca49a4",
}
"""The value of that key, by what the map stands for. All are public; that of a secret is none."""

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""A text that only an update will know; a preview carries it in the place of the value."""

UNKNOWNS = frozenset(
    {
        UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
"""The same for a text, boolean, number, list, asset, archive and object."""
