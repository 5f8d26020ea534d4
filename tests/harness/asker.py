# SPDX-License-Identifier: Apache-2.0
"""The payment provider's client on its own, at the other end of tests/provider/ask.c."""

import json
import os
import subprocess

from harness.stack import BUILD, PATIENCE, ROOT

ASK = ROOT / "build" / BUILD / "tests" / "provider-ask"
SECRET = "sk_test_51SecretThatNobodyMaySee"
CONFIRM = "call=confirm intent=pi_1 key=k1 return_url=https://tickets.example/e/gala"


class Asker:
    """`ask("call=ask intent=pi_1")` for one call; `begin("… count=500")` and `end()` for many. Other options are provider-ask's arguments."""

    def __init__(self, folder, url, seconds=20, env=(), secret=SECRET, **options):
        self.secret = secret
        key = folder / "key"
        key.write_text(secret + "\n")
        key.chmod(0o600)
        self.log = open(folder / "ask.log", "w+")
        arguments = {"base_url": url, "key_file": key, "timeout": seconds, **options}
        self.process = subprocess.Popen([ASK, *(f"{name}={value}" for name, value in arguments.items())], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        env={**os.environ, **dict(env)})
        self.output = []
        assert self.read() == {"ready": True}

    def read(self):
        line = self.process.stdout.readline()
        self.output.append(line)
        return json.loads(line)

    def begin(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self):
        """The answers of a round, and how long it took."""
        answers = []
        while "done" not in (said := self.read()):
            answers.append(said)
        assert said["in_flight"] == 0
        return answers, said["seconds"]

    def ask(self, line=CONFIRM):
        self.begin(line)
        (only,), _ = self.end()
        return only

    def close(self):
        self.process.stdin.close()
        try:
            status = self.process.wait(10 * PATIENCE)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.output.append(self.process.stdout.read())
            self.process.stdout.close()
            self.log.seek(0)
            said = self.log.read()
            self.log.close()
        assert status == 0, said
        assert self.secret not in said + "".join(self.output)
