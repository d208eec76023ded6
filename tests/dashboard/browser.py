"""A Chromium that looks at a dashboard of its own, and keeps what it complained of."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from shops import PROJECT

OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1280,1000",
)  # fmt: skip
PATIENCE = 60  # seconds, on a machine that is busy with other tests


@contextmanager
def dashboard_of(folder: Path) -> Iterator[str]:
    """A dashboard of what is published in a folder, as `make dashboard` starts it; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "dashboards/app.py"]
    environment = {**os.environ, "CARTWRIGHT_PUBLISH_DIR": str(folder)}
    with subprocess.Popen(
        [*command, "--server.port", str(port)],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        address = f"http://127.0.0.1:{port}"
        try:
            wait(lambda: answers(f"{address}/_stcore/health"))
            yield address
        finally:
            server.terminate()


def answers(url: str) -> bool:
    """Whether somebody answers at a URL."""
    try:
        with urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def wait(is_so: Callable[[], Any], what: str = "") -> Any:
    """Wait until something is so, and give it; AssertionError where it takes too long."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = is_so()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited {PATIENCE} s in vain {what}")


def a_browser(folder: Path) -> Iterator[Browser]:
    """A Chromium for the tests of a module, which skips them where there is none."""
    import pytest

    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        pytest.skip("no chromium and chromedriver on the PATH: apt-get install chromium-driver")
    browser = Browser(folder)
    yield browser
    browser.driver.quit()


class Browser:
    """Opens pages, and waits until they have settled."""

    def __init__(self, folder: Path) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for option in (*OPTIONS, f"--user-data-dir={folder / 'profile'}"):
            options.add_argument(option)
        options.add_experimental_option(
            "prefs", {"download.default_directory": str(folder / "downloads")}
        )
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.downloads = folder / "downloads"
        self.driver: Any = webdriver.Chrome(options, Service(shutil.which("chromedriver")))

    def open(self, url: str, title: str) -> None:
        """Open a URL and wait for its page."""
        self.driver.get(url)
        self.expect_title(title)

    def expect_title(self, title: str) -> None:
        """Wait until the page of this title stands still."""
        wait(lambda: self.texts("h1") == [title] and self.is_still(), f"for {title}")

    def is_at(self, choice: str) -> bool:
        """Whether a choice is in the URL."""
        return choice in self.driver.current_url

    def is_still(self) -> bool:
        """Whether nothing is being computed or drawn."""
        is_running = '[data-testid="stApp"]:not([data-test-script-state="notRunning"])'
        return not self.find(f'{is_running}, [data-testid="stSkeleton"]')

    def find(self, selector: str) -> list[Any]:
        """The elements of a CSS selector."""
        found: list[Any] = self.driver.find_elements("css selector", selector)
        return found

    def texts(self, selector: str) -> list[str]:
        """Their texts; none while the page is being drawn anew."""
        from selenium.common.exceptions import StaleElementReferenceException

        try:
            return [element.text for element in self.find(selector)]
        except StaleElementReferenceException:
            return []

    def tiles(self) -> dict[str, str]:
        """The numbers in tiles by their labels."""
        labels = self.texts('[data-testid="stMetricLabel"]')
        values = self.texts('[data-testid="stMetricValue"]')
        return dict(zip(labels, values, strict=False))

    def click(self, selector: str, text: str) -> None:
        """Click the element with a text, once it is there."""
        from selenium.common.exceptions import (
            ElementClickInterceptedException,
            StaleElementReferenceException,
        )

        def clicked() -> bool:
            try:
                for element in self.find(selector):
                    if element.text.strip().endswith(text) and element.is_displayed():
                        element.click()
                        return True
            except (StaleElementReferenceException, ElementClickInterceptedException):
                return False
            return False

        wait(clicked, f"to click {text}")

    def faults(self) -> list[str]:
        """What is shown of exceptions and errors."""
        return self.texts('[data-testid="stException"], [data-testid="stAlertContentError"]')

    def complaints(self) -> list[str]:
        """What the console has said since the last time."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def hosts(self) -> set[str]:
        """The hosts that were asked for anything since the last time."""
        hosts = set()
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                if url.startswith(("http", "ws")):
                    hosts.add(url.split("/")[2].split(":")[0])
        return hosts
