"""What LLM inference on GKE is made of: settings, facts, checks, rules and manifests. Pure, without I/O."""
