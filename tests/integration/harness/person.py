"""A person with a browser: follows links, keeps cookies, presses buttons. No JavaScript needed."""

import http.cookiejar
import urllib.error
import urllib.request
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin

HOPS_MAX = 10


@dataclass
class Page:
    url: str
    status: int
    headers: object
    text: str


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class _Forms(HTMLParser):
    """The action of each form, and what its inputs hold."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form":
            self.found.append((attrs.get("action", ""), []))
        if tag == "input" and "name" in attrs and self.found:
            self.found[-1][1].append((attrs["name"], attrs.get("value", "")))


class Person:
    """`hops` are the addresses visited, in order; trust: an SSLContext with https's authorities."""

    def __init__(self, trust=None):
        self.cookies = http.cookiejar.CookieJar()
        self.hops = []
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), _NoRedirects,
            urllib.request.HTTPCookieProcessor(self.cookies),
            urllib.request.HTTPSHandler(context=trust))

    def fetch(self, url, form=None, headers=None):
        """One request; a redirect is an answer like any other."""
        self.hops.append(url)
        data = urlencode(form).encode() if form is not None else None
        try:
            reply = self._opener.open(urllib.request.Request(url, data, headers or {}), timeout=60)
        except urllib.error.HTTPError as error:
            reply = error
        with reply:
            return Page(url, reply.status, reply.headers, reply.read().decode())

    def open(self, url, form=None):
        """Follows redirects to the page where they end."""
        page = self.fetch(url, form)
        for _ in range(HOPS_MAX):
            if page.status not in (301, 302, 303, 307, 308):
                return page
            page = self.fetch(urljoin(page.url, page.headers["Location"]))
        raise AssertionError(f"redirects without end: {self.hops}")

    def answer(self, page, decision, form=0, **changes):
        """The form of a consent page (its form'th), filled in: (address, fields). changes replace
        fields; granted is the list of scopes that stay ticked."""
        forms = _Forms(page.text).found
        assert len(forms) > form, f"no such form on {page.url} ({page.status}): {page.text}"
        action, inputs = forms[form]
        granted = changes.pop("granted", None)
        fields = [(name, changes.get(name, value)) for name, value in inputs
                  if name != "granted" or granted is None or value in granted]
        return urljoin(page.url, action), [*fields, ("decision", decision)]

    def decide(self, start_url, decision="allow", **changes):
        """From the start link over the consent page to where the provider sends the browser; that
        address is returned and not yet visited."""
        page = self.open(start_url)
        reply = self.fetch(*self.answer(page, decision, **changes))
        assert reply.status == 302, f"{reply.status}: {reply.text}"
        return reply.headers["Location"]

    def consent(self, start_url, decision="allow", **changes):
        """The whole walk; returns the final page."""
        return self.open(self.decide(start_url, decision, **changes))
