"""LLM inference on GKE: the stack file says what runs, this composes how."""

import signal
import threading

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from components._servers import serve
from components._software import install
from components.gpu_node_pool import GpuNodePool, GpuNodePoolArgs
from components.inference_cluster import InferenceCluster, InferenceClusterArgs
from components.inference_gateway import InferenceGateway, InferenceGatewayArgs
from components.inference_namespace import InferenceNamespace, InferenceNamespaceArgs
from components.model_identity import ModelIdentity, ModelIdentityArgs
from components.network_policies import NetworkPolicies, NetworkPoliciesArgs
from components.nim_model import NimModel, NimModelArgs
from components.platform_network import PlatformNetwork, PlatformNetworkArgs
from components.project_services import ProjectServices, ProjectServicesArgs
from components.rdma_network import RdmaNetwork, RdmaNetworkArgs
from components.tpu_node_pool import TpuNodePool, TpuNodePoolArgs
from inference.blueprint import GpuPoolPlan, design
from inference.settings import NAMESPACE, SECTIONS
from inference.stackfile import load, read

if threading.current_thread() is threading.main_thread():
    # The engine interrupts the program when a step has failed. Ending at once leaves that step's error the last word;
    # Python would bury it under the traceback of whatever was waiting.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
pulumi.require_pulumi_version(">=3.217.0")
config = pulumi.Config(NAMESPACE)
raw = {key: read(value) for key in SECTIONS if (value := config.get(key)) is not None}
encrypted = [key for key in raw if pulumi.runtime.is_config_secret(config.full_key(key))]
plan = design(load(raw, f"stack {pulumi.get_stack()}", encrypted), pulumi.get_stack())
project = plan.settings.cluster.project
cloud = gcp.Provider("gcp", project=project, region=plan.region)


def options(*after: pulumi.Resource, on: tuple[pulumi.ProviderResource, ...] = (cloud,)) -> pulumi.ResourceOptions:
    """Return options that name the providers, and what must be there before and outlive the component."""
    return pulumi.ResourceOptions(providers=list(on), depends_on=list(after))


services = ProjectServices("services", ProjectServicesArgs(services=plan.services), options())
network = PlatformNetwork("platform", PlatformNetworkArgs.of(plan), options(services))
cluster = InferenceCluster("inference", InferenceClusterArgs.of(plan, network), options(services, network))
objects = kubernetes.Provider(
    "kubernetes",
    kubeconfig=cluster.kubeconfig,
    cluster_identifier=cluster.cluster.id,
    enable_server_side_apply=True,
    enable_config_map_mutable=True,
    enable_secret_mutable=True,
    opts=pulumi.ResourceOptions(depends_on=[cluster]),
)
both = (cloud, objects)
namespace = InferenceNamespace("namespace", InferenceNamespaceArgs.of(plan, [services]), options(on=both))
walls: list[pulumi.Resource] = []
if plan.settings.cluster.isolated:
    walls.append(NetworkPolicies("isolation", NetworkPoliciesArgs(plan=plan), options(namespace, on=both)))

fabrics: dict[str, RdmaNetwork] = {}
for name, members in plan.accelerator_networks.items():
    fabric = RdmaNetwork(name, RdmaNetworkArgs.of(plan, members[0]), options(services, namespace, on=both))
    fabrics |= dict.fromkeys(members, fabric)

pools: list[pulumi.Resource] = []
for name, pool in plan.pools.items():
    if isinstance(pool, GpuPoolPlan):
        pools.append(GpuNodePool(name, GpuNodePoolArgs.of(plan, pool, cluster, fabrics.get(name)), options(on=both)))
    else:
        pools.append(TpuNodePool(name, TpuNodePoolArgs.of(plan, pool, cluster), options()))

software = install(plan, options(namespace, *fabrics.values(), *pools, on=both))
servers: list[pulumi.Resource] = []
for name, model in plan.models.items():
    identity_args = ModelIdentityArgs(model=model, project=project)
    identity = ModelIdentity(f"{name}-identity", identity_args, options(namespace, on=both))
    before = [namespace, identity, *walls, *fabrics.values(), *pools, *software]
    servers += serve(plan, model, before, options(on=both))
for name, nim in plan.nims.items():
    NimModel(name, NimModelArgs(model=nim, after=[namespace, *walls, *pools, *software]), options(on=both))

if plan.settings.gateway is not None:
    entrance = InferenceGatewayArgs(
        settings=plan.settings.gateway, models=list(plan.models.values()), after=[services, network, namespace]
    )
    gateway = InferenceGateway("gateway", entrance, options(*servers, on=both))
    pulumi.export("url", gateway.url)
pulumi.export("cluster", plan.cluster_name)
pulumi.export("kubeconfig", cluster.kubeconfig)
