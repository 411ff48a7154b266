"""The policy pack: adapter between Pulumi's engine and the rules of ``inference.rules``."""
