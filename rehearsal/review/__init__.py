"""The review of a pull request: what it would change, cost and risk.

``revisions`` finds and rehearses both sides, ``sections`` say one thing each about a ``change``, ``document`` is what
they say it in, and ``markdown``, ``page`` and ``data`` write it down.
"""
