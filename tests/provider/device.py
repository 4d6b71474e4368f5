"""Device logins (RFC 8628): the codes that are out, what the person said, and how often the client
asks. Belongs to the authority, whose lock holds while it is called."""

import secrets
from dataclasses import dataclass, field
from html import escape

from . import clock, pages
from .ledger import fingerprint
from .refused import Refused

USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628 6.1
SLOW_DOWN_SECONDS = 5
TOLERANCE = 0.25  # of clocks and of the way


@dataclass
class Device:
    user_code: str
    scope: str
    interval: float
    ends: float
    asked_at: float = 0.0
    grant: object = None
    denied: bool = False
    used: bool = False
    since: float = field(default_factory=clock.now)


class Devices:
    def __init__(self, ledger):
        self._ledger = ledger
        self._by_code, self._by_user_code = {}, {}

    def begin(self, dialect, issuer, scope):
        """The members of the device authorization response (RFC 8628 3.2)."""
        letters = [secrets.choice(USER_CODE_LETTERS) for _ in range(8)]
        user_code = "".join(letters[:4]) + "-" + "".join(letters[4:])
        code = secrets.token_urlsafe(32)
        device = Device(user_code, scope, dialect.device_interval,
                        clock.now() + dialect.device_lifetime)
        self._by_code[code] = self._by_user_code[user_code] = device
        self._ledger.write("device_begun", device=fingerprint(code), scope=scope)
        address = issuer + dialect.device_page_path
        members = {"device_code": code, "user_code": user_code,
                   "expires_in": dialect.device_lifetime, "interval": dialect.device_interval,
                   dialect.device_uri_member: address}
        if dialect.device_complete:
            members["verification_uri_complete"] = f"{address}?user_code={user_code}"
        return members | dialect.device_members

    def poll(self, code):
        """The grant once the person agreed; Refused until then and otherwise (RFC 8628 3.5)."""
        device, now = self._by_code.get(code), clock.now()
        refusal = self._judge(device, now)
        self._ledger.write("device_poll", device=fingerprint(code),
                           outcome=refusal.error if refusal else "granted",
                           since=round(now - (device.asked_at or device.since), 3)
                           if device else None)
        if device:
            device.asked_at = now
        if refusal:
            raise refusal
        device.used = True
        return device.grant

    @staticmethod
    def _judge(device, now):
        if device is None or device.used:
            return Refused("invalid_grant", "unknown device_code")
        if now > device.ends:
            return Refused("expired_token", "the codes have expired")
        if device.denied:
            return Refused("access_denied", "the person said no")
        if device.asked_at and now - device.asked_at < device.interval - TOLERANCE:
            device.interval += SLOW_DOWN_SECONDS
            return Refused("slow_down", "asked too often")
        return None if device.grant else Refused("authorization_pending", "not yet")

    def codes(self):
        return list(self._by_code)

    def answer(self, form, new_grant):
        """The person has pressed a button: the page that is shown then."""
        device = self._by_user_code.get(form.get("user_code", "").strip().upper())
        if device is None or clock.now() > device.ends:
            return pages.problem("unknown code")
        if form.get("decision") == "allow":
            device.grant = new_grant(form.get("user", "alice"), form.get("company", "acme"),
                                     device.scope)
        else:
            device.denied = True
        self._ledger.write("device_decided", decision=form.get("decision"))
        return pages.problem("you may go back to your device").replace("Error", "Done")


def page(dialect, user_code):
    body = f"""<form method="post" action="{escape(dialect.device_page_path)}">
<p><label>Code <input name="user_code" value="{escape(user_code)}"></label></p>
<p><label>You are <input name="user" value="alice"></label></p>
<p><label>Company <input name="company" value="acme"></label></p>
<button name="decision" value="allow" id="allow">Allow</button>
<button name="decision" value="deny" id="deny">Deny</button>
</form>"""
    return pages.page("Enter the code that your device shows", body)
