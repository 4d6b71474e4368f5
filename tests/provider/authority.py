"""The authorization server's mind: codes, grants, tokens, what becomes of them. No HTTP."""

import base64
import hashlib
import threading
from dataclasses import dataclass, field, replace

from . import clock, tokens
from .device import Devices
from .ledger import fingerprint
from .refused import Refused

__all__ = ["Authority", "Refused"]


@dataclass
class Grant:
    user: str
    company: str
    scope: str
    number: int
    nonce: str = ""
    since: float = field(default_factory=clock.now)
    first_refresh: str = ""
    revoked: bool = False


@dataclass
class Code:
    grant: Grant
    redirect_uri: str
    challenge: str
    since: float = field(default_factory=clock.now)
    used: bool = False


@dataclass
class Refresh:
    grant: Grant
    since: float = field(default_factory=clock.now)
    spent_at: float = 0.0
    dead: bool = False


@dataclass
class Access:
    grant: Grant
    ends: float
    previous: str = ""  # the refresh token that dies at the first use
    used: bool = False
    dead: bool = False


class Authority:
    """One authorization server with one client. Every public method may be called by any thread."""

    def __init__(self, dialect, ledger):
        self.dialect = dialect
        self.ledger = ledger
        self._lock = threading.RLock()
        self._grants, self._codes, self._refreshes, self._accesses = [], {}, {}, {}
        self._statics = set()
        self._devices = Devices(ledger)

    def configure(self, **changes):
        with self._lock:
            changes = {k: tuple(v) if isinstance(v, list) else v for k, v in changes.items()}
            self.dialect = replace(self.dialect, **changes)

    # Grants

    def new_grant(self, user, company, scope, nonce=""):
        with self._lock:
            grant = Grant(user, company, scope, len(self._grants), nonce)
            self._grants.append(grant)
            return grant

    def seed(self, user):
        """A grant as if the person had consented earlier; returns its refresh token."""
        with self._lock:
            grant = self.new_grant(user, user, "")
            token = self._new_refresh(grant)
            self.ledger.write("seeded", user=user, grant=grant.number, refresh=fingerprint(token))
            return token

    def revoke_grants(self, user):
        """The person takes the grant back at the provider."""
        with self._lock:
            hit = [g for g in self._grants if g.user == user and not g.revoked]
            for grant in hit:
                grant.revoked = True
                self.ledger.write("grant_revoked", user=user, grant=grant.number)
            return len(hit)

    def add_static(self, token):
        with self._lock:
            self._statics.add(token)

    def secrets(self):
        """Every code and token there ever was, in clear: for tests that look for leaks."""
        with self._lock:
            return [*self._codes, *self._refreshes, *self._accesses, *self._statics,
                    *self._devices.codes()]

    def user_of(self, token):
        with self._lock:
            known = self._codes.get(token) or self._refreshes.get(token)
            return known.grant.user if known else None

    # The token endpoint's grants; each returns the reply's members

    def new_code(self, grant, redirect_uri, challenge):
        with self._lock:
            code = tokens.new_refresh_token(replace(self.dialect, refresh_form="hex"))
            self._codes[code] = Code(grant, redirect_uri, challenge)
            self.ledger.write("code_issued", user=grant.user, redirect_uri=redirect_uri,
                              grant=grant.number,
                              code=fingerprint(code), pkce=bool(challenge))
            return code

    def exchange(self, code, redirect_uri, verifier):
        with self._lock:
            known = self._codes.get(code)
            facts = {"code": fingerprint(code)} | self._grant_facts(known)
            try:
                self._check_code(known, redirect_uri, verifier)
            except Refused as refusal:
                self._write_refusal("exchange", refusal, facts)
                raise
            known.used = True
            refresh = self._new_refresh(known.grant)
            return self._issue("exchange", known.grant, refresh, "", facts)

    def begin_device(self, issuer, scope):
        with self._lock:
            return self._devices.begin(self.dialect, issuer, scope)

    def answer_device(self, form):
        with self._lock:
            return self._devices.answer(form, self.new_grant)

    def poll_device(self, code):
        with self._lock:
            grant = self._devices.poll(code)
            return self._issue("device", grant, self._new_refresh(grant), "",
                               {"device": fingerprint(code)})

    def refresh(self, token, life=None):
        """life: which life of a client that is killed now and then this is, for the ledger."""
        with self._lock:
            known = self._refreshes.get(token)
            facts = {"presented": fingerprint(token), "life": life} | self._grant_facts(known)
            try:
                self._check_refresh(known)
            except Refused as refusal:
                self._write_refusal("refresh", refusal, facts)
                raise
            known.spent_at = known.spent_at or clock.now()
            previous = token if self.dialect.rotation == "revoke-on-first-use" else ""
            successor = self._successor(token, known)
            return self._issue("refresh", known.grant, successor, previous, facts)

    def clients_own(self, event, scope):
        """A token of the client itself, for no person; without a refresh token."""
        with self._lock:
            grant = self.new_grant("system", "system", scope)
            return self._issue(event, grant, None, "", {"user": "system"})

    def refuse(self, event, refusal, **facts):
        """Notes a refusal that was decided before the token was looked at."""
        with self._lock:
            self._write_refusal(event, refusal, facts)

    def consume(self, token):
        """Spends a refresh token although the client's credentials were wrong."""
        with self._lock:
            known = self._refreshes.get(token)
            if known:
                known.dead = True

    def revoke_token(self, token):
        """RFC 7009: a refresh token takes its grant along; an unknown token is fine."""
        with self._lock:
            known = self._refreshes.get(token) or self._accesses.get(token)
            self.ledger.write("revocation", outcome="accepted" if known else "unknown",
                              token=fingerprint(token), kind=type(known).__name__.lower(),
                              **self._grant_facts(known))
            if known and self.dialect.revocation_ends_all:
                self.revoke_grants(known.grant.user)
            elif isinstance(known, Refresh):
                known.grant.revoked = True
            elif known:
                known.dead = True

    # The API

    def use(self, token):
        """The grant behind an access token that the API accepts, else None."""
        with self._lock:
            if token in self._statics:
                self.ledger.write("api", outcome="accepted", access=fingerprint(token))
                return Grant("static", "static", "", -1)
            known = self._accesses.get(token)
            why = self._api_refusal(known)
            self.ledger.write("api", outcome="refused" if why else "accepted", why=why,
                              access=fingerprint(token), **self._grant_facts(known))
            if why:
                return None
            if known.previous and not known.used:
                self._refreshes[known.previous].dead = True
            known.used = True
            return known.grant

    # Inner rules; the lock is held

    @staticmethod
    def _api_refusal(known):
        if known is None:
            return "unknown"
        if known.dead or known.grant.revoked:
            return "revoked"
        return "expired" if clock.now() >= known.ends else None

    @staticmethod
    def _grant_facts(known):
        return {"user": known.grant.user, "grant": known.grant.number} if known else {}

    def _write_refusal(self, event, refusal, facts):
        self.ledger.write(event, outcome="refused", error=refusal.error, why=refusal.why, **facts)

    def _check_code(self, known, redirect_uri, verifier):
        if known is None:
            raise Refused("invalid_grant", "unknown code")
        if known.used:
            known.grant.revoked = True  # RFC 6749 4.1.2
            raise Refused("invalid_grant", "code used twice")
        if clock.now() > known.since + self.dialect.code_lifetime:
            raise Refused("invalid_grant", "code expired")
        if redirect_uri != known.redirect_uri:
            raise Refused("invalid_grant", "another redirect_uri")
        expected = verifier if self.dialect.pkce_plain else _challenge(verifier)
        if self.dialect.pkce and known.challenge != expected:
            raise Refused("invalid_grant", "PKCE verifier does not fit")

    def _check_refresh(self, known):
        now = clock.now()
        if known is None:
            raise Refused("invalid_grant", "unknown refresh token")
        if known.grant.revoked and not self.dialect.revoked_refresh_succeeds:
            raise Refused("invalid_grant", "grant revoked")
        if known.dead:
            raise Refused("invalid_grant", "refresh token dead")
        limit, idle = self.dialect.refresh_lifetime, self.dialect.refresh_idle
        if (limit and now > known.grant.since + limit) or (idle and now > known.since + idle):
            raise Refused("invalid_grant", "refresh token expired")
        if known.spent_at and not self._may_spend_again(known, now):
            known.grant.revoked |= self.dialect.kill_family_on_reuse
            raise Refused("invalid_grant", "refresh token used twice")

    def _may_spend_again(self, known, now):
        if self.dialect.rotation == "grace":
            return now <= known.spent_at + self.dialect.grace
        return self.dialect.rotation != "strict"

    def _successor(self, token, known):
        if self.dialect.rotation == "same":
            known.spent_at = 0.0
            return known.grant.first_refresh or token
        return self._new_refresh(known.grant)

    def _new_refresh(self, grant):
        token = tokens.new_refresh_token(self.dialect)
        grant.first_refresh = grant.first_refresh or token
        self._refreshes[token] = Refresh(grant)
        return token

    def _issue(self, event, grant, refresh, previous, facts):
        if self.dialect.refresh_kills_access:
            for older in self._accesses.values():
                older.dead |= older.grant is grant
        access = tokens.new_access_token(self.dialect, grant.user)
        self._accesses[access] = Access(grant, clock.now() + self.dialect.lifetime, previous)
        facts = facts | {"access": fingerprint(access), "grant": grant.number}
        if refresh:
            facts["refresh"] = fingerprint(refresh)
        self.ledger.write(event, outcome="accepted", **facts)
        return tokens.reply_members(self.dialect, grant, access, refresh)


def _challenge(verifier):
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() if verifier else ""
