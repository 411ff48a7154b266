"""Credentials: where they must not be written, and what keeps them unreadable.

A token in a pod spec is read by everybody who may list pods, a token in chart values or in a plain output by everybody
who may read the state, and both stay there after the token is gone from the program. Nothing fails, so only a look at
the text finds it. Credentials belong in a Secret whose values the engine knows to be secret, and reach pods by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from inference.rules.framework import Severity, rule
from inference.rules.views.credentials import literal_credential, named_like_credential, shape_of, texts_in
from inference.rules.views.helm import HelmRelease
from inference.rules.views.openness import AnyResource, ConfigMap, SecretObject, StackOutputs
from inference.rules.views.pods import Container
from inference.rules.views.servers import ModelServer

_KUBERNETES = "https://kubernetes.io/docs/concepts/configuration/secret/"
_PULUMI = "https://www.pulumi.com/docs/iac/concepts/secrets/"
_ARGUMENTS = ("api-key", "hf-token")
_KEY_OF_A_SECRET = re.compile(r"Key$")
"""Beside the name of a Secret: which of its keys holds the value."""
_NAMES_A_SECRET = re.compile(r"(?<!client)(?<!shared)(?<!cookie)(?<!signing)_?secret$", re.IGNORECASE)
"""Chart values such as existingSecret and ngcAPISecret: the name of a Secret."""
_PUBLIC = frozenset({"tls.crt", "ca.crt"})
_NOT_OPAQUE = frozenset({"kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"})


@rule(
    "credential-not-in-environment",
    title="A credential reaches a container from a Secret, not as a plain value",
    breaks="Nothing fails. The token stands in the manifest, in the state, and in the output of kubectl describe, for "
    "everybody who may read one of them.",
    fix="Use valueFrom.secretKeyRef, and make the Secret from Pulumi config or Secret Manager.",
    source=_KUBERNETES,
    severity=Severity.CRITICAL,
    covers=("VLLM-019",),
    on=Container,
)
def not_in_environment(container: Container) -> Iterator[str]:
    for name, value in container.variables:
        if value is not None and literal_credential(name, value):
            yield (
                f"{container} has the variable {name} with a plain value; everybody who may read pods or the state "
                "reads the credential. Use valueFrom.secretKeyRef."
            )


@rule(
    "credential-not-in-arguments",
    title="A credential is no argument of the server",
    breaks="Nothing fails. Arguments are part of the pod spec and of the process list on the node.",
    fix="Set the variable that the server reads (VLLM_API_KEY, HF_TOKEN) from a Secret.",
    source=_KUBERNETES,
    severity=Severity.CRITICAL,
    covers=("VLLM-019",),
    on=ModelServer,
)
def not_in_arguments(server: ModelServer) -> Iterator[str]:
    for name in _ARGUMENTS:
        plain = [v for v in server.options.values(name) if literal_credential("HF_TOKEN", v) and not v.startswith("$")]
        if plain:
            yield (
                f"{server} is given --{name} as a plain argument; everybody who may read pods reads it. "
                "Take it from a Secret by a variable."
            )


@rule(
    "credential-not-in-plain-text",
    title="Nothing but a Secret contains what looks like a credential",
    breaks="Nothing fails. The token is readable in the object, in the plan and in the state, and in every copy of "
    "them.",
    fix="Revoke the token, put a new one into a Secret, and refer to it by name.",
    source=_PULUMI,
    severity=Severity.CRITICAL,
    covers=("VLLM-019", "PK8S-013"),
    on=AnyResource,
)
def not_in_plain_text(thing: AnyResource) -> Iterator[str]:
    for path, text in thing.texts():
        kind = shape_of(text)
        if kind is not None:
            yield (
                f"{thing} contains {kind} in {path}; everybody who may read the object or the state has it. Revoke it, "
                "and refer to a Secret."
            )
            return


@rule(
    "credential-not-in-config-map",
    title="A ConfigMap holds no credentials",
    breaks="Nothing fails. ConfigMaps are readable with the ordinary view role, and are not encrypted apart.",
    fix="Move the key into a Secret.",
    source=_KUBERNETES,
    severity=Severity.CRITICAL,
    covers=("VLLM-019",),
    on=ConfigMap,
)
def not_in_config_map(config: ConfigMap) -> Iterator[str]:
    for key, value in config.object.props.strings("data").items():
        if "\n" not in value.strip() and literal_credential(key, value):
            yield f"{config} holds {key} in plain text; everybody who may read it has the credential. Use a Secret."


@rule(
    "credential-secret-is-encrypted",
    title="The values of a Secret are secret to Pulumi too",
    breaks="Nothing fails. The values stand in plain text in the state and in the output of pulumi stack export.",
    fix="Take the value from config.require_secret or Secret Manager, or wrap it in Output.secret.",
    source="https://github.com/pulumi/pulumi-kubernetes/issues/1353",
    severity=Severity.CRITICAL,
    covers=("PK8S-013",),
    on=SecretObject,
    needs_program=True,
)
def secret_is_encrypted(secret: SecretObject) -> Iterator[str]:
    if secret.object.props.text("type") in _NOT_OPAQUE:
        return
    plain = sorted(key for key in secret.plain_keys if key not in _PUBLIC)
    if plain:
        yield (
            f"{secret} gets {', '.join(plain[:5])} as plain text, which stays readable in the state. Make the value "
            "secret: config.require_secret, or Output.secret."
        )


@rule(
    "credential-not-in-chart-values",
    title="Charts get the name of a Secret, or values that are secret to Pulumi",
    breaks="Nothing fails. The values of a release stand in the state, and in the cluster in the release's own Secret.",
    fix="Make a Secret and pass its name (existingSecret, authSecretName); where the chart takes only a value, wrap "
    "it in "
    "Output.secret.",
    source="https://github.com/pulumi/pulumi-kubernetes/issues/999",
    severity=Severity.CRITICAL,
    covers=("PK8S-013",),
    on=HelmRelease,
)
def not_in_chart_values(release: HelmRelease) -> Iterator[str]:
    leaves = list(release.leaves())
    names = {path: value for path, value, _ in leaves if path.endswith(".name")}
    beside = {path.rpartition(".")[0] for path, _, _ in leaves if path.endswith((".secretName", ".existingSecret"))}
    for path, value, secret in leaves:
        if secret or not isinstance(value, str):
            continue
        sibling = names.get(path.removesuffix(".value") + ".name") if path.endswith(".value") else None
        name = sibling if isinstance(sibling, str) else path.rpartition(".")[2].partition("[")[0]
        if path.rpartition(".")[0] in beside and _KEY_OF_A_SECRET.search(name) and not shape_of(value):
            continue
        if not _NAMES_A_SECRET.search(name) and literal_credential(name, value):
            yield (
                f"{release} is given {name} in plain text (values.{path}); it stays readable in the state and in the "
                "release. Pass the name of a Secret, or wrap the value in Output.secret."
            )


@rule(
    "credential-output-is-secret",
    title="A stack output that gives access is secret",
    breaks="Nothing fails. pulumi stack output, the state and every log of a run show it.",
    fix="Export it with Output.secret; leave certificates and tokens out of kubeconfigs, and let users run "
    "gke-gcloud-auth-plugin.",
    source="https://github.com/pulumi/pulumi-kubernetes/issues/734",
    severity=Severity.CRITICAL,
    covers=("PK8S-013",),
    on=StackOutputs,
    needs_program=True,
)
def output_is_secret(outputs: StackOutputs) -> Iterator[str]:
    for name in outputs.plain:
        text = " ".join(found for _, found in texts_in(outputs.resource.props.raw(name)))
        config = "kubeconfig" in name.lower().replace("_", "")
        gives_access = any(part in text for part in ("client-key-data", "token:", '"token"', "password"))
        if (config and gives_access) or (named_like_credential(name) and literal_credential(name, text)):
            yield f'{outputs} shows "{name}" in plain text; everybody who may read the stack has it. Use Output.secret.'
