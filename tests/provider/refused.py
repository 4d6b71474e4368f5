"""What an endpoint refuses with."""


class Refused(Exception):
    """An answer of the token endpoint that is an error (RFC 6749 5.2)."""

    def __init__(self, error, why, status=400):
        super().__init__(why)
        self.error, self.why, self.status = error, why, status
