"""A model of the cloud: what the providers would answer, computed from what they are asked.

One module per provider, each with the same three functions of a provider: ``check`` completes inputs, ``create``
computes outputs, ``invoke`` answers a look-up. All are pure: the same question has the same answer in every run.
"""

from rehearsal.cloud.model import Asked, CloudError, Created, Model
from rehearsal.cloud.providers import model_of

__all__ = ["Asked", "CloudError", "Created", "Model", "model_of"]
