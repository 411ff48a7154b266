"""Operators that bring kinds of their own: by which chart, manifest, image and workload one knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["OPERATORS", "Operator", "operator_of_chart", "operator_of_group"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """A controller with its definitions."""

    name: str
    groups: tuple[str, ...]
    """API groups of its kinds."""
    charts: tuple[str, ...]
    """Charts that run the controller."""
    crd_charts: tuple[str, ...]
    """Charts that bring the definitions."""
    addresses: tuple[str, ...]
    """Parts of the addresses of its published manifests and kustomizations."""
    images: tuple[str, ...]
    """Parts of the controller's image references."""
    workloads: tuple[str, ...]
    """Names of the controller's Deployments."""
    webhook: bool = True
    """Whether the API server calls the controller when objects of its kinds are written."""
    source: str


def _operator(
    name: str,
    groups: str,
    charts: str,
    source: str,
    *,
    crds: str | None = None,
    addresses: str,
    images: str,
    workloads: str,
    webhook: bool = True,
) -> Operator:
    return Operator(
        name=name,
        groups=tuple(groups.split()),
        charts=tuple(charts.split()),
        crd_charts=tuple((charts if crds is None else crds).split()),
        addresses=tuple(addresses.split()),
        images=tuple(images.split()),
        workloads=tuple(workloads.split()),
        webhook=webhook,
        source=source,
    )


_ROWS = (
    _operator(
        "LeaderWorkerSet", "leaderworkerset.x-k8s.io disaggregatedset.x-k8s.io", "lws lws-chart", "LWS",
        addresses="kubernetes-sigs/lws", images="lws/lws",
        workloads="lws-controller-manager lws-system-controller-manager",
    ),
    _operator(
        "JobSet", "jobset.x-k8s.io", "jobset", "JOBSET",
        addresses="kubernetes-sigs/jobset", images="jobset/jobset", workloads="jobset-controller-manager",
    ),
    _operator(
        "Kueue", "kueue.x-k8s.io", "kueue", "KUEUE",
        addresses="kubernetes-sigs/kueue", images="kueue/kueue", workloads="kueue-controller-manager",
    ),
    _operator(
        "KServe", "serving.kserve.io", "kserve kserve-resources kserve-llmisvc-resources", "KSERVE",
        crds="kserve-crd kserve-crd-minimal kserve-llmisvc-crd kserve-llmisvc-crd-minimal",
        addresses="kserve/kserve opendatahub-io/kserve odh-xks llmisvc",
        images="kserve-controller llmisvc-controller odh-kserve-controller",
        workloads="kserve-controller-manager llmisvc-controller-manager",
    ),
    _operator(
        "cert-manager", "cert-manager.io acme.cert-manager.io", "cert-manager", "CERTM",
        addresses="cert-manager/cert-manager jetstack/cert-manager",
        images="cert-manager-controller", workloads="cert-manager",
    ),
    _operator(
        "KEDA", "keda.sh", "keda", "KEDA",
        addresses="kedacore/keda", images="kedacore/keda", workloads="keda-operator",
    ),
    _operator(
        "KubeRay", "ray.io", "kuberay-operator", "KUBERAY",
        addresses="ray-project/kuberay", images="kuberay/operator kuberay-operator", workloads="kuberay-operator",
        webhook=False,
    ),
    _operator(
        "NVIDIA DRA driver", "resource.nvidia.com", "dra-driver-nvidia-gpu nvidia-dra-driver-gpu", "DRADRV",
        addresses="dra-driver-nvidia-gpu k8s-dra-driver-gpu", images="dra-driver-nvidia-gpu k8s-dra-driver-gpu",
        workloads="nvidia-dra-driver-gpu-controller dra-driver-nvidia-gpu-controller", webhook=False,
    ),
    _operator(
        "NIM Operator", "apps.nvidia.com", "k8s-nim-operator", "NIMDOC",
        addresses="NVIDIA/k8s-nim-operator", images="k8s-nim-operator", workloads="k8s-nim-operator",
    ),
    _operator(
        "GPU Operator", "nvidia.com", "gpu-operator", "GPUOPERATOR",
        addresses="NVIDIA/gpu-operator", images="nvidia/gpu-operator", workloads="gpu-operator", webhook=False,
    ),
    _operator(
        "Prometheus Operator", "monitoring.coreos.com", "kube-prometheus-stack prometheus-operator",
        "PROMOPERATOR",
        crds="kube-prometheus-stack prometheus-operator prometheus-operator-crds",
        addresses="prometheus-operator/prometheus-operator prometheus-operator/kube-prometheus",
        images="prometheus-operator/prometheus-operator", workloads="prometheus-operator", webhook=False,
    ),
    _operator(
        "External Secrets", "external-secrets.io", "external-secrets",
        "EXTSECRETS",
        addresses="external-secrets/external-secrets", images="external-secrets/external-secrets",
        workloads="external-secrets",
    ),
)  # fmt: skip

OPERATORS: Mapping[str, Operator] = MappingProxyType({row.name: row for row in _ROWS})
"""Every known operator by its name."""

_BY_GROUP = {group: row for row in _ROWS for group in row.groups}
_BY_CHART = {chart: row for row in _ROWS for chart in (*row.charts, *row.crd_charts)}


def operator_of_group(group: str) -> Operator | None:
    """Return the operator whose kinds are in an API group."""
    return _BY_GROUP.get(group)


def operator_of_chart(chart: str) -> Operator | None:
    """Return the operator that a chart installs, in whole or in part."""
    return _BY_CHART.get(chart)
