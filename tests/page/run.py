#!/usr/bin/env python3
"""Runs every code block of the user's page against a real server, and checks what the page says around them.

`managing-secrets.txt` is the page as its users see it. Each curl, Python and JavaScript block is run as it stands (only the host
differs), and what it is answered must have every key of the page's JSON with the same type. A block that no case below
expects fails the run, and so does a row of the page's tables without a check.
"""

import datetime
import itertools
import pathlib
import re
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import page
import snippet
from harness import ALL_SCOPES, Client, Server, Tally, expect, expect_equal, expect_error, init, scratch

SALESFORCE = "environments/production/salesforce/api-credentials"
DATABASE = "app/db/password"
FOLDER = "environments/production/"
BELOW_FOLDER = 127
DEV = "tnt_acme_dev"
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
PAGE_TIME = re.compile(r"^\d{4}-\d\d-\d\dT")


def shape(wanted, found, at="answer"):
    """`found` has every key of `wanted` with the same type; where the page shows null anything may stand, null too."""
    if wanted is None:
        return
    expect_equal(type(found).__name__, type(wanted).__name__, f"type of {at}")
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            expect(key in found, f"{at} lacks the key {key!r}: it has {sorted(found)}")
            shape(value, found[key], f"{at}.{key}")
    elif isinstance(wanted, list):
        expect(found or not wanted, f"{at} is empty")
        for number, value in enumerate(found):
            shape(wanted[0], value, f"{at}[{number}]")
    elif isinstance(wanted, str) and PAGE_TIME.match(wanted):
        expect(TIME.match(found), f"{at} is no time in whole seconds UTC: {found!r}")


def utc(**ahead):
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(**ahead)).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(text):
    return datetime.datetime.fromisoformat(text).timestamp()


class World:
    """What the blocks need to be there, made through the API."""

    def __init__(self, server, first):
        self.url = server.url
        self.root = Client(server.url, first["token"])
        self.home = first["tenant_id"]
        self.recipes = itertools.count(1)
        root = self.root
        root.must(201, "POST", "/v1/identity/tenants", {"id": DEV, "partner_id": first["partner_id"], "name": "Acme dev"})
        root.must(201, "POST", "/v1/rotation/policies", {"name": "quarterly", "interval": "90d"})
        root.must(201, "POST", f"/v1/t/{DEV}/rotation/policies", {"name": "quarterly", "interval": "90d"})
        root.must(201, "POST", "/v1/secret-policies", {"name": "db", "fields": [{"name": "password", "generator": "random"}]})

        # Whoever reads the page is an ordinary user whom a policy lets do everything on secrets.
        user = self.user(self.home, "mia@firm.example")
        policy = root.must(201, "POST", "/v1/policies", {"name": "everything", "rules": [{"path_pattern": "**", "permissions": ["admin"]}]})
        root.must(201, "POST", f"/v1/policies/{policy['id']}/bindings", {"identity_type": "user", "identity_id": "user:mia@firm.example"})
        # It may not do what needs admin over the tenant; the rotation policy it only attaches.
        self.token = self.token_of(user, self.home)
        self.stranger = self.token_of(self.user(self.home, "nobody@firm.example"), self.home)
        self.neighbour = self.token_of(self.user(DEV, "dev@acme.example"), DEV)
        partner_admin = self.user(self.home, "partner@firm.example")
        root.must(200, "PUT", f"/v1/identity/users/{partner_admin['id']}/roles", {"roles": ["partner_admin"]})
        self.partner_admin = self.token_of(partner_admin, self.home)
        self.me = Client(server.url, self.token)

    def user(self, tenant, email):
        body = {"email": email, "display_name": email.split("@")[0], "allowed_scopes": ALL_SCOPES}
        return self.root.must(201, "POST", f"/v1/identity/tenants/{tenant}/users", body)

    def token_of(self, user, tenant):
        body = {"name": "page", "scopes": ALL_SCOPES, "identity_id": f"user:{user['email']}", "expires_in": "1h"}
        return self.root.must(201, "POST", f"/v1/t/{tenant}/auth/tokens", body)["token"]

    def tokens(self):
        return {"TOKEN": self.token, "SCAIVAULT_TOKEN": self.token, "PARTNER_ADMIN_TOKEN": self.partner_admin}

    def forget(self, path, base="/v1/secrets"):
        """Nothing is at `path`, not even in the bin."""
        self.root.must((200, 404), "DELETE", f"{base}/{path}?permanent=true")

    def secret(self, path, versions=1, base="/v1/secrets", **body):
        """A new secret with that many versions; the value of version n ends in n."""
        self.forget(path, base)
        for number in range(1, versions + 1):
            body["data"] = {"client_id": f"id-{number}", "password": f"value-{number}"}
            self.root.must(201 if number == 1 else 200, "PUT", f"{base}/{path}", body)

    def salesforce(self):
        self.secret(SALESFORCE, 3, secret_type="json", metadata={"tags": ["salesforce", "oauth"]})

    def database(self, base="/v1/secrets"):
        metadata = {"description": "PostgreSQL production password", "tags": ["postgres", "production"]}
        self.secret(DATABASE, 3, base, metadata=metadata, options={"rotation_policy_id": "rot_quarterly"})

    def folder(self):
        """As many secrets below the folder as the page's listing counts."""
        self.salesforce()
        self.paths = {SALESFORCE} | {f"{FOLDER}service-{number:03}/key" for number in range(BELOW_FOLDER - 1)}
        for path in self.paths - {SALESFORCE}:
            self.root.must((200, 201), "PUT", f"/v1/secrets/{path}", {"data": {"key": path}, "metadata": {"tags": ["service"]}})

    def metadata(self, path):
        return self.me.must(200, "GET", f"/v1/secrets/metadata/{path}")

    def versions(self, path):
        return [item["version"] for item in self.me.must(200, "GET", f"/v1/secrets/{path}/versions")["versions"]]


class Blocks:
    """Hands out the page's blocks in order and runs them."""

    def __init__(self, world, tally, directory):
        self.world, self.tally, self.directory = world, tally, directory
        self.left = page.blocks()
        self.total = len(self.left)
        self.runs = itertools.count(1)
        first_python = next(block for block in self.left if block.kind == "python")
        self.imports = first_python.text.splitlines()[0]
        expect_equal(self.imports, "import os, httpx", "first line of the page's first Python block")

    def take(self, kind, *marks):
        """The next block of the page, which must be of that kind and hold those texts."""
        expect(self.left, "the page has fewer blocks than cases")
        block = self.left.pop(0)
        expect(block.kind == kind and all(mark in block.text for mark in marks), f"{block} is not the {kind} block with {marks}")
        return block

    def shown(self):
        """The JSON block that comes next."""
        import json
        return json.loads(self.take("json").text)

    def run(self, block, **options):
        directory = self.directory / f"run-{next(self.runs)}"
        directory.mkdir()
        return snippet.run(block, self.world.url, self.world.tokens(), directory, self.imports, **options)


def reading(blocks, world):
    tally = blocks.tally
    read = f"/v1/secrets/{SALESFORCE}"
    for kind in ("curl", "python", "js"):
        block = blocks.take(kind, read)
        with tally.check(f"{block}: read"):
            world.salesforce()
            run = blocks.run(block)
            expect_equal(run.only.status, 200, "status")
            expect_equal(run.only.json()["data"]["client_id"], "id-3", "client_id")
            expect_equal(run.only.json()["version"], 3, "version")
            if kind != "curl":
                expect_equal(run.stdout, "id-3\n", "what the block prints")
    block = blocks.take("curl", f"{read}?version=2")
    with tally.check(f"{block}: read version 2"):
        world.salesforce()
        answer = blocks.run(block).only
        expect_equal((answer.status, answer.json()["version"], answer.json()["data"]["client_id"]), (200, 2, "id-2"), "answer")


def writing(blocks, world):
    tally = blocks.tally
    written = [blocks.take("curl", "-X PUT", "rot_quarterly"), blocks.take("python", "httpx.put"), blocks.take("js", 'method: "PUT"')]
    created, updated = blocks.shown(), blocks.shown()
    expect("created" in created and "previous_version" in updated, "the page's answers to PUT have changed places")
    for block in written:
        with tally.check(f"{block}: write a new secret"):
            world.forget(SALESFORCE)
            answer = blocks.run(block).only
            expect_equal(answer.status, 201, "status")
            # Only the curl block asks for an expiry.
            shape(created if block.kind == "curl" else created | {"expires_at": None}, answer.json())
            expect_equal((answer.json()["version"], answer.json()["created"]), (1, True), "version, created")
            metadata = world.metadata(SALESFORCE)
            expect_equal(metadata["options"]["max_versions"], 10, "max_versions")
            expect("salesforce" in metadata["metadata"]["tags"], f"tags are {metadata['metadata']['tags']}")
            if block.kind == "curl":
                lifetime = seconds(answer.json()["expires_at"]) - seconds(answer.json()["created_at"])
                expect_equal(lifetime, 90 * 86400, "seconds until the expiry")
                expect_equal(metadata["rotation_policy"]["id"], "rot_quarterly", "rotation policy")
                expect_equal(metadata["metadata"]["description"], "Salesforce OAuth credentials", "description")
        with tally.check(f"{block}: write a new version"):
            world.salesforce()
            answer = blocks.run(block).only
            expect_equal(answer.status, 200, "status")
            shape(updated, answer.json())
            found = [answer.json()[key] for key in ("version", "created", "previous_version")]
            expect_equal(found, [4, False, 3], "version, created, previous_version")
            value = world.me.must(200, "GET", f"/v1/secrets/{SALESFORCE}")["data"]
            expect_equal(value, {"client_id": "3MVG9...", "client_secret": "REDACTED"}, "value")
            value = world.me.must(200, "GET", f"/v1/secrets/{SALESFORCE}?version=3")["data"]
            expect_equal(value["client_id"], "id-3", "value of the version before")


def changing_metadata(blocks, world):
    block = blocks.take("curl", "-X PATCH", f"/v1/secrets/{DATABASE}")
    with blocks.tally.check(f"{block}: change metadata only"):
        world.database()
        before = world.me.call("GET", f"/v1/secrets/{DATABASE}")
        answer = blocks.run(block).only
        expect_equal(answer.status, 200, "status")
        found = answer.json()
        expect_equal(found["metadata"]["tags"], ["postgres", "production", "critical"], "tags")
        expect_equal(found["metadata"]["description"], "PostgreSQL production password", "description")
        expect_equal(found["options"]["max_versions"], 25, "max_versions")
        expect_equal((found["current_version"], found["version_count"]), (3, 3), "versions")
        cached = world.me.call("GET", f"/v1/secrets/{DATABASE}", headers={"If-None-Match": before.headers["ETag"]})
        expect_equal(cached.status, 304, "status of a read with the ETag from before")


def listing(blocks, world):
    tally = blocks.tally
    world.folder()
    ordered = sorted(world.paths)
    on_curl, on_python, on_js = blocks.take("curl", "limit=50"), blocks.take("python", "# Paginate"), blocks.take("js", "URLSearchParams")
    shown = blocks.shown()
    with tally.check(f"{on_curl}: list"):
        answer = blocks.run(on_curl).only
        expect_equal(answer.status, 200, "status")
        shape(shown, answer.json())
        expect_equal([item["path"] for item in answer.json()["secrets"]], ordered[:50], "paths")
        expect_equal((answer.json()["has_more"], answer.json()["total_count"]), (True, BELOW_FOLDER), "has_more, total_count")
        expect("id-3" not in answer.body and "value-3" not in answer.body, "the listing holds a value")
    for block in (on_python, on_js):
        with tally.check(f"{block}: list and page through, every path once"):
            run = blocks.run(block, walk_on=block.kind == "js")
            expect_equal({exchange.status for exchange in run.exchanges}, {200}, "statuses")
            pages = [exchange.json() for exchange in run.exchanges]
            walked = [item["path"] for one in pages for item in one["secrets"]]
            expect_equal(len(walked), len(set(walked)), "paths, and different ones")
            expect_equal(walked, ordered, "paths walked")
            expect_equal([len(one["secrets"]) for one in pages], [50, 50, 27], "paths of each page")
            expect_equal((pages[-1]["has_more"], pages[-1]["cursor"]), (False, None), "has_more and cursor at the end")
            for one in pages[:-1]:
                shape(shown, one)
            expect_equal([line.split(" ")[0] for line in run.stdout.splitlines()], ordered[:50], "paths that the block prints")


def versions_and_metadata(blocks, world):
    tally = blocks.tally
    block, shown = blocks.take("curl", f"{DATABASE}/versions"), blocks.shown()
    with tally.check(f"{block}: list versions"):
        world.database()
        answer = blocks.run(block).only
        expect_equal(answer.status, 200, "status")
        shape(shown, answer.json())
        found = [(item["version"], item["is_current"]) for item in answer.json()["versions"]]
        expect_equal(found, [(item["version"], item["is_current"]) for item in shown["versions"]], "versions")
    block, shown = blocks.take("curl", f"/v1/secrets/metadata/{DATABASE}"), blocks.shown()
    with tally.check(f"{block}: read metadata without the value"):
        world.database()
        world.me.must(200, "GET", f"/v1/secrets/{DATABASE}")
        deadline = time.monotonic() + 15  # Statistics are at most 10 s behind.
        while world.metadata(DATABASE)["last_accessed_at"] is None and time.monotonic() < deadline:
            time.sleep(0.25)
        answer = blocks.run(block).only
        expect_equal(answer.status, 200, "status")
        shape(shown, answer.json())
        expect_equal((answer.json()["current_version"], answer.json()["version_count"]), (3, 3), "current version, versions")
        expect_equal(answer.json()["metadata"]["tags"], shown["metadata"]["tags"], "tags")
        expect_equal(answer.json()["rotation_policy"]["id"], "rot_quarterly", "rotation policy")
        expect_equal(answer.json()["access_count_30d"], 1, "reads counted")
        expect("value-3" not in answer.body, "the metadata holds the value")


def deleting(blocks, world):
    tally, target = blocks.tally, f"/v1/secrets/{DATABASE}"
    block = blocks.take("curl", "-X DELETE", f"{target} ")
    with tally.check(f"{block}: soft delete"):
        world.database()
        answer = blocks.run(block).only
        expect_equal((answer.status, answer.json()["deleted"], answer.json()["permanent"]), (200, True, False), "answer")
        kept = seconds(answer.json()["recoverable_until"]) - seconds(answer.json()["deleted_at"])
        expect_equal(kept, 30 * 86400, "seconds until it is gone")
        expect_error(world.me.call("GET", target), 404, "secret_not_found")
    block = blocks.take("curl", "-X DELETE", f"{target}?permanent=true")
    with tally.check(f"{block}: hard delete"):
        world.database()
        answer = blocks.run(block).only
        expect_equal((answer.status, answer.json()["deleted"], answer.json()["permanent"]), (200, True, True), "answer")
        expect_error(world.me.call("POST", f"{target}/restore"), 404, "secret_not_found")
        expect_equal(world.me.must(201, "PUT", target, {"data": {}})["version"], 1, "version of a new secret there")
    with tally.check("hard delete needs admin"):
        world.database()
        body = {"name": "no admin", "scopes": ["secrets:read", "secrets:delete"], "expires_in": "5m"}
        weaker = world.me.must(201, "POST", "/v1/auth/tokens", body)["token"]
        expect_error(world.me.call("DELETE", f"{target}?permanent=true", token=weaker), 403, "insufficient_scope")
        world.me.must(200, "GET", target)
    block = blocks.take("curl", "-X DELETE", f"{target}?version=2")
    with tally.check(f"{block}: delete one version"):
        world.database()
        answer = blocks.run(block).only
        expect_equal(answer.status, 200, "status")
        found = {key: answer.json()[key] for key in ("path", "version", "deleted", "current_version")}
        expect_equal(found, {"path": DATABASE, "version": 2, "deleted": True, "current_version": 3}, "answer")
        expect_equal(world.versions(DATABASE), [3, 1], "versions left")
    block = blocks.take("curl", "-X POST", f"{target}/restore")
    with tally.check(f"{block}: restore"):
        world.database()
        world.me.must(200, "DELETE", target)
        answer = blocks.run(block).only
        expect_equal((answer.status, answer.json()["current_version"]), (200, 3), "answer")
        expect_equal(world.me.must(200, "GET", target)["data"]["password"], "value-3", "value")
        expect_equal(world.versions(DATABASE), [3, 2, 1], "versions")


def rotating(blocks, world):
    tally, target = blocks.tally, f"/v1/secrets/{DATABASE}"
    block = blocks.take("curl", "-X POST", f"{target}/rotate")
    with tally.check(f"{block}: rotate"):
        world.database()
        answer = blocks.run(block).only
        expect_equal(answer.status, 200, f"status of {answer}")
        expect_equal(answer.json()["version"], 4, "version")
        expect("new-strong-password" not in answer.body, "the answer holds the value")
        grace = seconds(answer.json()["grace_period_ends"]) - seconds(answer.json()["rotated_at"])
        expect_equal(grace, 3600, "seconds of grace")
        expect_equal(world.me.must(200, "GET", target)["data"], {"password": "new-strong-password"}, "value")
        expect_equal(world.me.must(200, "GET", f"{target}?version=3")["data"]["password"], "value-3", "old value in grace")
    with tally.check("rotate with auto_generate: the server makes the value, and asks for one otherwise"):
        world.root.call("POST", "/v1/rotation/policies", {"name": "generated", "interval": "90d", "auto_generate": True})
        world.secret("page/generated", options={"rotation_policy_id": "rot_generated"})
        rotated = world.me.must(200, "POST", "/v1/secrets/page/generated/rotate", {"reason": "page"})
        expect_equal((rotated["version"], rotated["generated"]), (2, True), "answer")
        value = world.me.must(200, "GET", "/v1/secrets/page/generated")["data"]
        expect_equal(value["client_id"], "id-1", "field that is not generated")
        expect(value["password"] != "value-1", "the value has not changed")
        world.database()
        expect_error(world.me.call("POST", f"{target}/rotate", {"reason": "page"}), 422, "validation_error")
    with tally.check("rotate with auto_generate and a new_value: the value that was sent"):
        world.secret("page/generated", options={"rotation_policy_id": "rot_generated"})
        rotated = world.me.must(200, "POST", "/v1/secrets/page/generated/rotate", {"new_value": {"password": "mine"}})
        value = world.me.must(200, "GET", "/v1/secrets/page/generated")["data"]
        expect_equal((value, rotated["generated"]), ({"password": "mine"}, False), "value, generated")


def expiring(blocks, world):
    block, shown = blocks.take("curl", "/v1/secrets/expiring?days=30"), blocks.shown()
    with blocks.tally.check(f"{block}: find expiring secrets"):
        world.secret("test/oauth-token", options={"expires_at": utc(days=9, hours=-1)})
        world.secret("page/later", options={"expires_in": "31d"})
        answer = blocks.run(block).only
        expect_equal(answer.status, 200, "status")
        shape(shown, answer.json())
        found = {item["path"]: item["days_remaining"] for item in answer.json()["secrets"]}
        expect_equal(found, {"test/oauth-token": 9}, "what expires within 30 days")


def partner(blocks, world):
    tally, shared = blocks.tally, "/v1/partner/secrets/shared/trust-anchor"
    block = blocks.take("curl", "-X PUT", shared)
    with tally.check(f"{block}: write a shared secret"):
        world.forget("shared/trust-anchor", "/v1/partner/secrets")
        answer = blocks.run(block).only
        expect_equal((answer.status, answer.json()["path"]), (201, "shared/trust-anchor"), "answer")
    with tally.check("shared secrets: every tenant reads, only partner admins write"):
        for token in (world.stranger, world.neighbour):
            read = Client(world.url, token).must(200, "GET", shared)
            expect_equal((read["data"], read["secret_type"]), ({"cert_pem": "..."}, "certificate"), "what a tenant reads")
        expect_error(world.me.call("PUT", shared, {"data": {}}), 403, "access_denied")
    block = blocks.take("curl", f"/v1/t/{DEV}/secrets/{DATABASE}")
    with tally.check(f"{block}: act as a tenant"):
        world.database()
        world.database(base=f"/v1/t/{DEV}/secrets")
        world.root.must(200, "PUT", f"/v1/t/{DEV}/secrets/{DATABASE}", {"data": {"password": "of the other tenant"}})
        answer = blocks.run(block).only
        expect_equal((answer.status, answer.json()["data"]["password"]), (200, "of the other tenant"), "answer")
        entries = world.root.must(200, "GET", f"/v1/t/{DEV}/audit/logs?action=read&limit=1")["logs"]
        found = {key: entries[0][key] for key in ("identity_id", "target_tenant_id", "secret_path", "success")}
        wanted = {"identity_id": "user:partner@firm.example", "target_tenant_id": DEV, "secret_path": DATABASE, "success": True}
        expect_equal(found, wanted, "audit entry")
    with tally.check("act as a tenant: others may not"):
        expect_error(world.me.call("GET", f"/v1/t/{DEV}/secrets/{DATABASE}"), 403, "tenant_access_denied")


# The table of write fields: what each does, and how a bad one is refused.

WRITTEN = "/v1/secrets/page/fields"


def put(world, status=201, **body):
    if status == 201:
        world.forget("page/fields")
    return world.me.must(status, "PUT", WRITTEN, {"data": {"k": "v"}} | body)


def refused(world, status, code, **body):
    expect_error(world.me.call("PUT", WRITTEN, {"data": {"k": "v"}} | body), status, code)


def field_data(world):
    put(world, data={"any": ["thing", 1, None, {"deep": True}]})
    expect_equal(world.me.must(200, "GET", WRITTEN)["data"], {"any": ["thing", 1, None, {"deep": True}]}, "data")
    for bad in (None, [], "x", 1):
        refused(world, 422, "validation_error", data=bad)
    expect_error(world.me.call("PUT", WRITTEN, {"secret_type": "kv"}), 422, "validation_error")


def field_secret_type(world):
    expect_equal(put(world)["secret_type"], "kv", "secret_type by default")
    for secret_type in ("kv", "json", "certificate", "ssh_key", "api_key"):
        expect_equal(put(world, secret_type=secret_type)["secret_type"], secret_type, "secret_type")
    refused(world, 400, "invalid_secret_type", secret_type="password")


def field_metadata(world):
    put(world, metadata={"description": "d", "tags": ["t"], "owner": "o", "custom": {"a": "b"}})
    wanted = {"description": "d", "tags": ["t"], "owner": "o", "custom": {"a": "b"}}
    expect_equal(world.metadata("page/fields")["metadata"], wanted, "metadata")
    put(world, 200)
    expect_equal(world.metadata("page/fields")["metadata"], wanted, "metadata after a write without")
    refused(world, 422, "validation_error", metadata="x")
    refused(world, 422, "validation_error", metadata={"descripton": "x"})


def field_description(world):
    put(world, metadata={"description": "PostgreSQL"})
    expect_equal(world.metadata("page/fields")["metadata"]["description"], "PostgreSQL", "description")
    refused(world, 422, "validation_error", metadata={"description": 5})


def field_tags(world):
    put(world, metadata={"tags": ["fields-a", "fields-b"]})
    expect_equal(world.metadata("page/fields")["metadata"]["tags"], ["fields-a", "fields-b"], "tags")
    found = world.me.must(200, "GET", "/v1/secrets?tag=fields-b")["secrets"]
    expect_equal([item["path"] for item in found], ["page/fields"], "what a search by tag finds")
    refused(world, 422, "validation_error", metadata={"tags": "a"})
    refused(world, 422, "validation_error", metadata={"tags": [1]})


def field_owner(world):
    for owner in ("team:crm", "user:mia@firm.example", "group:sre"):
        put(world, metadata={"owner": owner})
        expect_equal(world.metadata("page/fields")["metadata"]["owner"], owner, "owner")
    refused(world, 422, "validation_error", metadata={"owner": ["x"]})


def field_options(world):
    put(world, options={})
    refused(world, 422, "validation_error", options="x")
    refused(world, 422, "validation_error", options={"max_version": 5})


def field_max_versions(world):
    for cap in (1, 100):
        put(world, options={"max_versions": cap})
        expect_equal(world.metadata("page/fields")["options"]["max_versions"], cap, "max_versions")
    for bad in (0, 101, "5", 1.5):
        refused(world, 422, "validation_error", options={"max_versions": bad})
    put(world, options={"max_versions": 2})
    for _ in range(3):
        put(world, 200)
    expect_equal(world.versions("page/fields"), [4, 3], "versions kept")


def field_expires_in(world):
    for duration, length in (("90d", 90 * 86400), ("24h", 86400), ("1h30m", 5400)):
        answer = put(world, options={"expires_in": duration})
        expect_equal(seconds(answer["expires_at"]) - seconds(answer["created_at"]), length, f"seconds of {duration}")
    for bad in ("90 days", "1.5h", "90", "-1d"):
        refused(world, 400, "invalid_duration", options={"expires_in": bad})
    refused(world, 422, "validation_error", options={"expires_in": 90})


def field_expires_at(world):
    at = utc(days=5)
    expect_equal(put(world, options={"expires_at": at})["expires_at"], at, "expires_at")
    offset = datetime.datetime.fromisoformat(at).astimezone(datetime.timezone(datetime.timedelta(hours=2))).isoformat()
    expect_equal(put(world, options={"expires_at": offset})["expires_at"], at, "expires_at given with an offset")
    for bad in (utc(seconds=-1), "tomorrow", at.removesuffix("Z")):
        refused(world, 422, "validation_error", options={"expires_at": bad})
    refused(world, 422, "validation_error", options={"expires_at": at, "expires_in": "1d"})


def field_rotation_policy(world):
    put(world, options={"rotation_policy_id": "rot_quarterly"})
    expect_equal(world.metadata("page/fields")["rotation_policy"]["id"], "rot_quarterly", "rotation policy")
    put(world, 200, options={"rotation_policy_id": None})
    expect_equal(world.metadata("page/fields")["rotation_policy"], None, "rotation policy after detaching")
    refused(world, 404, "rotation_policy_not_found", options={"rotation_policy_id": "rot_none"})


def field_secret_policy(world):
    put(world, options={"secret_policy_id": "sp_db"})
    expect_equal(world.metadata("page/fields")["secret_policy_id"], "sp_db", "secret policy")
    rotated = world.me.must(200, "POST", f"{WRITTEN}/rotate", {"generate": True})
    expect_equal((rotated["version"], rotated["generated"]), (2, True), "rotation by the recipe")
    expect_equal(len(world.me.must(200, "GET", WRITTEN)["data"]["password"]), 32, "length of the generated password")
    refused(world, 404, "secret_policy_not_found", options={"secret_policy_id": "sp_none"})


FIELDS = {
    "data": field_data, "secret_type": field_secret_type, "metadata": field_metadata, "metadata.description": field_description,
    "metadata.tags": field_tags, "metadata.owner": field_owner, "options": field_options, "options.max_versions": field_max_versions,
    "options.expires_in": field_expires_in, "options.expires_at": field_expires_at,
    "options.rotation_policy_id": field_rotation_policy, "options.secret_policy_id": field_secret_policy,
}


# The table of list filters.

def listed(world, status=200, token=None, **query):
    target = "/v1/secrets?" + urllib.parse.urlencode(query, doseq=True)
    return world.me.must(status, "GET", target, token=token)


def paths(answer):
    return [item["path"] for item in answer["secrets"]]


def filter_world(world):
    """A small folder of its own."""
    for path in ("filter/a", "filter/b", "filter/expired", "filter/sub/c"):
        world.forget(path)
    world.me.must(201, "PUT", "/v1/secrets/filter/expired", {"data": {}, "options": {"expires_in": "1s"}})
    world.me.must(201, "PUT", "/v1/secrets/filter/a", {"data": {}, "metadata": {"tags": ["one", "two"]}, "options": {"expires_in": "5d"}})
    time.sleep(2.1)
    world.pause = utc()
    world.me.must(201, "PUT", "/v1/secrets/filter/b", {"data": {}, "secret_type": "json", "metadata": {"tags": ["one"]}})
    world.me.must(201, "PUT", "/v1/secrets/filter/sub/c", {"data": {}, "secret_type": "ssh_key"})


def filter_prefix(world):
    expect_equal(paths(listed(world, prefix="filter/")), ["filter/a", "filter/b", "filter/sub/c"], "below filter/")
    expect_equal(paths(listed(world, prefix="filter/su")), ["filter/sub/c"], "a prefix that ends in mid-segment")
    expect_error(world.me.call("GET", "/v1/secrets?prefix=a%20b"), 400, "invalid_path")


def filter_tag(world):
    expect_equal(paths(listed(world, prefix="filter/", tag="one")), ["filter/a", "filter/b"], "one tag")
    expect_equal(paths(listed(world, prefix="filter/", tag=["one", "two"])), ["filter/a"], "two tags")


def filter_secret_type(world):
    expect_equal(paths(listed(world, prefix="filter/", secret_type="json")), ["filter/b"], "type json")
    expect_error(world.me.call("GET", "/v1/secrets?secret_type=password"), 400, "invalid_secret_type")


def filter_expires_before(world):
    expect_equal(paths(listed(world, prefix="filter/", expires_before=utc(days=6))), ["filter/a"], "before six days from now")
    expect_equal(paths(listed(world, prefix="filter/", expires_before=utc(days=4))), [], "before four days from now")
    expect_error(world.me.call("GET", "/v1/secrets?expires_before=soon"), 422, "validation_error")


def filter_updated_after(world):
    expect_equal(paths(listed(world, prefix="filter/", updated_after=world.pause)), ["filter/b", "filter/sub/c"], "after the pause")
    expect_error(world.me.call("GET", "/v1/secrets?updated_after=1"), 422, "validation_error")


def filter_include_expired(world):
    expect("filter/expired" not in paths(listed(world, prefix="filter/", include_expired="false")), "an expired secret is listed")
    expect("filter/expired" in paths(listed(world, prefix="filter/", include_expired="true")), "the expired secret is not listed")
    expect_error(world.me.call("GET", "/v1/secrets?include_expired=yes"), 422, "validation_error")


def filter_include_metadata(world):
    full = listed(world, prefix="filter/a", include_metadata="true")["secrets"][0]
    for key, value in world.metadata("filter/a").items():
        expect(key in full, f"an item lacks {key!r}")
        expect_equal(full[key], value, key)
    expect("metadata" not in listed(world, prefix="filter/a")["secrets"][0], "the minimal item has metadata")


def filter_limit(world):
    expect_equal(len(listed(world)["secrets"]), 50, "items without a limit")
    expect_equal(len(listed(world, limit=1)["secrets"]), 1, "items with limit 1")
    expect(len(listed(world, limit=200)["secrets"]) > 100, "limit 200 gives too few")
    for bad in ("0", "201", "x"):
        expect_error(world.me.call("GET", f"/v1/secrets?limit={bad}"), 422, "validation_error")


def filter_cursor(world):
    walked, cursor = [], {}
    while True:
        one = listed(world, prefix="filter/", limit=1, **cursor)
        walked += paths(one)
        if not one["has_more"]:
            break
        cursor = {"cursor": one["cursor"]}
    expect_equal(walked, ["filter/a", "filter/b", "filter/sub/c"], "paths walked one by one")
    expect_error(world.me.call("GET", "/v1/secrets?cursor=eyJpZCI6MTc4fQ"), 400, "invalid_cursor")
    foreign = {"prefix": "app/"} | cursor
    expect_error(world.me.call("GET", "/v1/secrets?" + urllib.parse.urlencode(foreign)), 400, "invalid_cursor")


FILTERS = {
    "prefix": filter_prefix, "tag": filter_tag, "secret_type": filter_secret_type, "expires_before": filter_expires_before,
    "updated_after": filter_updated_after, "include_expired": filter_include_expired, "include_metadata": filter_include_metadata,
    "limit": filter_limit, "cursor": filter_cursor,
}


# The table of common error codes, each provoked with the status of the contract.

def error_secret_not_found(world):
    expect_error(world.me.call("GET", "/v1/secrets/page/absent"), 404, "secret_not_found")


def error_secret_exists(world):
    world.secret("page/bin")
    world.me.must(200, "DELETE", "/v1/secrets/page/bin")
    answer = world.me.call("PUT", "/v1/secrets/page/bin", {"data": {}})
    expect_error(answer, 409, "secret_exists")
    expect(TIME.match(answer.json()["error"]["details"]["recoverable_until"]), "no recoverable_until in the details")


def error_version_not_found(world):
    world.secret("page/versions-gone", 3, options={"max_versions": 2})
    for version in (1, 9):  # One aged out, one that never was.
        expect_error(world.me.call("GET", f"/v1/secrets/page/versions-gone?version={version}"), 404, "version_not_found")


def error_invalid_path(world):
    for bad in ("a//b", "a/../b", "a%2Fb", "a b".replace(" ", "%20"), "/".join("abcdefghijk"), "a/"):
        expect_error(world.me.call("GET", f"/v1/secrets/{bad}"), 400, "invalid_path")


def error_version_conflict(world):
    world.secret("page/conflict", 2)
    answer = world.me.call("PUT", "/v1/secrets/page/conflict", {"data": {}}, headers={"If-Match": '"1"'})
    expect_error(answer, 409, "version_conflict")
    expect_equal(answer.json()["error"]["details"]["current_version"], 2, "current_version")
    # Refetch and retry.
    tag = world.me.call("GET", "/v1/secrets/page/conflict").headers["ETag"]
    expect_equal(world.me.must(200, "PUT", "/v1/secrets/page/conflict", {"data": {}}, headers={"If-Match": tag})["version"], 3, "version")


def error_access_denied(world):
    world.secret("page/denied")
    expect_error(world.me.call("GET", "/v1/secrets/page/denied", token=world.stranger), 403, "access_denied")


def error_secret_expired(world):
    world.secret("page/expired", options={"expires_in": "1s"})
    time.sleep(2.1)
    answer = world.me.call("GET", "/v1/secrets/page/expired")
    expect_error(answer, 410, "secret_expired")
    expect(TIME.match(answer.json()["error"]["details"]["expires_at"]), "no expires_at in the details")


ERRORS = {
    "secret_not_found": error_secret_not_found, "secret_exists": error_secret_exists, "version_not_found": error_version_not_found,
    "invalid_path": error_invalid_path, "version_conflict": error_version_conflict, "access_denied": error_access_denied,
    "secret_expired": error_secret_expired,
}


def tables(world, tally):
    with tally.check("the small folder for the list filters"):
        filter_world(world)
    for title, heading, columns, checks in (
        ("write field", "Write fields", 4, FIELDS),
        ("list filter", "List filters", 2, FILTERS),
        ("error code", "Common error codes", 2, ERRORS),
    ):
        rows = [row[0] for row in page.table(heading, columns)]
        with tally.check(f"every {title} of the page has a check, and no other"):
            expect_equal(sorted(rows), sorted(checks), f"rows of the table {heading!r}")
        for row in rows:
            with tally.check(f"{title} {row}"):
                checks[row](world)


def main():
    tally = Tally()
    try:
        with scratch("page") as directory:
            first = init(directory / "data")
            # The page's reader is no load test.
            with Server(directory / "data", RATE_LIMIT_ENABLED="false", LOG_LEVEL="warn") as server:
                world = World(server, first)
                blocks = Blocks(world, tally, directory)
                for part in (reading, writing, changing_metadata, listing, versions_and_metadata, deleting, rotating, expiring, partner):
                    part(blocks, world)
                with tally.check(f"all {blocks.total} blocks of the page were used"):
                    expect(not blocks.left, "left over: " + ", ".join(map(str, blocks.left)))
                tables(world, tally)
                with tally.check("the audit chains of both tenants are whole"):
                    for tenant in (world.home, DEV):
                        verified = world.root.must(200, "GET", f"/v1/t/{tenant}/audit/verify")
                        expect_equal((verified["valid"], verified["reason"]), (True, None), f"audit of {tenant}")
                with tally.check("the server stops on SIGTERM with exit code 0"):
                    expect_equal(server.terminate(), 0, "exit code")
                errors = [line for line in server.err if '"level":"ERROR"' in line]
                with tally.check("the server logged no error"):
                    expect(not errors, "".join(errors[:5]))
    except (AssertionError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        tally.failed += 1
        print(f"FAIL  the run was broken off: {type(error).__name__}: {error}", flush=True)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
