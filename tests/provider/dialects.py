"""What each provider's authorization server does, as data: one entry for each provider.

A variant is a set of changes to an entry, for where the provider's own documents disagree or are
silent; variants of one provider can be combined.
"""

from dataclasses import dataclass, field, replace

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR

# What becomes of a refresh token that was used.
ROTATIONS = (
    "same",  # the reply repeats the grant's first refresh token, which lives on
    "new-old-alive",  # a new one each time, the old ones live on
    "revoke-on-first-use",  # the old one dies when the new access token is first used at the API
    "strict",  # the old one is dead at once
    "grace",  # the old one may be retried for `grace` seconds
)


@dataclass(frozen=True)
class Dialect:
    name: str
    authorize_path: str
    token_path: str
    api_prefix: str = "/api"
    broken_token_path: str = ""  # a path that the provider's prose names and that always fails
    refresh_path: str = ""  # where refreshes go, and the token path takes none
    revocation_path: str = "/oauth/revoke"
    push_path: str = ""  # pushed authorization requests (RFC 9126); such alone are taken

    # The client and its request to the token endpoint.
    # Any of these is enough: basic, basic_raw, post; or one alone: none, private_key_jwt, tls.
    client_auth: tuple = ("post",)
    both_at_exchange: bool = False  # the code exchange wants the credentials in the body as well
    parameters_in: tuple = ("form",)  # any of form, query, json
    secret_in_url_refused: bool = False
    refresh_needs_redirect_uri: bool = False
    clients_own_grant: str = ""  # client_credentials (RFC 6749 4.4), system_access

    # The consent.
    https_redirect: bool = False
    redirect_query_ignored: bool = False
    scope_required: bool = False
    scope_separator: str = ""  # the only thing that separates scopes; "" is a space
    pkce: bool = False  # knows S256; others ignore the challenge
    pkce_required: bool = False
    pkce_plain: bool = False  # the challenge has to be the verifier itself
    pkce_refused: bool = False
    state_echoed: bool = True
    denial_echoes_state: bool = True  # where the consent does
    denial: str = "error"  # or "neither": a redirect with neither code nor error
    iss: bool = False  # RFC 9207
    code_lifetime: float = 10 * MINUTE
    request_uri_lifetime: float = 60

    # Device logins (RFC 8628).
    device_path: str = ""  # of the device authorization endpoint; "": it has none
    device_page_path: str = "/device"
    device_interval: float = 1
    device_lifetime: float = 10 * MINUTE
    device_complete: bool = True  # sends verification_uri_complete
    device_uri_member: str = "verification_uri"
    device_members: dict = field(default_factory=dict)  # in place of what it would say

    # The reply.
    token_type: str = "Bearer"
    lifetime: float = HOUR
    expires_in: str = "number"  # number, string, milliseconds, absent
    refresh_before_end: bool = False  # refresh_token stands before expires_in
    token_bytes: int = 32  # of those in hex, each two digits
    access_form: str = "hex"  # hex, jwt
    refresh_form: str = "hex"  # hex, base64 (with + / =)
    # others: scope, company_id, company_uuid, accountIds, userId, userid, jti, id_token
    fields: tuple = ()
    account_ids: tuple = ()  # what accountIds holds
    nonce: str = ""  # what the id_token says instead of the request's
    created_at: str = ""  # number, iso
    broken_json: bool = False  # a comma is missing after refresh_token

    # What becomes of tokens.
    rotation: str = "strict"
    grace: float = 0
    kill_family_on_reuse: bool = False
    refresh_lifetime: float = 0  # 0: for ever; does not slide
    refresh_idle: float = 0  # 0: for ever
    revoked_refresh_succeeds: bool = False  # a revoked grant still refreshes; the API says 401
    revocation_ends_all: bool = False  # one revocation ends all of the person's grants
    refresh_kills_access: bool = False  # a refresh ends the grant's older access tokens
    bad_client_consumes: bool = False  # a refresh with a wrong client secret spends the token

    # The API.
    present: str = "header"  # header, query
    static_scheme: str = ""  # the scheme of the application's own tokens
    rate_limit: tuple = ()  # requests, seconds

    # Who the server thinks its client is; set by the tests.
    client_id: str = "client-id"
    client_secret: str = "client secret/+%"
    redirect_uris: tuple = field(default=())
    client_key: str = ""  # the file of its public key
    assertion_alg: str = "RS256"
    assertion_kid: str = "key-1"
    assertion_for: str = "token_endpoint"  # or issuer
    certificate_name: str = "client-id"


ZENHR = Dialect(
    name="zenhr",
    authorize_path="/oauth/authorize",
    token_path="/oauth/token",
    api_prefix="/api/v3",
    pkce=True,
    rotation="revoke-on-first-use",
    refresh_lifetime=365 * DAY,
    rate_limit=(15, 4.0),
)

ZENEGY = Dialect(
    name="zenegy",
    authorize_path="/auth/authorize",
    token_path="/auth/token",
    broken_token_path="/auth/authentication/",
    https_redirect=True,
    redirect_query_ignored=True,
    state_echoed=False,
    denial="neither",
    code_lifetime=5 * MINUTE,
    token_type="bearer",
    lifetime=1799,
    access_form="jwt",
    refresh_form="base64",
    fields=("company_id",),
    rotation="same",
)

ENABLEHR = Dialect(
    name="enablehr",
    authorize_path="/oauth/authorize",
    token_path="/oauth/token",
    client_auth=("basic_raw",),
    scope_required=True,
    code_lifetime=5 * MINUTE,
    token_type="bearer",
    lifetime=1799,
    expires_in="string",
    refresh_before_end=True,
    access_form="jwt",
    fields=("scope", "accountIds", "userId", "jti"),
    rotation="grace",
    grace=30 * MINUTE,
    refresh_idle=14 * DAY,
)

ZENPAYROLL = Dialect(
    name="zenpayroll",
    authorize_path="/oauth/authorize",
    token_path="/oauth/token",
    parameters_in=("form", "query"),
    refresh_needs_redirect_uri=True,
    state_echoed=False,
    token_type="bearer",
    lifetime=2 * HOUR,
    rotation="strict",
    present="query",
    static_scheme="Token",
)

GUSTO = Dialect(
    name="gusto",
    authorize_path="/oauth/authorize",
    token_path="/oauth/token",
    parameters_in=("form", "json"),
    secret_in_url_refused=True,
    refresh_needs_redirect_uri=True,
    clients_own_grant="system_access",
    token_type="bearer",
    lifetime=2 * HOUR,
    fields=("scope", "company_uuid"),
    created_at="number",
    rotation="revoke-on-first-use",
)

# No real provider: what the RFCs say and nothing else, for tests that are about the broker alone.
PLAIN = Dialect(
    name="plain",
    authorize_path="/authorize",
    token_path="/token",
    revocation_path="/revoke",
    client_auth=("basic",),
    pkce=True,
    pkce_required=True,
    fields=("scope",),
)

DIALECTS = {entry.name: entry for entry in (ZENHR, ZENEGY, ENABLEHR, ZENPAYROLL, GUSTO, PLAIN)}

VARIANTS = {
    "zenhr": {
        "refresh-same": {"rotation": "same"},
        "refresh-new-old-alive": {"rotation": "new-old-alive"},
        "refresh-old-dies-on-use": {"rotation": "revoke-on-first-use"},
        "authorize-en": {"authorize_path": "/en/oauth/authorize"},
    },
    "zenegy": {
        "state-echoed": {"state_echoed": True},
        "state-absent": {"state_echoed": False},
        "refresh-same": {"rotation": "same"},
        "refresh-new": {"rotation": "strict"},
        "lifetime-hour": {"lifetime": HOUR},
        "revoked-refresh-succeeds": {"revoked_refresh_succeeds": True},
    },
    "enablehr": {
        "credentials-both": {"both_at_exchange": True},
        "denial-without-state": {"denial_echoes_state": False},
        "userid-of-the-table": {"fields": ("scope", "accountIds", "userid", "jti"),
                                "account_ids": ("a-1", "a-2")},
        "sample-json": {"broken_json": True},
    },
    "zenpayroll": {
        "params-form": {"parameters_in": ("form",)},
        "params-query": {"parameters_in": ("query",)},
        "state-echoed": {"state_echoed": True},
        "state-absent": {"state_echoed": False},
        "revoked-refresh-succeeds": {"revoked_refresh_succeeds": True},
    },
    "gusto": {
        "created-at-number": {"created_at": "number"},
        "created-at-iso": {"created_at": "iso"},
        "params-json": {"parameters_in": ("json",)},
    },
    "plain": {
        "iss": {"iss": True},
        "no-expires-in": {"expires_in": "absent"},
        "family": {"kill_family_on_reuse": True},
        "clients-own": {"clients_own_grant": "client_credentials"},
        "device": {"device_path": "/device_authorization"},
        "device-url": {"device_path": "/device_authorization", "device_complete": False,
                       "device_uri_member": "verification_url"},
        "post": {"client_auth": ("post",)},
        "push": {"push_path": "/par"},
    },
}

# Accepts a plain http redirect where the provider wants https.
HTTP_REDIRECT = "http-redirect"


def dialect(name, *variants):
    """The entry called `name` with the variants' changes, in their order."""
    entry = DIALECTS[name]
    for variant in variants:
        if variant == HTTP_REDIRECT:
            entry = replace(entry, https_redirect=False)
        else:
            entry = replace(entry, **VARIANTS[name][variant])
    return entry
