"""The gateway: it leads somewhere, and its pickers fit the system nodes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from inference.config_json.files import known_of
from inference.derivation import vllm_models
from inference.facts.endpoint_picker import RENDER_REQUESTS
from inference.facts.machines import allocatable, machine
from inference.problems import Problem
from inference.settings import StackSettings
from inference.settings.gateway import PickerSettings
from inference.settings.models import BucketWeights, VllmModel

__all__ = ["check"]


def check(settings: StackSettings, missing: frozenset[str]) -> Iterator[Problem]:
    """Yield what is wrong with the gateway."""
    gateway = settings.gateway
    if gateway is None:
        return
    blind = "models" in missing or any(path.startswith("models.") for path in missing)
    if not vllm_models(settings) and not blind:
        only = "every model is a NIM, which asks nobody for a key and stays inside the cluster"
        yield Problem(
            "gateway",
            only if settings.models else "there is no model",
            "it would route to nothing",
            "Add a model, or remove the gateway.",
        )
    yield from _names(settings)
    yield from _node(settings, gateway.picker)
    if gateway.picker.prefix_cache == "precise":
        for name, model in vllm_models(settings).items():
            yield from _events(model, f"models.{name}")


def _names(settings: StackSettings) -> Iterator[Problem]:
    """Yield models that no request can be told apart for: it names the model by its id."""
    by_id: dict[str, list[str]] = defaultdict(list)
    for name, model in vllm_models(settings).items():
        by_id[model.model].append(name)
    for model_id, names in by_id.items():
        if len(names) > 1:
            yield Problem(
                f"models.{names[1]}.model",
                f'"{model_id}"',
                f"{' and '.join(names)} are behind one gateway, which routes a request by the model that it names",
                f"Serve another model, or raise models.{names[0]}.replicas instead.",
            )


def _node(settings: StackSettings, picker: PickerSettings) -> Iterator[Problem]:
    node = machine(settings.cluster.system_pool.machine_type)
    if node is None:
        return
    cores, memory = allocatable(node)
    tokenizer = RENDER_REQUESTS if picker.prefix_cache == "precise" else {"cpu": 0, "memory_gib": 0}
    for key, wanted, beside, has, unit in (
        ("cpu", picker.cpu, tokenizer["cpu"], cores, "cores"),
        ("memoryGib", picker.memory_gib, tokenizer["memory_gib"], memory, "GiB"),
    ):
        room = int(has * 0.8) - beside
        if wanted > room:
            more = f", and the tokenizer beside the picker takes {beside}" if beside else ""
            lower = f"Lower it to {room}, or choose" if room >= 1 else "Choose"
            yield Problem(
                f"gateway.picker.{key}",
                str(wanted),
                f"a {node.name} has {has:.1f} {unit} for pods, and system pods need a fifth of it{more}",
                f"{lower} a larger cluster.systemPool.machineType.",
            )


def _events(model: VllmModel, where: str) -> Iterator[Problem]:
    """Yield why a picker could not follow the caches of a model."""
    known = known_of(model)
    if isinstance(model.weights, BucketWeights) and known is not None and known.gated:
        yield Problem(
            "gateway.picker.prefixCache",
            '"precise"',
            f"the tokenizer beside the picker reads {model.model} from the Hub, which is gated, and {where} has its "
            "weights from a bucket, without a token",
            "Leave it out: approximate.",
        )
    if model.parallelism.data > 1:
        yield Problem(
            "gateway.picker.prefixCache",
            '"precise"',
            f"each data-parallel rank of {where} has a cache and events of its own, and one address answers for all "
            "ranks of a node",
            "Leave it out: approximate.",
        )
