"""The table of pinned components, and the pairs of versions that do or do not go together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

__all__ = ["COMPONENTS", "MATCHES", "Component", "Match"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One thing that the platform installs or runs, at the version that it is pinned to."""

    name: str
    kind: Literal["chart", "image"]
    version: str
    """What to write as chart version or image tag, with a leading ``v`` only where the artifact has one."""
    artifact: str
    """``oci://`` reference of a chart, its name in ``repository``, or an image with its tag."""
    repository: str | None = None
    """Chart repository, for a chart that is not in an OCI registry."""
    digest: str | None = None
    """``sha256:...`` of the image; None where not known."""
    released: str | None
    source: str
    note: str = ""
    """What is not verified, or surprises."""

    @property
    def reference(self) -> str:
        """What to write in a manifest: the image with its digest where one is known."""
        return self.artifact if self.digest is None else f"{self.artifact}@{self.digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Two versions that go together, or do not. Each side reads ``name`` and optionally an operator and a version."""

    a: str
    b: str
    ok: bool
    why: str
    source: str


_GIB = "us-docker.pkg.dev/gce-ai-infra/gpudirect-gib"
_TCPX = "us-docker.pkg.dev/gce-ai-infra/gpudirect-tcpx"
_TCPXO = "us-docker.pkg.dev/gce-ai-infra/gpudirect-tcpxo"
_KSERVE = "oci://ghcr.io/kserve/charts"
_LLMD = "ghcr.io/llm-d"


def _chart(
    name: str,
    version: str,
    artifact: str,
    released: str | None,
    source: str,
    *,
    repository: str | None = None,
    note: str = "",
) -> Component:
    return Component(
        name=name,
        kind="chart",
        version=version,
        artifact=artifact,
        repository=repository,
        released=released,
        source=source,
        note=note,
    )


def _image(
    name: str,
    version: str,
    repository: str,
    released: str | None,
    source: str,
    *,
    digest: str | None = None,
    note: str = "",
) -> Component:
    return Component(
        name=name,
        kind="image",
        version=version,
        artifact=f"{repository}:{version}" if version else repository,
        digest=digest,
        released=released,
        source=source,
        note=note,
    )


_ROWS = (
    _chart(
        "lws",
        "0.10.0",
        "oci://registry.k8s.io/lws/charts/lws",
        "2026-08-11",
        "LWS:charts/lws",
        note="the CRDs lie in the chart's crds folder: Helm installs them once and never upgrades them",
    ),
    _image("gib", "v1.1.2", f"{_GIB}/nccl-plugin-gib", "2026-05-14", "GIBX86; CEAPR609",
           digest="sha256:b71627dcf88862cd0e64434dfd0224441960db58f2022f94b5f56123659c207e"),
    _image("gib-arm64", "v1.1.2", f"{_GIB}/nccl-plugin-gib-arm64", "2026-05-14", "GIBARM; CEAPR609",
           digest="sha256:6b7950cac6e6833661d4206920f5633b6e361b18bfd5315b63f9bf4a4b84a80e"),
    _image("gib-diagnostic", "v1.1.2", f"{_GIB}/nccl-plugin-gib-diagnostic", "2026-05-14", "GIBX86; CEAPR609",
           digest="sha256:61c917022538e59d24f597038a8ad7087a026d60715256ae39e7f06ef20ebde0"),
    _image("gib-diagnostic-arm64", "v1.1.2", f"{_GIB}/nccl-plugin-gib-diagnostic-arm64", "2026-05-14",
           "GIBARM; CEAPR609",
           digest="sha256:44067b8118bf982fba30a1a61ab56d346aca30aedd1fe41d3880ab0a78cafbc8"),
    _image("tcpxo-plugin", "v1.0.15", f"{_TCPXO}/nccl-plugin-gpudirecttcpx-dev", "2026-06-11",
           "CEA:gpudirect-tcpxo", note="built for CUDA 12; goes with tcpxo-rxdm"),
    _image("tcpxo-rxdm", "v1.0.21", f"{_TCPXO}/tcpgpudmarxd-dev", "2026-06-11", "CEA:gpudirect-tcpxo"),
    _image("nri-device-injector", "", "gcr.io/gke-release/nri-device-injector", None,
           "CEA:nri_device_injector; CT:examples/gke-a3-megagpu",
           digest="sha256:6e79483d52abdc28454bf186320b10a56b0f117a10e8d65d5c74dbb821a76970",
           note="published by digest only"),
    _image("node-shell", "24.04", "mirror.gcr.io/library/ubuntu", None, "CEA:gpudirect-tcpxo",
           note="the upstream manifest runs nsenter from an unpinned ubuntu; any image that carries nsenter will do"),
    _image("tcpx-plugin", "v3.1.9", f"{_TCPX}/nccl-plugin-gpudirecttcpx-dev", "2026-06-11",
           "CEA:gpudirect-tcpx", note="goes with tcpx-rxdm"),
    _image("tcpx-rxdm", "v2.0.12", f"{_TCPX}/tcpgpudmarxd-dev", "2026-06-11", "CEA:gpudirect-tcpx"),
    _image("asapd-lite", "v0.0.8", "us-docker.pkg.dev/gce-ai-infra/asapd-lite/asapd-lite", "2026-06-01",
           "CEA:asapd-lite-installer; CT:examples/gke-a4x-max-bm", note="A4X Max only"),
    _chart("llm-d-router-gateway", "v0.10.0", "oci://ghcr.io/llm-d/charts/llm-d-router-gateway", "2026-08-17",
           "LLMDR:config/charts",
           note="its policies for provider gke break the newer CRD rules: leave the provider out"),
    _chart("llm-d-router-standalone", "v0.10.0", "oci://ghcr.io/llm-d/charts/llm-d-router-standalone",
           "2026-08-17", "LLMDR:config/charts"),
    _image("endpoint-picker", "v0.10.0", f"{_LLMD}/llm-d-router-endpoint-picker", "2026-08-17", "LLMDR"),
    _image("routing-sidecar", "v0.10.0", f"{_LLMD}/llm-d-router-disagg-sidecar", "2026-08-17", "LLMDR",
           note="same release as the endpoint picker"),
    _image("body-based-router", "v1.5.0", "registry.k8s.io/gateway-api-inference-extension/bbr", "2026-04-18",
           "GAIE15:config/charts/body-based-routing", note="its last release; later ones of GAIE carry none"),
    _image("vllm-render", "v0.19.1", "vllm/vllm-openai-cpu", None, "LLMDR:config/charts/routerlib",
           note="the tokenizer that the router's chart of v0.10.0 pins"),
    _chart("kserve-llmisvc-crd", "v0.20.0", f"{_KSERVE}/kserve-llmisvc-crd", "2026-08-06", "KSERVE:charts"),
    _chart("kserve-llmisvc-resources", "v0.20.0", f"{_KSERVE}/kserve-llmisvc-resources", "2026-08-06",
           "KSERVE:charts"),
    _chart("kserve-runtime-configs", "v0.20.0", f"{_KSERVE}/kserve-runtime-configs", "2026-08-06",
           "KSERVE:charts", note="kserve.llmisvcConfigs.enabled is false by default and must be true"),
    _chart("cert-manager", "v1.21.1", "oci://quay.io/jetstack/charts/cert-manager", "2026-07-29", "CERTM",
           note="crds.enabled is false by default"),
    _chart("kueue", "0.19.2", "oci://registry.k8s.io/kueue/charts/kueue", "2026-08-20", "KUEUE"),
    _chart("jobset", "0.12.0", "oci://registry.k8s.io/jobset/charts/jobset", "2026-05-08", "JOBSET"),
    _chart("keda", "2.20.2", "keda", "2026-07-31", "KEDA", repository="https://kedacore.github.io/charts",
           note="the tag is verified, the chart repository and chart version are not"),
    _chart("nvidia-dra-driver", "0.4.0", "oci://registry.k8s.io/dra-driver-nvidia/charts/dra-driver-nvidia-gpu",
           "2026-05-15", "DRADRV",
           note="the promoted chart address was inferred from the staging one, not read"),
    _chart("nvidia-dra-driver-ngc", "25.8.0", "nvidia-dra-driver-gpu", "2025-10-20",
           "DRADRV; LLMDGKE; GKECUSTOMMAX", repository="https://helm.ngc.nvidia.com/nvidia",
           note="the same driver before its numbering restarted at 0.4.0"),
    _image("vllm", "v0.32.0", "vllm/vllm-openai", None, "VLLM:docker/Dockerfile",
           note="tag form from the publishing script; the tag itself was not looked up"),
    _image("vllm-cu129", "v0.32.0-cu129", "vllm/vllm-openai", None, "VLLM:docker/Dockerfile",
           note="CUDA 12.9, for drivers before R580 and the CUDA 12 TCPXO plugin; tag not looked up"),
    _image("vllm-tpu", "v0.32.0", "vllm/vllm-tpu", None, "VLLM:requirements/tpu.txt; TPUDOCS",
           note="vllm-tpu 0.32.0 is on PyPI; the newest image tag read is v0.11.1"),
    _image("llm-d-cuda", "v0.8.0", f"{_LLMD}/llm-d-cuda", None, "KSERVE:config/llmisvcconfig"),
    _chart("nim-llm", "1.3.0", "nim-llm", "2026-04-01", "NIMDEPLOY:helm/nim-llm",
           repository="https://helm.ngc.nvidia.com/nim"),
)  # fmt: skip

COMPONENTS: Mapping[str, Component] = MappingProxyType({row.name: row for row in _ROWS})
"""Every pinned component by its name in this project."""

MATCHES: tuple[Match, ...] = (
    Match(a="vllm==0.32", b="cuda==13.0", ok=True, why="the default image is built on CUDA 13.0, torch 2.14.0 and"
          " NCCL 2.30.7", source="VLLM:docker/Dockerfile"),
    Match(a="vllm==0.32", b="nvidia-driver>=580", ok=True,
          why="CUDA 13 needs an R580 driver, or VLLM_ENABLE_CUDA_COMPATIBILITY=1 on R535 and R570",
          source="VLLM:docker/Dockerfile"),
    Match(a="vllm==0.32", b="nvidia-driver<580", ok=False,
          why="the CUDA 13 image does not start on an older driver without the compatibility libraries",
          source="VLLM:docker/Dockerfile"),
    Match(a="vllm==0.32", b="gib>=1.1.2", ok=True, why="NCCL 2.30.7 pairs with gIB v1.1.2 or newer (derived)",
          source="VLLM; GIBX86"),
    Match(a="vllm>=0.11", b="gib<1.1.0", ok=False, why="vLLM 0.11 and newer need NCCL 2.27, hence gIB v1.1.0",
          source="LLMDGKE"),
    Match(a="gib>=1.1.2", b="nvidia-driver>=580.95.05", ok=True,
          why="the arm64 release notes ask for driver 580.95.05 and CUDA 13.0; bundled NCCL 2.30.4",
          source="GIBARM"),
    Match(a="vllm==0.32", b="tcpxo-plugin<=1.0.16", ok=False,
          why="the plugin is built for CUDA 12 and the default image for CUDA 13: use the -cu129 image",
          source="NVCRE; VLLM"),
    Match(a="vllm-cu129==0.32", b="tcpxo-plugin<=1.0.16", ok=True, why="both are CUDA 12", source="NVCRE; VLLM"),
    Match(a="vllm==0.32", b="tcpxo-plugin>=1.0.17", ok=True,
          why="CUDA 13 on both sides; the plugin needs driver R595 and GKE 1.33.5-gke.1125000", source="NVCRE"),
    Match(a="tcpxo-plugin==1.0.15", b="tcpxo-rxdm==1.0.21", ok=True,
          why="they stand together in the installer", source="CEA"),
    Match(a="tcpx-plugin==3.1.9", b="tcpx-rxdm==2.0.12", ok=True, why="they stand together in the installer",
          source="CEA; CT"),
    Match(a="llm-d-router-gateway==0.10.0", b="InferencePool==inference.networking.k8s.io/v1", ok=True,
          why="built against the InferencePool API of GAIE v1.5.0", source="LLMDR:go.mod"),
    Match(a="endpoint-picker==0.10.0", b="routing-sidecar==0.10.0", ok=True, why="one release", source="LLMDR"),
    Match(a="kserve==0.20.0", b="endpoint-picker==0.9.0", ok=True, why="the picker of its scheduler template",
          source="KSERVE:kserve-deps.env"),
    Match(a="kserve==0.20.0", b="endpoint-picker==0.10.0", ok=False,
          why="its templates run v0.9.0: a v0.10.0 plugin file does not decode there unless the image is changed",
          source="KSERVE:kserve-deps.env; LLMDR"),
    Match(a="kserve==0.20.0", b="lws==0.8.0", ok=True, why="the tested pin; v0.10.0 is not tested there",
          source="KSERVE:kserve-deps.env"),
    Match(a="kserve==0.20.0", b="cert-manager==1.17.0", ok=True, why="the tested pin",
          source="KSERVE:kserve-deps.env"),
    Match(a="kserve==0.20.0", b="keda==2.18.0", ok=True, why="the tested pin", source="KSERVE:kserve-deps.env"),
    Match(a="gke>=1.34.0-gke.1626000", b="kserve.llmisvc.createGIECRDs==true", ok=False,
          why="GKE owns the InferencePool definition: two owners of one CRD", source="GWGKE; KSERVE"),
    Match(a="kueue==0.19.2", b="jobset==0.12.0", ok=True, why="compiled against it", source="KUEUE:go.mod"),
    Match(a="kueue==0.19.2", b="lws==0.9.0", ok=True, why="compiled against it", source="KUEUE:go.mod"),
    Match(a="nvidia-dra-driver==0.4.0", b="gke>=1.34", ok=True,
          why="the chart needs Kubernetes 1.32, GKE's DRA pages 1.34", source="DRADRV; GKEDRA"),
    Match(a="lws<0.4.0", b="LWS_GROUP_SIZE", ok=False, why="the variable came with v0.4.0", source="LWS"),
    Match(a="lws<0.6.0", b="LWS_WORKER_INDEX", ok=False, why="the variable came with v0.6.0", source="LWS"),
    Match(a="llm-d-router-gateway provider=gke", b="HealthCheckPolicy with stored rules", ok=False,
          why="the chart writes a port without portSpecification", source="LLMDR:config/charts; GKEGW:config/crd"),
    Match(a="vllm-tpu", b="nixl>=1.5", ok=False,
          why="the TPU build pins nixl 0.3.0 and the GPU build has 1.5: no disaggregation between them (derived)",
          source="VLLM:requirements/tpu.txt"),
)  # fmt: skip
"""The pairs that somebody has checked, or that follow from sourced facts (then marked derived)."""
