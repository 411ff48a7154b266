"""The topology of a stack, drawn: what runs where, over which networks, and how requests reach it.

``topology`` reads it from the resources of any program, ``changes`` lays both revisions over each other, ``bounds``
keeps it readable, and ``mermaid`` and ``svg`` draw it.
"""
