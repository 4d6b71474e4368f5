"""Pushed authorization requests (RFC 9126): each request_uri is good once, and not for long."""

import secrets
import threading

from . import clock, consent
from .authority import Refused
from .client_auth import check_client
from .ledger import fingerprint

PREFIX = "urn:ietf:params:oauth:request_uri:"
_PROOFS = ("client_secret", "client_assertion", "client_assertion_type")


class Pushed:
    """What was pushed and not used yet."""

    def __init__(self, ledger):
        self._ledger = ledger
        self._lock = threading.Lock()
        self._waiting = {}

    def take(self, dialect, shown, parameters):
        """The members of the reply; raises Refused."""
        try:
            check_client(dialect, shown, parameters)
            asked = {k: v for k, v in parameters.items() if k not in _PROOFS}
            if "request_uri" in asked:
                raise Refused("invalid_request", "request_uri in a pushed request")
            consent.check_request(dialect, asked)
        except consent.BadRequest as bad:
            return self._refuse(Refused("invalid_request", str(bad)))
        except Refused as refusal:
            return self._refuse(refusal)
        request_uri = PREFIX + secrets.token_urlsafe(24)
        with self._lock:
            self._waiting[request_uri] = asked, clock.now() + dialect.request_uri_lifetime
        self._ledger.write("push", outcome="accepted", request=fingerprint(request_uri),
                           parameters=sorted(parameters), **_facts(asked))
        return {"request_uri": request_uri, "expires_in": int(dialect.request_uri_lifetime)}

    def _refuse(self, refusal):
        self._ledger.write("push", outcome="refused", error=refusal.error, why=refusal.why)
        raise refusal

    def redeem(self, dialect, query):
        """The parameters that a browser's request stands for; BadRequest where it stands for none."""
        request_uri = query.get("request_uri")
        with self._lock:
            asked, until = self._waiting.pop(request_uri, ({}, 0))
        if not request_uri:
            raise consent.BadRequest("requests have to be pushed")
        if not asked or clock.now() > until:
            raise consent.BadRequest("unknown, used or expired request_uri")
        if query != {"client_id": dialect.client_id, "request_uri": request_uri}:
            raise consent.BadRequest("client_id and request_uri alone are wanted")
        self._ledger.write("redeemed", request=fingerprint(request_uri))
        return asked


def _facts(asked):
    return {name: asked[name] for name in ("scope", "code_challenge_method") if name in asked}
