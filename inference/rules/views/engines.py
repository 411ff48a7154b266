"""Which model server a container starts, and with which words: by its command line, its image or its environment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from inference.facts.controllers import KSERVE_GROUP
from inference.rules.views.options import HUGGING_FACE, SGLANG, TGI, TRTLLM, VLLM, Dialect
from inference.rules.views.pods import Container
from inference.rules.views.shell import Command, Script, Word, script_of_text
from inference.rules.views.values import Props

__all__ = ["Launch", "image_name", "launch_of"]


@dataclass(frozen=True, slots=True)
class Launch:
    """One start of a model server."""

    engine: str
    words: tuple[Word, ...]
    """Options and positional words after the program."""
    dialect: Dialect = VLLM
    command: Command | None = None
    """Command that starts it; none where the image or a controller writes the command."""
    complete: bool = True
    """Whether there are no other words than these."""
    ray_worker: bool = False
    """Whether it only lends its accelerators to a server on another pod."""


_DIALECTS = {
    "sglang": SGLANG,
    "tgi": TGI,
    "trtllm": TRTLLM,
    "triton": Dialect(),
    "huggingface": HUGGING_FACE,
}
_MODULES = {
    "vllm.entrypoints.openai.api_server": "vllm",
    "vllm.entrypoints.api_server": "vllm",
    "vllm.entrypoints.grpc_server": "vllm",
    "vllm.entrypoints.cli.main": "vllm serve",
    "vllm": "vllm serve",
    "sglang.launch_server": "sglang",
    "huggingfaceserver": "huggingface",
    "tensorrt_llm.commands.serve": "trtllm",
    "nim_llm.cli.main": "nim",
}
_PROGRAMS = {
    "text-generation-launcher": "tgi",
    "trtllm-serve": "trtllm",
    "tritonserver": "triton",
    "nim-serve": "nim",
    "start_server.sh": "nim",
    "start-server.sh": "nim",
}
_PYTHON = re.compile(r"python[\d.]*")
_API_SERVER = re.compile(r"(?:.*/)?vllm/entrypoints/(?:openai/)?api_server\.py")
_ONLY_TELL = frozenset({"--help", "-h", "--version", "-v", "--help=all"})
_TALK = """
    echo printf pip pip3 grep egrep pgrep pkill killall kill pidof ps which type command cat ls test [ [[ trap alias
    curl wget wait tee export declare set source . man git apt apt-get sed awk hf huggingface-cli
"""
_TALKERS = frozenset(_TALK.split())
"""Programs that may name a server without starting it."""
_SUBCOMMANDS = frozenset({"bench", "launch", "chat", "complete", "collect-env", "run-batch"})
_RAY_SCRIPTS = frozenset({"multi-node-serving.sh", "ray_init.sh", "run_cluster.sh"})
_FILE = re.compile(r".*\.(?:sh|bash)")


def _serving(argv: Sequence[Word], depth: int = 0) -> tuple[str, Sequence[Word]] | None:
    """Return the engine that a command line starts, and the words after the program."""
    program = argv[0].rsplit("/", 1)[-1]
    found: tuple[str, Sequence[Word]] | None = None
    if program in ("vllm", "sglang"):
        found = (program, argv[2:]) if argv[1:2] == ("serve",) else None
    elif _PYTHON.fullmatch(program):
        found = _module(argv)
    elif program in _PROGRAMS:
        if program not in ("start_server.sh", "start-server.sh") or "nim" in argv[0]:
            words = argv[2:] if argv[1:2] == ("serve",) else argv[1:]
            found = (_PROGRAMS[program], words) if argv[1:2] != ("disaggregated",) else None
    elif program not in _TALKERS and not depth:
        for at in range(1, min(len(argv), 60)):
            name = argv[at].rsplit("/", 1)[-1]
            if (name in ("vllm", "sglang", "trtllm-serve") or _PYTHON.fullmatch(name)) and (
                found := _serving(argv[at:], depth + 1)
            ):
                break
    if found is not None and _ONLY_TELL.intersection(found[1]):
        return None
    return found


def _module(argv: Sequence[Word]) -> tuple[str, Sequence[Word]] | None:
    """Return what ``python -m module`` or ``python path`` starts."""
    at = 1
    while at < len(argv) and argv[at].startswith("-"):
        option = argv[at]
        if option.startswith("-m"):
            attached = len(option) > 2
            name = option[2:] if attached else "".join(argv[at + 1 : at + 2])
            words = argv[at + (1 if attached else 2) :]
            engine = _MODULES.get(name)
            if engine == "vllm serve":
                return ("vllm", words[1:]) if words[:1] == ("serve",) else None
            if name == "vllm.entrypoints.grpc_server":
                words = [*words, Word("--grpc")]
            return (engine, words) if engine else None
        at += 2 if option in ("-X", "-W") else 1
    if at < len(argv) and _API_SERVER.fullmatch(argv[at]):
        return "vllm", argv[at + 1 :]
    return None


def _file(command: Command) -> tuple[str, Sequence[Word]]:
    """Return the script file that a command runs, without its directory, and its arguments."""
    argv = command.argv
    at = 0
    if command.program in ("sh", "bash", "source", "."):
        at = next((n for n in range(1, len(argv)) if not argv[n].startswith("-")), len(argv))
    return (argv[at].rsplit("/", 1)[-1], argv[at + 1 :]) if at < len(argv) else ("", ())


def _joins_ray(command: Command) -> bool:
    """Whether a command makes the container a worker of a Ray cluster."""
    name, words = _file(command)
    if name in _RAY_SCRIPTS:
        return "worker" in words or "--worker" in words
    if command.program != "ray" or command.argv[1:2] != ("start",):
        return False
    return "--head" not in command.argv and any(word.startswith("--address") for word in command.argv)


# Images

_SERVER = re.compile(r"(?:.*[-_])?vllm(?:[-_].*)?|llm-d(?:-(?:cuda|dev|aws|gb200|tpu|xpu|cpu|rocm|hpu|gke))*(?:-dev)?")
_NO_SERVER = re.compile(
    r"bench|router|routing|exporter|operator|controller|proxy|sidecar|scheduler|picker|gateway|client|test|download"
    r"|tokenizer|render|\bsim\b|sim$|simulator|webhook|init"
)


def image_name(image: str | None) -> str:
    """Return the repository of an image reference, in lower case and without tag and digest."""
    name = (image or "").partition("@")[0]
    head, slash, last = name.rpartition("/")
    return (head + slash + last.partition(":")[0]).lower()


def _engine_of_image(image: str | None) -> str | None:
    """Return the engine that an image starts when it is given only arguments."""
    repository = image_name(image)
    last = repository.rsplit("/", 1)[-1]
    if repository.startswith("nvcr.io/nim/") or "/nim/" in repository:
        return "nim"
    if _NO_SERVER.search(last):
        return None
    if last.startswith("huggingfaceserver"):
        return "huggingface"
    if last == "text-generation-inference":
        return "tgi"
    return "vllm" if _SERVER.fullmatch(last) else None


# Containers


def launch_of(container: Container) -> Launch | None:
    """Return the start of the model server that a container is; ``None`` for any other container."""
    if container.init and not container.sidecar:
        return None
    script = Script.of(container)
    if script.by_image and not container.props.absent("command") and not container.props.known("command"):
        return _by_evidence(container)
    if script.by_image:
        return _by_controller(container, script) or _by_image(container, script)
    launches = [launch for command in script.commands if (launch := _by_command(command, script))]
    if _is_ray_worker(container, script, launches):
        return Launch("vllm", (), complete=False, ray_worker=True)
    if launches:
        return _for_role(container, launches)
    if not script.complete or any(_is_file(command) for command in script.commands):
        return _by_evidence(container)
    return None


def _is_file(command: Command) -> bool:
    """Whether a command runs a script of which nothing is known."""
    name = _file(command)[0]
    return command.program not in ("source", ".") and name not in _RAY_SCRIPTS and bool(_FILE.fullmatch(name))


def _by_command(command: Command, script: Script) -> Launch | None:
    found = _serving(command.argv) if command.argv else None
    if found is None:
        return None
    engine, words = found
    made = Launch(engine, tuple(words), _DIALECTS.get(engine, VLLM), command, script.complete)
    return _with_environment(made, script)


def _is_ray_worker(container: Container, script: Script, launches: Sequence[Launch]) -> bool:
    if not any(_joins_ray(command) for command in script.commands):
        return False
    if launches:
        return container.pod.role.endswith("worker") and not any("--headless" in launch.words for launch in launches)
    return _engine_of_image(container.image) == "vllm" or script.mentions("multi-node-serving.sh")


def _for_role(container: Container, launches: Sequence[Launch]) -> Launch:
    """Choose among several servers of a script that looks at its own rank."""
    worker = container.pod.role.endswith("worker")
    headless = [launch for launch in launches if "--headless" in launch.words]
    leading = [launch for launch in launches if "--headless" not in launch.words]
    chosen = (headless or leading) if worker else (leading or headless)
    return chosen[0]


def _by_image(container: Container, script: Script) -> Launch | None:
    engine = _engine_of_image(container.image)
    words = script.commands[0].argv[1:] if script.commands else ()
    if engine is None or _ONLY_TELL.intersection(words):
        return None
    if engine == "vllm" and not words and "/vllm-openai" not in image_name(container.image):
        return None
    first = words[0] if words and words[0].known and not words[0].startswith("-") else None
    if first == "serve":
        words = words[1:]
    elif first is not None and (engine == "nim" or first in _SUBCOMMANDS or "/" not in first or _FILE.fullmatch(first)):
        return None
    return _with_environment(Launch(engine, words, _DIALECTS.get(engine, VLLM), None, script.complete), script)


def _by_evidence(container: Container) -> Launch | None:
    """Return a server whose command nobody can read here, where all around it says that it is one."""
    engine = _engine_of_image(container.image)
    serves = container.ports or any(not container.props.absent(p) for p in ("readinessProbe", "startupProbe"))
    if engine is None or not serves or not container.accelerators:
        return None
    return _with_environment(
        Launch(engine, (), _DIALECTS.get(engine, VLLM), None, complete=False), Script.of(container)
    )


_VARIABLES = {
    "nim": {
        "NIM_MODEL_NAME": "model",
        "NIM_MODEL_PATH": "model",
        "NIM_SERVED_MODEL_NAME": "served-model-name",
        "NIM_TENSOR_PARALLEL_SIZE": "tensor-parallel-size",
        "NIM_PIPELINE_PARALLEL_SIZE": "pipeline-parallel-size",
        "NIM_MAX_MODEL_LEN": "max-model-len",
        "NIM_HTTP_API_PORT": "port",
        "NIM_SERVER_PORT": "port",
    },
    "tgi": {
        "MODEL_ID": "model",
        "NUM_SHARD": "tensor-parallel-size",
        "MAX_TOTAL_TOKENS": "max-model-len",
        "QUANTIZE": "quantization",
        "DTYPE": "dtype",
        "PORT": "port",
    },
}


def _with_environment(launch: Launch, script: Script) -> Launch:
    """Put what variables say before the words, so that a word on the command line wins over them."""
    variables = launch.command.environment if launch.command else script.environment
    words: list[Word] = []
    for name, option in _VARIABLES.get(launch.engine, {}).items():
        if name in variables:
            words += [Word(f"--{option}"), variables[name]]
    if launch.engine == "nim" and (passed := variables.get("NIM_PASSTHROUGH_ARGS")) is not None:
        words += [*_split_words(passed)] if passed.known else [passed]
    # NIM takes what nobody sets from the profile that it picks for the machine.
    complete = launch.complete and launch.engine != "nim"
    return replace(launch, words=(*words, *launch.words), complete=complete)


def _split_words(text: str) -> Iterator[Word]:
    """Yield the words of a text that a shell reads."""
    for command in script_of_text(f"vllm {text}").commands[:1]:
        yield from command.argv[1:]


# Controllers that write the command themselves


def _by_controller(container: Container, script: Script) -> Launch | None:
    thing = container.pod.object
    if thing.group != KSERVE_GROUP:
        return None
    if thing.kind == "LLMInferenceService" and container.name == "main":
        return _llm_inference_service(container, script)
    if thing.kind == "InferenceService" and container.pod.role == "predictor":
        return _inference_service(container, script)
    return None


def _option(name: str, value: object) -> list[Word]:
    return [] if value is None else [Word(f"--{name}"), Word(str(value))]


def _size(option: str, props: Props, key: str, default: int | None = None) -> list[Word]:
    if not props.known(key):
        return [Word(f"--{option}"), Word(known=False)]
    return _option(option, props.integer(key) or default)


def _llm_inference_service(container: Container, script: Script) -> Launch:
    """Return what KServe's own templates run (KServe v0.20, config/llmisvcconfig)."""
    pod, spec = container.pod, container.pod.object.spec
    uri, name = spec.text("model", "uri"), spec.text("model", "name") or pod.object.name
    prefill = pod.role.startswith("prefill")
    words = [Word((uri or "").removeprefix("hf://"), known=uri is not None), Word("--served-model-name")]
    words += [Word(name or "", known=name is not None)]
    words += _option("port", 8001 if not prefill and spec.section("prefill") else 8000)
    parallelism = pod.metadata.section("parallelism")
    words += _size("tensor-parallel-size", parallelism, "tensor")
    if not pod.metadata.absent("worker"):
        if parallelism.flag("expert"):
            words.append(Word("--enable-expert-parallel"))
        words += _size("pipeline-parallel-size", parallelism, "pipeline")
        if not (parallelism.absent("data") and parallelism.absent("dataLocal")):
            words += _size("data-parallel-size", parallelism, "data", 1)
            words += _size("data-parallel-size-local", parallelism, "dataLocal", 1)
            words += _size("data-parallel-rpc-port", parallelism, "dataRPCPort", 5555)
        if pod.role.endswith("worker"):
            words.append(Word("--headless"))
    more = script.environment.get("VLLM_ADDITIONAL_ARGS")
    if more is not None:
        words += [*_split_words(more)] if more.known else [more]
    words += script.commands[0].argv[1:] if script.commands else ()
    known = pod.metadata.known("parallelism") and spec.absent("baseRefs")
    return Launch("vllm", tuple(words), complete=script.complete and known)


def _inference_service(container: Container, script: Script) -> Launch | None:
    """Return what a model runtime of KServe runs (python/huggingfaceserver)."""
    props = container.props
    runtime, form = (props.text("runtime") or "").lower(), (props.text("modelFormat", "name") or "").lower()
    words = tuple(script.commands[0].argv[1:]) if script.commands else ()
    if "nim" in re.split(r"[^a-z]", f"{runtime}-{form}"):
        return _with_environment(Launch("nim", words, complete=False), script)
    storage = props.text("storageUri") or props.text("storage", "storageUri")
    first = [Word("--model"), Word(storage.removeprefix("hf://"))] if storage else []
    worker = container.pod.spec.section("workerSpec")
    first += _size("tensor-parallel-size", worker, "tensorParallelSize")
    first += _size("pipeline-parallel-size", worker, "pipelineParallelSize")
    if "vllm" in runtime or form == "vllm":
        return Launch("vllm", (*first, *words), complete=False)
    if form != "huggingface" and "huggingface" not in runtime:
        return None
    standard = not runtime or runtime.startswith("kserve-huggingfaceserver")
    return Launch("huggingface", (*first, *words), HUGGING_FACE, None, script.complete and standard)
