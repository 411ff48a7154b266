"""What goes wrong with LLM inference on GKE, as rules over the resources of any Pulumi program.

Every module is a concern and reads as a reference of it; ``registry`` lists all rules. Rules see resources through
``views``, of which estimates are made too, and are made with ``framework`` and ``judging``.
"""
