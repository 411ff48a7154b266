"""Entry point of the policy pack: ``pulumi preview --policy-pack policies``.

Standard output carries the port to the engine, so everything else goes to the log on standard error.
"""

import logging
import sys
from pathlib import Path

# The engine starts a pack in its own folder, from where the rest of the project cannot be imported.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pulumi_policy import EnforcementLevel, PolicyPack

from inference.rules.registry import RULES
from policies.pack import NAME, policies
from policies.servicer import install

logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
install()
PolicyPack(
    name=NAME,
    policies=policies(RULES),
    enforcement_level=EnforcementLevel.ADVISORY,
    display_name="LLM inference on GKE",
    tags=["gke", "gpu", "tpu", "llm", "inference"],
)
