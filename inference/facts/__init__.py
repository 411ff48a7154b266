"""Facts about machines, accelerators, networks, versions, engines and models, each with its source.

Frozen data and arithmetic on it: no Pulumi, no input, no judgment. ``None`` always means *unknown*: nobody may
refuse anything because of it.
"""
