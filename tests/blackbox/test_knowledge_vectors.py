"""Search by vectors beside full text: what users find, and what happens when a store is down, emptied or behind.
The scripted servers always; with REAL_MODELS=1 the same scenarios on Weaviate and multilingual-e5-small."""
import os
import urllib.parse

import pytest

from ceo import Client
from vector_servers import Embeddings, RealEmbeddings, RealStore, Store

real = pytest.param("real", marks=pytest.mark.skipif(not os.environ.get("REAL_MODELS"),
                                                     reason="REAL_MODELS=1 installs and asks real servers"))

DOCUMENTS = {"Pets": "Felines sleep most of the day. They purr when they are content.",
             "Finance": "Quarterly spending rose by nine percent because of cloud hosting.",
             "航运": "集装箱船在上海港装货。延误会增加仓储费用。"}


class World:
    def __init__(self, kind, new_stack, **settings):
        self.embeddings = Embeddings() if kind == "scripted" else RealEmbeddings()
        self.store = Store() if kind == "scripted" else RealStore()
        self.stack = new_stack({"WEAVIATE_URL": self.store.url, "EMBEDDINGS_URL": self.embeddings.url,
                                **self.store.settings, **self.embeddings.settings, **settings})
        self.client = Client(self.stack.url, self.stack.api_key)

    def add(self, title, content, **more):
        answer = self.client.post("/api/v1/knowledge/documents", {"title": title, "content": content, **more})
        assert answer.status == 201, answer.body
        return answer.data["id"]

    def chunks(self):
        return {r[0] for r in self.stack.sql("SELECT chunk_id FROM chunks")}

    def settled(self, seconds=60):
        """Everything in PostgreSQL is in the store, and nothing else."""
        pytest.wait_until(lambda: self.stack.sql(
            "SELECT count(*) FROM documents WHERE status <> 'failed' AND (status <> 'ready' OR "
            "vectors_model IS NULL)") == [["0"]] and self.store.ids() == self.chunks(), seconds)

    def search(self, q, **more):
        answer = self.client.get("/api/v1/knowledge/search?" + urllib.parse.urlencode({"q": q, **more}))
        assert answer.status == 200, answer.body
        return answer.data

    def first(self, q, **more):
        return self.search(q, **more)["results"][0]["title"]

    def worker(self, **settings):
        """Restarts the worker with other settings."""
        self.stack.env.update(settings)
        environ = self.stack.dir / "environ"
        text = environ.read_text()
        for name, value in settings.items():
            text += f'declare -x {name}="{value}"\n'
        environ.write_text(text)
        self.stack.restart("worker-1")

    def close(self):
        self.embeddings.close()
        self.store.close()


@pytest.fixture(params=["scripted", real])
def world(request, new_stack):
    made = []

    def make(**settings):
        made.append(World(request.param, new_stack, **settings))
        return made[-1]

    yield make
    for w in made:
        w.close()


@pytest.fixture
def filled(world):
    w = world()
    for title, content in DOCUMENTS.items():
        w.add(title, content)
    w.settled()
    return w


def test_what_shares_no_word_with_the_query_is_found(filled):
    assert filled.first("kittens") == "Pets"
    assert filled.first("money") == "Finance"
    assert filled.first("货轮") == "航运"
    answer = filled.search("kittens")
    assert answer["degraded"] is False and answer["backend"] == "hybrid"
    assert 0 < answer["results"][0]["score"] <= 1


def test_filters_hold_for_vectors_too(world):
    w = world()
    w.add("Pets", DOCUMENTS["Pets"], source="zoo", type="report")
    w.add("More pets", "Cats like boxes.", source="home \"quoted\"", type="note")
    w.settled()
    assert [r["title"] for r in w.search("kittens", source="zoo")["results"]] == ["Pets"]
    assert [r["title"] for r in w.search("kittens", type="note")["results"]] == ["More pets"]
    assert [r["title"] for r in w.search("kittens", source='home "quoted"')["results"]] == ["More pets"]
    assert w.search("kittens", to="2020-01-01")["results"] == []
    assert len(w.search("kittens", **{"from": "2020-01-01"})["results"]) == 2


def test_search_goes_on_without_the_store_and_what_was_missed_comes_later(filled):
    gone = filled.add("Gone", "Cats are to be deleted.")
    filled.settled()
    filled.store.stop()
    answer = filled.search("felines")
    assert answer["degraded"] is True and answer["results"][0]["title"] == "Pets"
    filled.add("Late", "Budget figures that came while the store was away.")
    assert filled.client.delete(f"/api/v1/knowledge/documents/{gone}").status == 204
    pytest.wait_until(lambda: filled.stack.sql(
        "SELECT count(*) FROM outbox WHERE target = 'weaviate' AND attempts > 0 AND published_at IS NULL")
        != [["0"]])
    assert "Gone" not in [r["title"] for r in filled.search("cats deleted")["results"]]
    filled.store.start()
    filled.settled()
    assert pytest.wait_until(lambda: not filled.search("money")["degraded"])
    assert "Late" in [r["title"] for r in filled.search("money")["results"]]


def test_search_goes_on_without_the_server_for_embeddings(filled):
    filled.embeddings.stop()
    assert filled.search("felines")["degraded"] is True
    filled.add("Late", "Ships sail while nobody embeds.")
    filled.embeddings.start()
    filled.settled()
    assert pytest.wait_until(lambda: not filled.search("货轮")["degraded"])
    assert {"航运", "Late"} <= {r["title"] for r in filled.search("货轮 ships")["results"]}


def test_a_store_that_lost_its_data_is_filled_again_by_itself(filled):
    calls = getattr(filled.embeddings, "texts", None)
    filled.store.wipe()
    assert filled.search("felines")["results"][0]["title"] == "Pets"
    filled.settled()
    assert filled.first("kittens") == "Pets" and not filled.search("kittens")["degraded"]
    if calls is not None:  # two or three queries; no passage was embedded again
        assert filled.embeddings.texts - calls <= 4


def test_reindex_sends_everything_again(filled):
    chunk = sorted(filled.chunks())[0]
    if hasattr(filled.store, "classes"):
        for tenants in filled.store.classes.values():
            for objects in tenants.values():
                objects.pop(chunk, None)
    import subprocess
    done = subprocess.run([f"{filled.stack.env['BIN_DIR']}/ceoagent-worker", "reindex"], text=True,
                          capture_output=True, cwd=os.getcwd(), timeout=60, env={
        **os.environ, "DATABASE_URL": filled.stack.database_url, "REDIS_URL": filled.stack.redis_url,
        "ENCRYPTION_KEY": filled.stack.encryption_key})
    assert done.returncode == 0 and '"outbox_rows": 1' in done.stdout, (done.stdout, done.stderr)
    filled.settled()


def test_a_deleted_document_is_nowhere(filled):
    ident = filled.add("Secret", "Marzipan potatoes are confidential cats.", source="vault")
    filled.settled()
    assert ident in filled.store.dump()
    assert "Marzipan" not in filled.store.dump()  # texts stay in PostgreSQL
    assert filled.client.delete(f"/api/v1/knowledge/documents/{ident}").status == 204
    assert "Secret" not in [r["title"] for r in filled.search("kittens")["results"]]
    pytest.wait_until(lambda: ident not in filled.store.dump())
    for table in ("documents", "chunks", "chunk_words", "chunk_vectors"):
        assert filled.stack.sql(f"SELECT count(*) FROM {table} WHERE document_id = '{ident}'") == [["0"]]
    assert ident not in filled.stack.redis("--scan")


def test_equal_passages_are_embedded_once(world):
    w = world()
    if not hasattr(w.embeddings, "texts"):
        pytest.skip("only the scripted server counts its texts")
    text = "# Part\n\nCats everywhere."
    w.add("Same", text, content_type="text/markdown")
    w.settled()
    before = w.embeddings.texts
    w.add("Same", text + "\n\n# Other\n\nDogs too.", content_type="text/markdown")
    w.settled()
    assert w.embeddings.texts - before == 1


def test_a_busy_server_is_asked_again(world):
    w = world()
    if not hasattr(w.embeddings, "fail_next"):
        pytest.skip("only the scripted server fails on demand")
    w.embeddings.fail_next = 2
    w.add("Pets", DOCUMENTS["Pets"])
    w.settled()


def test_a_new_model_takes_over_when_it_is_complete(filled):
    if not hasattr(filled.embeddings, "texts"):
        pytest.skip("the real server has one model")
    old = filled.stack.sql("SELECT class FROM vector_indexes")
    filled.worker(EMBEDDINGS_MODEL="second")
    assert not filled.search("kittens")["degraded"]
    pytest.wait_until(lambda: filled.stack.sql("SELECT model, state FROM vector_indexes") == [["second", "serving"]],
                      60)
    assert filled.stack.sql("SELECT DISTINCT model FROM chunk_vectors") == [["second"]]
    assert filled.first("kittens") == "Pets" and not filled.search("kittens")["degraded"]
    assert old[0][0] not in filled.store.classes
    pytest.wait_until(lambda: filled.store.aliases["Document"] in filled.store.classes, 30)


def test_another_tenant_finds_nothing_of_ours(filled):
    """The store keeps tenants apart, and PostgreSQL's policy stands behind it."""
    filled.stack.sql("INSERT INTO tenants (tenant_id, name) VALUES ('00000000-0000-7000-8000-000000000002', 'two')")
    filled.stack.sql("INSERT INTO users (user_id, tenant_id, kind, name, roles) VALUES "
                     "('00000000-0000-7000-8000-0000000000aa', '00000000-0000-7000-8000-000000000002', 'service', "
                     "'two', '{admin}')")
    filled.stack.sql("INSERT INTO api_keys (key_id, tenant_id, principal_id, name, key_sha256, role) VALUES "
                     "(gen_random_uuid(), '00000000-0000-7000-8000-000000000002', "
                     "'00000000-0000-7000-8000-0000000000aa', 'two', sha256('ceo_" + "2" * 43 + "'), 'admin')")
    other = Client(filled.stack.url, "ceo_" + "2" * 43)
    answer = other.get("/api/v1/knowledge/search?q=kittens")
    assert answer.status == 200 and answer.data["results"] == []
    answer = other.post("/api/v1/knowledge/documents", {"title": "Pets", "content": DOCUMENTS["Pets"]})
    assert answer.status == 201
    filled.settled()
    ids = {r["id"] for r in other.get("/api/v1/knowledge/search?q=kittens").data["results"]}
    assert ids == {answer.data["id"]}
    assert answer.data["id"] not in {r["id"] for r in filled.search("kittens")["results"]}


def test_without_a_server_for_embeddings_full_text_answers_and_says_so(new_stack):
    store = Store()
    stack = new_stack({"WEAVIATE_URL": store.url, "WEAVIATE_API_KEY": "store-key"})
    client = Client(stack.url, stack.api_key)
    ident = client.post("/api/v1/knowledge/documents", {"title": "Pets", "content": DOCUMENTS["Pets"]}).data["id"]
    assert client.get(f"/api/v1/knowledge/documents/{ident}?wait=30").data["status"] == "ready"
    answer = client.get("/api/v1/knowledge/search?q=felines").data
    assert answer["degraded"] is True and answer["results"][0]["title"] == "Pets"
    store.close()


def test_a_decision_quotes_what_only_vectors_find(filled):
    answer = filled.client.decide({"query": "Shall we adopt kittens for the office?", "mode": "sync",
                                   "options": ["adopt", "wait"]})
    assert answer.status in (200, 201), answer.body
    trail = filled.client.get(f"/api/v1/decisions/{answer.data['decision_id']}/trail")
    assert "Felines sleep" in trail.body.decode()
