"""The commands that would give a stack what it lacks, for the gcloud CLI."""

from __future__ import annotations

import shlex

from inference.facts.quotas import SERVICE, Quota

__all__ = ["enable", "grant", "machine_zones", "profiles", "quota", "reservation", "reserve", "versions"]


def _command(*words: str) -> str:
    return " ".join(shlex.quote(word) for word in words)


def quota(project: str | None, region: str, wanted: Quota, value: float) -> str:
    """Ask for so much of a quota; Google Cloud answers by mail."""
    dimensions = {} if wanted.scope == "global" else {"region": region}
    dimensions |= dict(wanted.dimensions)
    given = ",".join(f"{key}={value}" for key, value in dimensions.items())
    words = [
        "gcloud", "beta", "quotas", "preferences", "create", f"--project={project or 'PROJECT'}",
        f"--service={SERVICE}", f"--quota-id={wanted.id}", f"--preferred-value={value:.0f}",
    ]  # fmt: skip
    return _command(*words, *([f"--dimensions={given}"] if given else []))


def reservation(project: str | None, zone: str, name: str, count: int) -> str:
    """Enlarge a reservation."""
    return _command(
        "gcloud", "compute", "reservations", "update", name, f"--project={project or 'PROJECT'}", f"--zone={zone}",
        f"--vm-count={count}",
    )  # fmt: skip


def reserve(
    project: str | None, zone: str, name: str, machine_type: str, count: int, beside: tuple[str, int] | None = None
) -> str:
    """Make a reservation that nodes have to name; ``beside`` are GPUs that do not come with the machine."""
    words = [
        "gcloud", "compute", "reservations", "create", name, f"--project={project or 'PROJECT'}", f"--zone={zone}",
        f"--machine-type={machine_type}", f"--vm-count={count}", "--require-specific-reservation",
    ]  # fmt: skip
    return _command(*words, *([f"--accelerator=count={beside[1]},type={beside[0]}"] if beside else []))


def machine_zones(project: str, machine_type: str) -> str:
    """List the zones that offer a machine type."""
    return _command(
        "gcloud", "compute", "machine-types", "list", f"--project={project}", f"--filter=name={machine_type}"
    )


def profiles(project: str) -> str:
    """List the network profiles."""
    return _command("gcloud", "compute", "network-profiles", "list", f"--project={project}")


def enable(project: str, api: str) -> str:
    """Turn on a Google API."""
    return _command("gcloud", "services", "enable", api, f"--project={project}")


def grant(project: str, role: str) -> str:
    """Grant a role to whoever deploys."""
    return _command("gcloud", "projects", "add-iam-policy-binding", project, "--member=user:YOU", f"--role={role}")


def versions(project: str, location: str) -> str:
    """List the versions of GKE that a location offers."""
    return _command(
        "gcloud", "container", "get-server-config", f"--project={project}", f"--location={location}",
        "--flatten=channels",
    )  # fmt: skip
