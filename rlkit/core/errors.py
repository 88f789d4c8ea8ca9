"""The error that a user's wrong input ends in."""


class UserError(Exception):
    """Wrong input: one line that names the value, the place and the choices. The launcher exits with code 2."""
