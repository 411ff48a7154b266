"""The program on paper: run it without cloud, credentials or CLI, and say what it would do.

* ``stackfiles`` reads what the stack is, ``program`` runs the program, ``cloud`` answers it;
* ``plan`` is the result, ``digests`` its JSON, ``diffs`` compares two of them;
* ``verdict`` asks policy packs: ``ownpack`` is the project's, ``packs`` runs those of others;
* ``tree`` and ``render`` show a plan, ``picture`` draws it;
* ``review`` reports what a change does, ``preflight`` asks the project, ``judgment`` judges anybody's files;
* ``providers`` makes plugins of ``cloud``, and ``enginerun`` runs Pulumi's own CLI on them;
* ``cli`` is the command line.
"""
