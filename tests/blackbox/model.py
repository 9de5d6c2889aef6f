"""The scripted model of tests/harness/model_server.py as a process, for stacks that need one."""
import json
import pathlib
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Model:
    def __init__(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen([sys.executable, "tests/harness/model_server.py",
                                         str(self.port)], cwd=ROOT)
        for _ in range(200):
            try:
                self.journal()
                break
            except OSError:
                time.sleep(0.05)

    def settings(self, kind="anthropic", **more):
        chosen = {"anthropic": {"PROVIDERS": "anthropic", "ANTHROPIC_API_KEY": "sk-ant-test",
                                "ANTHROPIC_BASE_URL": self.url, "CLAUDE_MODEL": "scripted-1"},
                  "openai": {"PROVIDERS": "openai", "OPENAI_BASE_URL": self.url + "/v1",
                             "OPENAI_API_KEY": "k", "OPENAI_MODEL": "scripted-1"}}[kind]
        return {"CLAUDE_MAX_REQUESTS_PER_MINUTE": "1000000", "CLAUDE_MAX_CONCURRENT_REQUESTS": "1000",
                "CLAUDE_RETRY_BASE_DELAY": "0.05", **chosen, **more}

    def script(self, **script):
        request = urllib.request.Request(self.url + "/control", json.dumps(script).encode())
        urllib.request.urlopen(request, timeout=10).read()

    def journal(self):
        return json.load(urllib.request.urlopen(self.url + "/journal", timeout=10))

    def close(self):
        self.process.kill()
        self.process.wait()
