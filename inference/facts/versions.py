"""What is pinned, what must match, and from which GKE version a feature is there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from inference.facts._components import COMPONENTS, MATCHES, Component, Match

__all__ = [
    "COMPONENTS",
    "GATEWAY_API_BUNDLED",
    "GKE_MINIMUM",
    "MATCHES",
    "Component",
    "GkeVersion",
    "Match",
    "Minimum",
]

_VERSION = re.compile(r"(?P<major>\d+)\.(?P<minor>\d+)(?:\.(?P<patch>\d+)?(?:-gke\.(?P<build>\d+))?)?")


@dataclass(frozen=True, slots=True)
class GkeVersion:
    """A GKE version, or the beginning of one: ``1.35``, ``1.35.2``, ``1.35.2-gke.1842000``."""

    major: int
    minor: int
    patch: int | None = None
    build: int | None = None

    @classmethod
    def parse(cls, text: str) -> GkeVersion:
        """Read a version or a prefix of one; a closing dot (``1.35.``) is allowed. Raises ValueError otherwise."""
        match = _VERSION.fullmatch(text.strip().removeprefix("v"))
        if match is None or (match["build"] is not None and match["patch"] is None):
            raise ValueError(f"{text!r} is not a GKE version: write 1.35, 1.35.2 or 1.35.2-gke.1842000")
        patch, build = match["patch"], match["build"]
        return cls(
            int(match["major"]),
            int(match["minor"]),
            None if patch is None else int(patch),
            None if build is None else int(build),
        )

    def at_least(self, minimum: GkeVersion | str) -> bool | None:
        """Tell whether every version that this one may stand for reaches a minimum.

        None where some do and some do not: ``1.35`` against ``1.35.2-gke.1`` is unknown, against ``1.34.9`` true,
        against ``1.36`` false. A part that the minimum leaves out counts as 0.
        """
        other = GkeVersion.parse(minimum) if isinstance(minimum, str) else minimum
        wanted = (other.major, other.minor, other.patch or 0, other.build or 0)
        for position, mine in enumerate((self.major, self.minor, self.patch, self.build)):
            if mine is None:
                return None if any(wanted[position:]) else True
            if mine != wanted[position]:
                return mine > wanted[position]
        return True

    @property
    def sort_key(self) -> tuple[int, int, int, int]:
        """Order versions; a prefix stands before everything that it may stand for."""
        return (
            self.major,
            self.minor,
            -1 if self.patch is None else self.patch,
            -1 if self.build is None else self.build,
        )

    def __lt__(self, other: GkeVersion) -> bool:
        return self.sort_key < other.sort_key

    def __le__(self, other: GkeVersion) -> bool:
        return self.sort_key <= other.sort_key

    def __str__(self) -> str:
        text = f"{self.major}.{self.minor}"
        if self.patch is not None:
            text += f".{self.patch}"
        return text if self.build is None else f"{text}-gke.{self.build}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimum:
    """From which GKE version a feature is there: one version, or one for each of several minors."""

    feature: str
    versions: tuple[GkeVersion, ...]
    """Rising; the first is the lowest of all, a later one holds within its own minor."""
    source: str

    @property
    def version(self) -> GkeVersion:
        """The lowest version that has the feature."""
        return self.versions[0]

    def met_by(self, version: GkeVersion | str) -> bool | None:
        """Tell whether a version has the feature; None where the version is not given exactly enough."""
        mine = GkeVersion.parse(version) if isinstance(version, str) else version
        for bound in self.versions[1:]:
            if (mine.major, mine.minor) == (bound.major, bound.minor):
                return mine.at_least(bound)
        return mine.at_least(self.version)

    def __str__(self) -> str:
        return " / ".join(str(version) for version in self.versions)


def _minimum(feature: str, versions: str, source: str) -> tuple[str, Minimum]:
    parsed = tuple(GkeVersion.parse(text) for text in versions.split())
    return feature, Minimum(feature=feature, versions=parsed, source=source)


GKE_MINIMUM: Mapping[str, Minimum] = MappingProxyType(
    dict(
        (
            _minimum("gpudirect-rdma-a3-ultra", "1.31.4-gke.1183000", "GKECUSTOM"),
            _minimum("gpudirect-rdma-a4", "1.32.2-gke.1475000", "GKECUSTOM"),
            _minimum("a4", "1.32.1-gke.1729000", "GKECUSTOM:node with the R570 driver"),
            _minimum("a4x", "1.32.8-gke.1108000 1.33.4-gke.1036000", "GKECUSTOMA4X"),
            _minimum("a4x-max", "1.34.3-gke.1318000 1.35.0-gke.2745000", "GKECUSTOMMAX"),
            _minimum(
                "tcpx",
                "1.27.16-gke.2874000 1.28.15-gke.3163000 1.29.15-gke.2467000",
                "CT:modules/compute/gke-node-pool/gpu_direct.tf",
            ),
            _minimum(
                "tcpxo",
                "1.28.15-gke.3163000 1.29.15-gke.2467000 1.30.14-gke.1922000 1.31.14-gke.1243000 1.32.11-gke.1174000",
                "CT:modules/compute/gke-node-pool/gpu_direct.tf",
            ),
            _minimum("tcpxo-cuda-13", "1.33.5-gke.1125000", "NVCRE"),
            _minimum("multi-networking", "1.28", "GKEMULTINET"),
            _minimum("dranet", "1.34.1-gke.1829001", "CT:modules/compute/gke-node-pool/gpu_direct.tf; GKEDRA"),
            _minimum("dranet-autopilot", "1.35.2-gke.1842000", "SKILL_A"),
            _minimum("dra", "1.34", "GKEDRA"),
            _minimum("gpu-dra-driver", "1.35", "SKILL_A; LLMDGKE"),
            _minimum("flex-start-gpu", "1.32.2-gke.1652000", "GKEDWS; GKECUSTOM"),
            _minimum("flex-start-tpu", "1.33.0-gke.1712000", "GKEDWS"),
            _minimum("tpu7x", "1.34.0-gke.2201000", "TPU7XPAGE"),
            _minimum("tpu7x-autopilot", "1.34.1-gke.3084001", "TPU7XPAGE"),
            _minimum("tpu-multislice", "1.27.4-gke.900", "GKETPUS"),
            _minimum("inference-gateway", "1.32.3", "GIEDEPLOY"),
            _minimum("cluster-owned-inference-pool", "1.34.0-gke.1626000", "GWGKE"),
            _minimum("gcp-authz-policy", "1.36", "AUTHZNEWS:preview"),
            _minimum("compute-class", "1.30.3-gke.1451000", "GKECC"),
            _minimum("gpu-driver-default-installed", "1.30.1-gke.1156000", "TFDOC:unset means the default driver"),
            _minimum("secondary-boot-disk", "1.30.1-gke.1329000", "GKEPRELOAD:Container-Optimized OS"),
            _minimum("managed-lustre", "1.33.2-gke.1111000", "LUSTREPAGE"),
            _minimum("dcgm-self-deployed", "1.28.15-gke.2475000", "DCGMPAGE"),
        )
    )
)
"""Feature to the GKE version it starts at. What is not listed has no verified minimum."""

GATEWAY_API_BUNDLED: Mapping[str, str] = MappingProxyType(
    {
        "1.30.2-gke.1783000": "1.1.0",
        "1.32.2-gke.1475000": "1.2.0",
        "1.33.2-gke.1335000": "1.3.0",
        "1.34.1-gke.1822000": "1.4.0",
        "1.35.2-gke.1842000": "1.5.0",
        "1.36.2-gke.2154000": "1.6.0",
    }
)
"""The Gateway API version that GKE brings, from a GKE version on (sources GWCAPS, GWCONF)."""
