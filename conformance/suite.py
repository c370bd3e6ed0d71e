"""Run scim2-tester and scim2-cli against one source of a daemon.

Usage: suite.py FILE, where FILE is the JSON that `usherd source add -o json`
printed: the address of the source and its token.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

# How many checks the pinned version makes of our schemas. Fewer would mean
# that it stopped early or did not see a resource type.
LEAST_CHECKS = 135

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"


def tester(url: str, token: str) -> list[str]:
    """Run all checks of scim2-tester and return what is wrong."""
    with Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as http:
        results = check_server(SyncSCIMClient(http))
    good = {Status.SUCCESS, Status.COMPLIANT, Status.ACCEPTABLE}
    wrong = [f"{r.status.name} {r.resource_type or ''} {r.title}: {r.reason}" for r in results if r.status not in good]
    print("scim2-tester:", ", ".join(f"{n} {s.name}" for s, n in Counter(r.status for r in results).items()))
    if len(results) < LEAST_CHECKS:
        wrong.append(f"only {len(results)} checks were made, not {LEAST_CHECKS}")
    return wrong


class Cli:
    """scim2-cli as a user of the shell runs it."""

    def __init__(self, url: str, token: str) -> None:
        self.command = Path(sys.executable).parent / "scim2"
        self.env = os.environ | {"SCIM_CLI_URL": url, "SCIM_CLI_HEADERS": f"Authorization: Bearer {token}"}
        self.wrong: list[str] = []
        self.made = 0

    def run(self, *args: str, stdin: object = None) -> dict:
        """Run one command; its failure is noted, and its answer returned."""
        self.made += 1
        text = "" if stdin is None else json.dumps(stdin)
        done = subprocess.run(
            [self.command, *args], env=self.env, input=text, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode != 0:
            self.wrong.append(f"scim2 {' '.join(args)}: exit {done.returncode}: {done.stdout}{done.stderr}")
        try:
            return json.loads(done.stdout)
        except ValueError:
            return {}

    def want(self, claim: str, holds: bool) -> None:
        if not holds:
            self.wrong.append("scim2-cli: " + claim)


def users(cli: Cli) -> None:
    """One user's life."""
    made = cli.run("create", "user", "--user-name", "cli@example.com", "--display-name", "Cli")
    uid = made.get("id", "")
    cli.want("a created user comes back with an id", bool(uid))
    cli.want("a user is found by its id", cli.run("query", "user", uid).get("userName") == "cli@example.com")
    found = cli.run("query", "user", "--filter", 'userName eq "CLI@example.com"', "--attribute", "userName")
    cli.want("and by userName in any case", found.get("totalResults") == 1)
    found = cli.run("search", "user", "--filter", 'displayName sw "cl"', "--sort-by", "userName")
    cli.want("and by a search", found.get("totalResults") == 1)
    done = cli.run("modify", "user", uid, "replace", "displayName", "Patched", "add", "emails", '[{"value":"c@example.com"}]')
    cli.want("modify changes it", done.get("displayName") == "Patched" and len(done.get("emails", [])) == 1)
    done = cli.run("replace", "user", "--id", uid, "--user-name", "cli2@example.com")
    cli.want("replace clears what is left out", done.get("userName") == "cli2@example.com" and "emails" not in done)
    groups(cli, uid)
    cli.run("delete", "user", uid)
    gone = cli.run("query", "user", "--filter", 'userName eq "cli2@example.com"')
    cli.want("a deleted user is gone", gone.get("totalResults") == 0)


def groups(cli: Cli, uid: str) -> None:
    """One group's life, with a member."""
    gid = cli.run("create", "group", "--display-name", "Cli").get("id", "")
    done = cli.run("modify", "group", gid, "add", "members", json.dumps([{"value": uid}]))
    cli.want("a member is added", [m["value"] for m in done.get("members", [])] == [uid])
    cli.want("the member has the group", [g["value"] for g in cli.run("query", "user", uid).get("groups", [])] == [gid])
    done = cli.run("modify", "group", gid, "remove", f'members[value eq "{uid}"]')
    cli.want("a member is removed", not done.get("members"))
    cli.run("delete", "group", gid)


def bulk(cli: Cli) -> None:
    """Two users in one request, and their end."""
    one = {"method": "POST", "path": "/Users", "bulkId": "a", "data": {"schemas": [USER], "userName": "bulk-a"}}
    two = {"method": "POST", "path": "/Users", "bulkId": "b", "data": {"schemas": [USER], "userName": "bulk-b"}}
    done = cli.run("bulk", stdin={"schemas": [BULK], "Operations": [one, two]}).get("Operations", [])
    cli.want("a bulk creates both", [op.get("status") for op in done] == ["201", "201"])
    for op in done:
        cli.run("delete", "user", op["location"].rsplit("/", 1)[1])


def main() -> int:
    source = json.loads(Path(sys.argv[1]).read_text())
    wrong = tester(source["url"], source["token"])
    cli = Cli(source["url"], source["token"])
    users(cli)
    bulk(cli)
    cli.run("test")
    print(f"scim2-cli: {cli.made} commands, {len(cli.wrong)} failures")
    wrong += cli.wrong
    for w in wrong:
        print("FAIL", w, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
