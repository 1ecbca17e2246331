"""An expected failure: one sentence for the user, no traceback."""


class Problem(Exception):
    pass
