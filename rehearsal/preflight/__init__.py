"""The preflight: what a stack needs of its project, compared with what the project has.

``questions`` are what is asked of Google Cloud, ``google_cloud`` asks them through the client libraries, ``checks``
compare the answers with the estimates, ``running`` does all of it for a stack and ``writing`` prints it. Nothing is
changed in the project: every question is a read.
"""
