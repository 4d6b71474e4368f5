"""What a test does with a browser, whichever it is and however it is driven."""

import base64
import shutil
import tempfile
import time
from pathlib import Path

ARTEFACTS = Path(__file__).resolve().parents[2] / "artefacts"
WAIT = 15  # seconds that an element or an address is waited for
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the name that the WebDriver standard gives it


class Window:
    """A driver gives it _do(command, **members), with the WebDriver standard's commands. home: one
    that is kept, with what it trusts; else close() leaves nothing behind."""

    def __init__(self, home):
        self._folder = tempfile.mkdtemp(prefix="tb-browser-")
        self._home = str(home or self._folder)

    def close(self):
        shutil.rmtree(self._folder, ignore_errors=True)

    def _do(self, command, **members):
        raise NotImplementedError

    def open(self, url):
        self._do("Navigate", url=url)

    @property
    def address(self):
        return self._do("GetCurrentURL")

    @property
    def title(self):
        return self._do("GetTitle")

    def text(self, selector="body"):
        return self._do("GetElementText", id=self._find(selector))

    def click(self, selector):
        """Waits for the element, then clicks it."""
        self._do("ElementClick", id=self._find(selector))

    def type(self, selector, text):
        self._do("ElementSendKeys", id=self._find(selector), text=text)

    def retype(self, selector, text):
        """In place of what stands there."""
        self._do("ElementClear", id=self._find(selector))
        self.type(selector, text)

    def value(self, selector):
        """What an input holds."""
        return self._do("GetElementProperty", id=self._find(selector), name="value")

    def run(self, script, *arguments):
        """Runs a script as the page's own; its last argument is the function that ends it."""
        return self._do("ExecuteAsyncScript", script=script, args=list(arguments))

    def wait_for(self, selector):
        """Waits until the page holds such an element."""
        self._find(selector)

    def wait_address(self, part):
        """Waits until the address holds the text; returns it."""
        deadline = time.monotonic() + WAIT
        while part not in (address := self.address):
            assert time.monotonic() < deadline, f"{part!r} never came, the address is {address}"
            time.sleep(0.05)
        return address

    def screenshot(self, name):
        """Keeps a picture of the page under tests/artefacts/."""
        ARTEFACTS.mkdir(exist_ok=True)
        path = ARTEFACTS / f"{name}.png"
        path.write_bytes(base64.b64decode(self._do("TakeScreenshot")))
        return path

    def _find(self, selector):
        return self._do("FindElement", using="css selector", value=selector)[_ELEMENT]
