"""How tokens and the token reply look in each dialect."""

import base64
import hashlib
import json
import secrets
import time
import uuid

from . import clock

JWT_CLAIMED_LIFETIME = 3600  # whatever expires_in says: one provider's sample does exactly this


def _jwt_part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _jwt(user):
    now = int(clock.now())
    claims = {
        "name": user,
        "token_id": secrets.token_urlsafe(24),
        "nbf": now,
        "exp": now + JWT_CLAIMED_LIFETIME,
    }
    signature = secrets.token_urlsafe(32)
    return ".".join((_jwt_part({"alg": "HS256", "typ": "JWT"}), _jwt_part(claims), signature))


def _id_token(dialect, grant):
    claims = {"sub": user_id(grant.user), "nonce": dialect.nonce or grant.nonce}
    return ".".join((_jwt_part({"alg": "none"}), _jwt_part(claims), ""))


def new_access_token(dialect, user):
    return _jwt(user) if dialect.access_form == "jwt" else secrets.token_hex(dialect.token_bytes)


def new_refresh_token(dialect):
    if dialect.refresh_form == "hex":
        return secrets.token_hex(dialect.token_bytes)
    while True:
        token = base64.b64encode(secrets.token_bytes(32)).decode()
        if "+" in token and "/" in token:
            return token


def company_id(company):
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, company))


def user_id(user):
    return hashlib.md5(user.encode()).hexdigest()


def _created_at(dialect):
    if dialect.created_at == "iso":
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(clock.now()))
    return int(clock.now())


def _expires_in(dialect):
    if dialect.expires_in == "milliseconds":
        return int(dialect.lifetime * 1000)
    whole = int(dialect.lifetime)
    return str(whole) if dialect.expires_in == "string" else whole


def reply_members(dialect, grant, access_token, refresh_token):
    """The token reply's members, in the order in which the provider shows them."""
    members = {"access_token": access_token, "token_type": dialect.token_type}
    refresh = {} if refresh_token is None else {"refresh_token": refresh_token}
    end = {} if dialect.expires_in == "absent" else {"expires_in": _expires_in(dialect)}
    members |= refresh | end if dialect.refresh_before_end else end | refresh
    if dialect.created_at:
        members["created_at"] = _created_at(dialect)
    others = {
        "scope": lambda: grant.scope,
        "company_id": lambda: company_id(grant.company),
        "company_uuid": lambda: company_id(grant.company),
        "accountIds": lambda: list(dialect.account_ids),
        "userId": lambda: user_id(grant.user),
        "userid": lambda: user_id(grant.user),
        "id_token": lambda: _id_token(dialect, grant),
        "refresh_token_expires_in": lambda: int(dialect.refresh_lifetime),
        "jti": lambda: base64.b64encode(secrets.token_bytes(20)).decode(),
    }
    members.update((name, others[name]()) for name in dialect.fields)
    return members


def reply_text(dialect, members):
    text = json.dumps(members, indent=1)
    if not dialect.broken_json or "refresh_token" not in members:
        return text
    line = f'"refresh_token": {json.dumps(members["refresh_token"])}'
    return text.replace(line + ",", line)
