"""Values that vLLM refuses: shares out of range, sizes that are not offered, options that need another.

The parser accepts them, and the engine ends with a ValueError some seconds later, in a pod that restarts for ever on
accelerators that are paid for.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.rules.framework import Severity, rule
from inference.rules.views.servers import ModelServer
from inference.rules.views.serving import upstream, variables_in_force
from inference.rules.views.values import Props

_ARGUMENTS = "https://docs.vllm.ai/en/latest/configuration/engine_args/"
_LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""https://github.com/vllm-project/vllm/blob/main/vllm/config/lora.py"""


@rule(
    "vllm-memory-share-is-possible",
    title="The share of GPU memory is above 0 and at most 1",
    breaks="'GPU memory utilization must be less than 1.0': it is a share, not a percentage.",
    fix="Write --gpu-memory-utilization 0.9 for 90 %.",
    source=_ARGUMENTS,
    severity=Severity.HIGH,
    on=ModelServer,
)
def memory_share_is_possible(server: ModelServer) -> Iterator[str]:
    share = server.options.number("gpu-memory-utilization")
    if server.engine == "vllm" and share is not None and not 0 < share <= 1:
        wanted = f"{share / 100:g}" if 1 < share <= 100 else "0.9"
        yield (
            f"{server} is to use {share:g} of the GPU's memory; the share lies between 0 and 1, so the server ends. "
            f"Set --gpu-memory-utilization {wanted}."
        )


@rule(
    "vllm-options-go-together",
    title="Options that need another one, or a value that is offered, have it",
    breaks="'--enable-auto-tool-choice requires --tool-call-parser', 'LoRA is not enabled', 'max_lora_rank must be one "
    "of', 'max_num_batched_tokens is smaller than max_model_len': the server ends at start.",
    fix="Add the missing option, or take the dependent one away.",
    source=_ARGUMENTS,
    severity=Severity.HIGH,
    on=ModelServer,
)
def options_go_together(server: ModelServer) -> Iterator[str]:
    options = server.options
    if server.engine != "vllm" or server.front:
        return
    if options.switch("enable-auto-tool-choice") is True and options.absent("tool-call-parser"):
        yield f"{server} has --enable-auto-tool-choice and no --tool-call-parser, so it ends. Add the model's parser."
    if options.has("lora-modules") and options.absent("enable-lora"):
        yield f"{server} has --lora-modules without --enable-lora, so it ends. Add --enable-lora."
    rank = options.integer("max-lora-rank")
    if rank is not None and rank not in _LORA_RANKS:
        larger = next((known for known in _LORA_RANKS if known > rank), _LORA_RANKS[-1])
        yield (
            f"{server} has --max-lora-rank {rank}, and vLLM offers {', '.join(map(str, _LORA_RANKS))}; it ends. "
            f"Set --max-lora-rank {larger}."
        )
    batched, longest = options.integer("max-num-batched-tokens"), server.max_model_len
    unchunked = options.switch("enable-chunked-prefill") is False
    if unchunked and batched is not None and longest is not None and batched < longest:
        yield (
            f"{server} has --max-num-batched-tokens {batched} below --max-model-len {longest} without chunked prefill; "
            f"no long prompt fits a batch, so it ends. Set at least {longest}, or leave chunked prefill on."
        )


_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_FALSE = frozenset({"", "0", "false", "no", "off"})


@rule(
    "vllm-offline-model-is-there",
    title="A server that may not ask the Hub finds its model on a volume",
    breaks="'Cannot find an appropriate cached snapshot folder': the server ends at start, because it is told to be "
    "offline and to serve a model by its name on the Hub.",
    fix="Mount the files and name their path as the model, or take HF_HUB_OFFLINE away.",
    source="https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables#hfhuboffline",
    severity=Severity.HIGH,
    on=ModelServer,
)
def offline_model_is_there(server: ModelServer) -> Iterator[str]:
    container, model = server.container, server.model or ""
    variables = variables_in_force(container)
    offline = next((name for name in _OFFLINE if variables.get(name, "").lower() not in _FALSE), None)
    if offline is None or not upstream(server) or model.count("/") != 1 or model.startswith(("/", ".", "$")):
        return
    volumes = {volume.text("name"): volume for volume in server.pod.spec.sections("volumes")}
    mounts = [volumes.get(mount.text("name"), Props({})) for mount in container.props.sections("volumeMounts")]
    empty = all(not volume.absent("emptyDir") for volume in mounts)
    settled = container.props.known("volumeMounts") and server.pod.spec.known("volumes")
    if settled and empty and not server.pod.init_containers:
        yield (
            f"{server} serves {model} from the Hub with {offline} set, and no volume holds its files; it does not find "
            f"them and ends. Take {offline} away, or mount the files."
        )
