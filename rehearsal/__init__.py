"""The program on paper: run it without cloud, credentials or CLI, and say what it would do.

* ``stackfiles`` reads what the stack is, ``engine`` runs the program, ``cloud`` answers it;
* ``plan`` is the result, ``digests`` its JSON, ``diffs`` compares two of them;
* ``verdict`` asks the policy packs, ``tree`` and ``render`` show, ``cli`` is the command line;
* ``providers`` makes plugins of ``cloud``, and ``enginerun`` runs Pulumi's own CLI on them.
"""
