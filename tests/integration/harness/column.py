"""A column of docs/PROVIDERS.md: a provider at the very addresses of its preset, a broker that
knows it by that preset, and a person with a real Chromium, at first before this machine, then
elsewhere."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from provider.dialects import ZENPAYROLL, dialect

from .logins import start, wait_ended
from .nginx import NAME, Nginx
from .ports import free_port

PRESETS = Path(__file__).resolve().parents[3] / "config" / "providers"
SCOPE = "read:accounts:referencedata manage:employees"
POSTMAN = "https://oauth.pstmn.io/v1/callback"
LABEL = "acme"


def preset_text(preset):
    return (PRESETS / f"{preset}.conf").read_text(encoding="utf-8")


def hosts_of(preset):
    """Every host that the preset's keys name."""
    return set(re.findall(r'^\w+ = "https://([^/"]+)', preset_text(preset), re.MULTILINE))


def all_hosts():
    """For a certificate: the hosts of all presets, the pages that redirects lead to, and the
    broker's own public name."""
    names = set().union(*(hosts_of(path.stem) for path in PRESETS.glob("*.conf")))
    return sorted(names | {"localhost", NAME, urlsplit(POSTMAN).hostname})


class Gate:
    """The public name, and the one proxy through which it leads to whichever broker listens on
    `upstream`."""

    def __init__(self, outside):
        self.upstream = free_port()
        self._nginx = Nginx(outside.home / "nginx", (outside.certificate, outside.key))
        self._nginx.serve(self.upstream)
        self.url, self.close = self._nginx.url, self._nginx.close
        outside.lead(NAME, self.url)


@dataclass(frozen=True)
class Way:
    """A provider in one of its variants, and the keys that are set beside its preset."""

    preset: str
    variants: tuple = ()
    keys: dict = field(default_factory=dict, hash=False)
    redirect: str = ""  # another than http://127.0.0.1:PORT/callback/NAME; {port} is ours
    dialect: str = ""  # where the preset has another name

    @property
    def name(self):
        return "-".join((self.preset, *self.variants))


HTTPS = "https://localhost:{port}/callback/zenegy"
_ZENPAYROLL_API = {"api_base": f"https://zenpayroll.com{ZENPAYROLL.api_prefix}"}
_ENABLEHR = {"scope": SCOPE}

WAYS = [
    Way("zenhr", ("refresh-same",), {"scope": "read:branch read:employee"}),
    Way("zenhr", ("refresh-new-old-alive",)),
    Way("zenhr", ("refresh-old-dies-on-use", "authorize-en"),
        {"authorization_endpoint": "https://app.zenhr.com/en/oauth/authorize"}),
    Way("zenegy", ("state-absent", "refresh-same"), redirect=HTTPS),
    Way("zenegy", ("state-echoed", "refresh-same"), redirect=HTTPS),
    Way("zenegy", ("state-echoed", "refresh-new"), {"state": "required"}, redirect=HTTPS),
    Way("zenegy", ("state-absent", "refresh-new", "lifetime-hour"), redirect=HTTPS),
    Way("zenegy", ("revoked-refresh-succeeds",), redirect=HTTPS),
    Way("enablehr", (), _ENABLEHR),
    Way("enablehr", ("credentials-both",),
        _ENABLEHR | {"token_params": ["client_id", "client_secret"]}),
    Way("enablehr", ("denial-without-state",), _ENABLEHR),
    Way("enablehr", ("userid-of-the-table",), _ENABLEHR | {"identity": "userid"}),
    Way("zenpayroll", ("params-form", "state-absent"), _ZENPAYROLL_API),
    Way("zenpayroll", ("params-query", "state-echoed"), _ZENPAYROLL_API | {
        "token_request": "query"}),
    Way("zenpayroll", ("revoked-refresh-succeeds",), _ZENPAYROLL_API),
    Way("gusto", ("created-at-number",)),
    Way("gusto", ("created-at-iso", "params-json"), {"token_request": "json"}),
    Way("gusto", (), redirect="https://localhost:{port}"),
]

# Presets that only say where another environment is.
ENVIRONMENTS = [
    Way("zenegy", dialect="zenegy", redirect=HTTPS),
    Way("zenegy-staging", dialect="zenegy", redirect=HTTPS),
    Way("zenegy-numbers", dialect="zenegy", redirect=HTTPS),
    Way("zenegy-numbers-staging", dialect="zenegy", redirect=HTTPS),
    Way("gusto-demo", dialect="gusto"),
]


def different_denials():
    """The first way of each that differs in what the browser brings back from a denial."""
    found = {}
    for way in WAYS:
        one = dialect(way.preset, *way.variants)
        found.setdefault((way.preset, one.state_echoed, one.denial_echoes_state), way)
    return list(found.values())


class Column:
    """A started daemon with that provider as its only one; `account` is not connected yet."""

    def __init__(self, way, daemon, make_emulator, outside, gate, browser):
        self.way, self.api, self.browser = way, daemon.api, browser
        self._outside, self.gate = outside, gate
        self.daemon = daemon
        self.account = f"{way.preset}/{LABEL}"
        self.provider = make_emulator(way.dialect or way.preset, *way.variants, keys=outside)
        for host in hosts_of(way.preset):
            outside.lead(host, self.provider.url)
        self._configure(daemon)
        daemon.start()

    def _configure(self, daemon):
        way, dialect = self.way, self.provider.dialect
        redirect = way.redirect.format(port=daemon.port) or daemon.redirect_uri(way.preset)
        behind = f"http://127.0.0.1:{self.gate.upstream}"
        daemon.config.callback = {"listen": [*daemon.config.callback["listen"], behind],
                                  "public_url": self.gate.url}
        if redirect.startswith("https://localhost"):
            daemon.config.callback |= {
                "listen": [f"https://localhost:{daemon.port}", behind],
                "certificate": [str(self._outside.certificate), str(self._outside.key)]}
        self.provider.register(redirect)
        daemon.config.providers[way.preset] = {
            "preset": way.preset, "client_id": dialect.client_id,
            "client_secret": dialect.client_secret, "redirect_uri": redirect,
            "ca_file": str(self._outside.certificate), "proxy": self._outside.proxy} | way.keys
        base = re.search(r'^api_base = "(.*)"', preset_text(way.preset), re.MULTILINE)
        if base:
            self.provider.configure(api_prefix=urlsplit(base[1]).path)

    def go_public(self):
        """From now on consents come back by the public name, so that they can be given elsewhere."""
        redirect = f"{self.gate.url}/callback/{self.way.preset}"
        self.provider.register(redirect)
        self.daemon.config.providers[self.way.preset]["redirect_uri"] = redirect
        self.daemon.reload()

    # What a person does

    def connect(self, decision="allow", **answers):
        """A person opens the link of a login; returns the login's last object. The browser stays on
        the page at the end."""
        started = start(self.api, self.account)
        self.decide(started["start_url"], decision, **answers)
        self.browser.wait_address("localhost:" if "https://localhost" in self.way.redirect
                                  else "127.0.0.1:")
        return wait_ended(self.api, started["login_id"])

    def decide(self, link, decision="allow", user="", company="", without=()):
        """At the provider's page: who, which company, without these scopes, yes or no."""
        self.browser.open(link)
        self.answer(decision, user, company, without)

    def answer(self, decision="allow", user="", company="", without=()):
        """The same, once the browser is there."""
        for name, text in (("user", user), ("company", company)):
            if text:
                self.browser.retype(f"input[name={name}]", text)
        for scope in without:
            self.browser.click(f'input[name=granted][value="{scope}"]')
        self.browser.click(f"#{decision}")

    def mend(self, link):
        """A person elsewhere opens a link, reads what it is for, consents; the page at the end."""
        self.browser.open(link)
        assert self.account in self.browser.text(), self.browser.text()
        self.browser.click(".go a")
        self.answer()
        self.browser.wait_address(self.gate.url + "/done/")
        return self.browser.text()

    # What a client does

    def token(self):
        return self.api.token(self.account).ok()

    def call(self, token=None):
        """The API's answer to a call exactly as `present` says: (status, members)."""
        return self.provider.call(token or self.token())
