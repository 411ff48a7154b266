"""The model of the cloud as provider plugins, for the real ``pulumi`` CLI.

* ``servicer`` speaks the engine's protocol, ``provider`` answers in plain data, ``gcp`` and ``kubernetes`` say where
  they differ; what is computed comes from ``rehearsal.cloud``, what forces a new resource from
  ``rehearsal.replacement`` and, in ``forcing``, from the SDK's own documentation;
* ``world`` is the stand-in cloud: it lies in a folder, so that several runs of the CLI see the same one; ``ties`` says
  what it refuses, ``journal`` what it was asked, ``faults`` what it shall get wrong.

``python -m rehearsal.providers gcp`` serves one of them.
"""
