"""A headless Chromium, Debian's, driven through its own driver, and the pages that it shows."""

import html
import os
import signal
import subprocess
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from clients.programs import system_tool
from server import poll

# For one page to be there, or one script to be done.
PAGE_SECONDS = 60
# For all that a test does with it. One that answers nothing any more is killed then.
BROWSER_SECONDS = 240
# As root it has no sandbox; it shows only the tests' own pages, and finds no host but this machine.
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--no-proxy-server", "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"]
# fetch() of the page's origin: what a page learns of the answer, or that it learns nothing.
ASK = """
const [url, settings, source, headers, done] = arguments;
(async () => {
    const body = source ? await (await fetch(source)).arrayBuffer() : undefined;
    let answer;
    try {
        answer = await fetch(url, {...settings, body, cache: "no-store"});
    } catch (error) {
        return {refused: error.name};
    }
    const bytes = await answer.arrayBuffer();
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return {
        status: answer.status, length: bytes.byteLength,
        sha256: Array.from(digest, byte => byte.toString(16).padStart(2, "0")).join(""),
        headers: Object.fromEntries(headers.map(name => [name, answer.headers.get(name)]))};
})().then(done, error => done({failed: String(error)}));
"""


class Pages(SimpleHTTPRequestHandler):
    """Files of a directory as they are now, and no log."""

    def end_headers(self):
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *_):
        pass


class Site:
    """A directory as pages of two origins: one server, under two names."""

    def __init__(self, directory: Path, port: int):
        self.directory = directory
        self.origin = f"http://127.0.0.1:{port}"
        self.other_origin = f"http://localhost:{port}"

    def write_form(self, made: dict) -> str:
        """The address of a page with this form, as `generate_presigned_post` makes it."""
        fields = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">\n'
            for name, value in made["fields"].items())
        (self.directory / "form.html").write_text(
            f'<!doctype html><meta charset="utf-8"><title>form</title>\n'
            f'<form action="{html.escape(made["url"])}" method="post"'
            f' enctype="multipart/form-data">\n{fields}'
            f'<input type="file" name="file"><input type="submit"></form>\n')
        return f"{self.origin}/form.html"


@contextmanager
def site(directory: Path):
    """Serves the directory, with an empty page in it, until the end."""
    directory.mkdir(exist_ok=True)
    (directory / "page.html").write_text("<!doctype html><title>page</title>\n")
    handler = partial(Pages, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        try:
            yield Site(directory, server.server_port)
        finally:
            server.shutdown()
            serving.join()


class Browser:
    """What a person does, or the script of a page."""

    def __init__(self, driver: webdriver.Chrome):
        self.driver = driver

    def submit(self, page: str, file: Path) -> str:
        """Chooses the file in the page's form and sends it; the source of what is shown then."""
        self.driver.get(page)
        self.driver.find_element(By.NAME, "file").send_keys(str(file))
        self.driver.find_element(By.CSS_SELECTOR, "input[type=submit]").click()
        WebDriverWait(self.driver, PAGE_SECONDS).until(lambda driver: driver.current_url != page)
        return self.driver.page_source

    def ask(self, origin: str, url: str, settings: dict, source=None, headers=()) -> dict:
        """Lets a page of the origin fetch the URL, with the bytes of its file `source` as body."""
        self.driver.get(f"{origin}/page.html")
        answer = self.driver.execute_async_script(ASK, url, settings, source, list(headers))
        assert "failed" not in answer, answer
        return answer


def end_group(leader: subprocess.Popen | None) -> None:
    """Kills what is left of a group, and returns when it is gone: it writes to its profile."""
    if leader is None:
        return

    def is_gone() -> bool:
        leader.poll()
        try:
            os.killpg(leader.pid, signal.SIGKILL)
        except ProcessLookupError:
            return True
        return False

    poll(is_gone, PAGE_SECONDS, f"process group {leader.pid} gone")


@contextmanager
def browser(profile: Path):
    """Chromium with an empty profile. All of it ends here, whatever has become of the test."""
    options = webdriver.ChromeOptions()
    options.binary_location = system_tool("chromium")
    for flag in [*FLAGS, f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    # A group of its own: the driver, the browser, and the processes of its pages.
    service = Service(system_tool("chromedriver"), popen_kw={"start_new_session": True})
    killer = threading.Timer(BROWSER_SECONDS, lambda: end_group(service.process))
    try:
        killer.start()
        driver = webdriver.Chrome(options, service)
        try:
            driver.set_page_load_timeout(PAGE_SECONDS)
            driver.set_script_timeout(PAGE_SECONDS)
            yield Browser(driver)
        finally:
            driver.quit()
    finally:
        killer.cancel()
        end_group(service.process)
