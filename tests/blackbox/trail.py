"""Recomputes the chain of a trail from its proof, as any client can."""
import base64
import hashlib
import uuid


def check(trail):
    """Asserts that every digest and hash follows from the payloads; returns the steps."""
    steps, previous = trail["steps"], bytes(32)
    decision = uuid.UUID(trail["decision_id"]).bytes
    assert [s["index"] for s in steps] == list(range(1, len(steps) + 1))
    for s in steps:
        digest = bytes.fromhex(s["digest"])
        if s["payload"] is not None:
            salt = s["salt"]
            salt = bytes.fromhex(salt) if len(salt) == 32 else base64.b64decode(salt)
            assert hashlib.sha256(salt + base64.b64decode(s["payload"])).digest() == digest
        assert s["previous_hash"] == previous.hex()
        previous = hashlib.sha256(previous + decision + s["index"].to_bytes(8, "big") + digest).digest()
        assert s["hash"] == previous.hex()
    assert trail["chain"]["length"] == len(steps)
    assert trail["chain"]["head"] == previous.hex()
    assert trail["chain"]["verified"] is True
    return steps


def assert_whole(steps):
    """One outcome: exactly one final event, and it is the last."""
    finals = [s for s in steps if s["type"] == "final"]
    assert len(finals) == 1 and steps[-1]["type"] == "final"
