"""Runs one code block of the page as a user would, and records what it was answered.

The block itself is not touched but for the host. What it was answered is caught around it: a bash function over `command curl`,
a patched `httpx` transport, a wrapped `fetch`.
"""

import json
import subprocess
import sys
import urllib.parse

import page

BLOCK_SECONDS = 60

CURL = r"""
set -u
curl() {
    recorded=$((recorded + 1))
    command curl --silent --show-error --max-time 30 --output "$RECORD.$recorded.body" \
        --write-out '{"status":%{http_code},"method":"%{method}","url":"%{url_effective}"}\n' "$@" >>"$RECORD"
}
recorded=0
"""

PYTHON = """
import json, os, runpy, sys
import httpx

send = httpx.Client.send
def recording(self, request, **options):
    response = send(self, request, **options)
    with open(os.environ["RECORD"], "a") as record:
        record.write(json.dumps({"status": response.status_code, "method": request.method, "url": str(request.url), "body": response.text}) + "\\n")
    return response
httpx.Client.send = recording
runpy.run_path(sys.argv[1], run_name="__main__")
"""

FETCH = """
const { appendFileSync } = require("node:fs");
const send = globalThis.fetch;
globalThis.fetch = async (url, options) => {
    const response = await send(url, options);
    const body = await response.clone().text();
    appendFileSync(process.env.RECORD, JSON.stringify({ status: response.status, method: options?.method ?? "GET", url: String(url), body }) + "\\n");
    return response;
};
"""

# The page's listing in JavaScript shows one page. This goes on from there with the same parameters and the cursor.
WALK_ON = """
for (let page = listing; page.has_more; ) {
    params.set("cursor", page.cursor);
    page = await (await fetch(`%s/v1/secrets?${params}`, { headers: { "Authorization": `Bearer ${process.env.SCAIVAULT_TOKEN}` } })).json();
}
"""


class Exchange:
    """One request of a block and its answer."""

    def __init__(self, status, method, url, body):
        self.status, self.method, self.body = status, method, body
        self.target = urllib.parse.urlsplit(url).path

    def json(self):
        return json.loads(self.body)

    def __str__(self):
        return f"{self.method} {self.target} -> {self.status} {self.body[:400]}"


class Run:
    def __init__(self, exchanges, stdout, mended):
        self.exchanges, self.stdout, self.mended = exchanges, stdout, mended

    @property
    def only(self):
        if len(self.exchanges) != 1:
            raise AssertionError(f"the block made {len(self.exchanges)} requests, expected one")
        return self.exchanges[0]


def run(block, server_url, tokens, directory, imports, walk_on=False):
    """Runs `block` in `directory`, which must be empty, with `tokens` in the environment."""
    from harness import clean_environment

    text, mended = block.text, False
    if page.HOST not in text:
        raise AssertionError("the block names another host than the page's")
    record = directory / "record"
    record.touch()
    if block.kind == "curl":
        command = ["bash", "-c", CURL + text.replace(page.HOST, server_url)]
    elif block.kind == "python":
        text, mended = page.runnable_python(text)
        file = directory / "block.py"
        file.write_text(("" if "import " in text else imports + "\n") + text.replace(page.HOST, server_url))
        command = [sys.executable, "-c", PYTHON, str(file)]
    else:
        (directory / "record.cjs").write_text(FETCH)
        file = directory / "block.mjs"
        file.write_text(text.replace(page.HOST, server_url) + (WALK_ON % server_url if walk_on else ""))
        command = ["node", "--require", str(directory / "record.cjs"), str(file)]
    environment = clean_environment(RECORD=record, **tokens)
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=BLOCK_SECONDS)
    if done.returncode != 0:
        raise AssertionError(f"the block ended with {done.returncode}\n{done.stderr.strip()[-1500:]}\n{record.read_text()[:1000]}")
    exchanges = []
    for number, line in enumerate(record.read_text().splitlines(), 1):
        entry = json.loads(line)
        body = entry["body"] if "body" in entry else directory.joinpath(f"record.{number}.body").read_text()
        exchanges.append(Exchange(entry["status"], entry["method"], entry["url"], body))
    return Run(exchanges, done.stdout, mended)
