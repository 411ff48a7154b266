"""The test of the fabric passes where the bandwidth is reached, fails where it is not, and lets every pod end."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from inference.blueprint import GpuPoolPlan, design
from inference.manifests import nccl_acceptance
from inference.settings.pools import AcceptanceSettings
from inference.stackfile import load
from tests.support.rehearsed import rehearsed
from tests.support.stacks import ROOT, edited, sections


def pool(network: str = "multi-network") -> GpuPoolPlan:
    found = design(load(edited("prod", pools__h200__network=network), "prod"), "prod").pools["h200"]
    assert isinstance(found, GpuPoolPlan)
    return found


def made(minimum: float = 300, nodes: int = 2, network: str = "multi-network") -> Any:
    test = AcceptanceSettings.model_validate({"nodes": nodes, "minimumBusBandwidth": minimum})
    return nccl_acceptance.job(pool(network), test)


def run(job: Any, folder: Path, *, rank: int, printed: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the script of the first pod with stand-ins for what its image and its node have."""
    programs = {
        "ssh": f'echo "$@" >> {folder}/told',
        "getent": "echo 10.0.0.7 host",
        "mpirun": f"echo \"$@\" > {folder}/ranks; echo '{printed}'; exit {status}",
        "entry": "exit 0",
    }
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    (folder / "env.sh").write_text("export NCCL_CROSS_NIC=0\n", encoding="utf-8")
    script = job["spec"]["template"]["spec"]["containers"][0]["args"][0]
    script = script.replace("/tmp/", f"{folder}/")  # noqa: S108 - of the container
    script = script.replace("/usr/local/gib/scripts/set_nccl_env.sh", f"{folder}/env.sh")
    script = script.replace("/scripts/container_entry.sh", f"{folder}/entry")
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "JOB_COMPLETION_INDEX": str(rank), "NCCL_NET": "gIB"}
    return subprocess.run(  # noqa: S603 - our own text
        ["/bin/bash", "-c", script], env=environment, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize(
    ("printed", "status", "wanted"),
    [
        ("# Avg bus bandwidth    : 322.314", 0, 0),
        ("# Avg bus bandwidth    : 300", 0, 0),
        ("# Avg bus bandwidth    : 299.99", 0, 3),
        ("# Avg bus bandwidth    : 19.4", 0, 3),
        ("nothing that looks like a result", 0, 3),
        ("# Avg bus bandwidth    : 322.314", 1, 1),
    ],
)
def test_the_bandwidth_decides(printed: str, status: int, wanted: int, tmp_path: Path) -> None:
    done = run(made(), tmp_path, rank=0, printed=printed, status=status)
    assert done.returncode == wanted, done.stdout + done.stderr
    told = (tmp_path / "told").read_text(encoding="utf-8")
    assert "h200-acceptance-1.h200-acceptance touch" in told, "the other pod would wait for ever"
    assert "-x NCCL_NET" in (tmp_path / "ranks").read_text(encoding="utf-8")
    assert "-x NCCL_CROSS_NIC" in (tmp_path / "ranks").read_text(encoding="utf-8")
    assert (tmp_path / "hostfile").read_text(encoding="utf-8") == "10.0.0.7 port=222 slots=8\n" * 2


def test_every_other_pod_ends_when_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "done").touch()
    assert run(made(), tmp_path, rank=1, printed="").returncode == 0


def test_a_pod_takes_the_whole_node_and_finds_its_peers_by_name() -> None:
    job, service = made(nodes=4), nccl_acceptance.service(pool())
    spec = job["spec"]
    assert spec["completions"] == spec["parallelism"] == 4
    pod = spec["template"]["spec"]
    assert pod["containers"][0]["resources"]["limits"] == {"nvidia.com/gpu": "8"}
    assert pod["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["selector"].items() <= spec["template"]["metadata"]["labels"].items()
    assert service["spec"]["publishNotReadyAddresses"]
    assert "@sha256:" in pod["containers"][0]["image"]


def test_under_dranet_the_pod_claims_the_devices() -> None:
    pod = made(network="dranet")["spec"]["template"]
    assert "annotations" not in pod["metadata"]
    assert pod["spec"]["resourceClaims"] == [{"name": "rdma", "resourceClaimTemplateName": "h200-rdma"}]


def test_models_wait_for_the_test() -> None:
    plan = rehearsed(ROOT / "examples" / "a3-ultra-rdma.yaml")
    (job,) = plan.of_type("kubernetes:batch/v1:Job")
    (server,) = plan.of_type("kubernetes:apps/v1:Deployment")
    component = plan.by_urn[job.parent]
    assert {job.urn, component.urn} & set(server.dependencies)


def test_nodes_that_share_nvlink_join_one_domain() -> None:
    plan = design(load(sections(ROOT / "examples" / "a4x-gb200.yaml"), "a4x"), "a4x")
    found = plan.pools["gb200"]
    assert isinstance(found, GpuPoolPlan)
    assert found.settings.acceptance is not None
    pod = nccl_acceptance.job(found, found.settings.acceptance)["spec"]["template"]["spec"]
    assert {claim["name"] for claim in pod["resourceClaims"]} == {"rdma", "compute-domain"}
    assert "kubernetes.io/arch" in {toleration["key"] for toleration in pod["tolerations"]}
