"""Every provider with every variant, and what a configuration says to fit it."""

from dataclasses import dataclass, field

import pytest

SCOPE = "read:accounts:referencedata manage:employees"


@dataclass(frozen=True)
class Case:
    provider: str
    variants: tuple = ()
    overrides: dict = field(default_factory=dict, hash=False)

    @property
    def name(self):
        return "-".join((self.provider, *(v for v in self.variants if v != "http-redirect")))

    def set_up(self, daemon, make_emulator, lifetime=None, **overrides):
        """A started daemon with this provider; returns its emulator."""
        emulator = make_emulator(self.provider, *self.variants)
        if lifetime:
            emulator.configure(lifetime=lifetime)
        daemon.with_provider(self.provider, emulator, **(self.overrides | overrides)).start()
        return emulator


CASES = [
    Case("zenhr", ("refresh-same",)),
    Case("zenhr", ("refresh-new-old-alive",)),
    Case("zenhr", ("refresh-old-dies-on-use", "authorize-en")),
    Case("zenegy", ("http-redirect", "state-echoed", "refresh-same")),
    Case("zenegy", ("http-redirect", "state-absent", "refresh-same")),
    Case("zenegy", ("http-redirect", "state-echoed", "refresh-new"), {"state": "required"}),
    Case("zenegy", ("http-redirect", "state-absent", "refresh-new", "lifetime-hour")),
    Case("enablehr", (), {"scope": SCOPE}),
    Case("enablehr", ("credentials-both",), {
        "scope": SCOPE, "token_params": ["client_id", "client_secret"]}),
    Case("zenpayroll", ("params-form", "state-absent"), {"token_request": "form"}),
    Case("zenpayroll", ("params-query", "state-echoed"), {"token_request": "query"}),
    Case("gusto", ("created-at-number",)),
    Case("gusto", ("created-at-iso", "params-json"), {"token_request": "json"}),
]

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
