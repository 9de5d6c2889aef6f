"""The rendered chart against the operators' guide: names and numbers to the letter, and what the chart must refuse."""
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "charts/ceoagent"
SECRET = ["--set", "secrets.existingSecret=ceoagent-secrets"]
PROGRAMS = ("api", "agent", "worker")


def helm(*args):
    return subprocess.run(["helm", "template", "ceoagent", str(CHART), "-n", "ceoagent", *args],
                          capture_output=True, text=True, check=False)


def render(*args):
    done = helm(*args)
    assert done.returncode == 0, done.stderr
    return [o for o in yaml.safe_load_all(done.stdout) if o]


def env_values(env):
    return ["-f", str(CHART / f"values-{env}.yaml")]


def find(objects, kind, name):
    hits = [o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name]
    assert len(hits) == 1, f"{kind} {name}: {len(hits)}"
    return hits[0]


@pytest.fixture(scope="module")
def base():
    return render(*SECRET)


@pytest.fixture(scope="module")
def prod():
    return render(*env_values("prod"))


def pod(objects, name):
    return find(objects, "Deployment", f"ceoagent-{name}")["spec"]["template"]["spec"]


def env_of(objects, name):
    return {e["name"]: e for e in pod(objects, name)["containers"][0]["env"]}


def test_deployment__names_labels_and_numbers_of_the_guide(base):
    d = find(base, "Deployment", "ceoagent-api")
    assert d["metadata"]["labels"]["app"] == "ceoagent-api" and d["spec"]["replicas"] == 3
    assert d["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    c = pod(base, "api")["containers"][0]
    assert c["name"] == "api" and c["image"].startswith("ceoagent/api:v") and c["ports"][0]["containerPort"] == 8000
    assert c["resources"] == {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"cpu": "500m", "memory": "512Mi"}}
    live, ready = c["livenessProbe"], c["readinessProbe"]
    assert (live["httpGet"]["path"], live["initialDelaySeconds"], live["periodSeconds"], live["timeoutSeconds"],
            live["failureThreshold"]) == ("/health", 30, 10, 5, 3)
    assert (ready["httpGet"]["path"], ready["initialDelaySeconds"], ready["periodSeconds"], ready["timeoutSeconds"],
            ready["failureThreshold"]) == ("/ready", 10, 5, 3, 3)
    assert pod(base, "api")["terminationGracePeriodSeconds"] == 30


def test_environment__comes_from_the_config_map_and_the_secret(base):
    env = env_of(render(*SECRET, "--set", "redis.auth=false"), "api")
    ref = {"name": "ceoagent-config", "key": "redis-url"}
    assert env["REDIS_URL"]["valueFrom"]["configMapKeyRef"] == ref
    env = env_of(base, "api")
    assert env["DATABASE_URL"]["valueFrom"]["secretKeyRef"] == {"name": "ceoagent-secrets", "key": "database-url"}
    assert env["ANTHROPIC_API_KEY"]["valueFrom"]["secretKeyRef"]["key"] == "anthropic-api-key"
    assert env["ENCRYPTION_KEY"]["valueFrom"]["secretKeyRef"]["key"] == "encryption-key"
    assert "secretKeyRef" in env["REDIS_URL"]["valueFrom"], "a URL with a password is no configuration"
    data = find(base, "ConfigMap", "ceoagent-config")["data"]
    assert data["weaviate-url"] == "http://weaviate-service:8080"
    assert data["log-level"] == "INFO" and data["max-workers"] == "10" and data["api-timeout"] == "300"
    for key in ("WEAVIATE_URL", "LOG_LEVEL", "MAX_WORKERS"):
        assert env[key]["valueFrom"]["configMapKeyRef"]["name"] == "ceoagent-config"


def test_autoscaler__one_each_with_the_numbers_of_the_guide(base):
    for name in PROGRAMS:
        h = find(base, "HorizontalPodAutoscaler", f"ceoagent-{name}-hpa")
        assert h["apiVersion"] == "autoscaling/v2" and h["spec"]["scaleTargetRef"]["name"] == f"ceoagent-{name}"
        cpu, memory = (m["resource"] for m in h["spec"]["metrics"][:2])
        assert (cpu["target"]["averageUtilization"], memory["target"]["averageUtilization"]) == (70, 80)
        down, up = h["spec"]["behavior"]["scaleDown"], h["spec"]["behavior"]["scaleUp"]
        assert down == {"stabilizationWindowSeconds": 300, "policies": [{"type": "Percent", "value": 50, "periodSeconds": 60}]}
        assert up == {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [
            {"type": "Percent", "value": 100, "periodSeconds": 30}, {"type": "Pods", "value": 2, "periodSeconds": 30}]}
    api = find(base, "HorizontalPodAutoscaler", "ceoagent-api-hpa")["spec"]
    assert (api["minReplicas"], api["maxReplicas"]) == (3, 10)


def test_service_ingress_and_tls(base):
    s = find(base, "Service", "ceoagent-api")["spec"]
    assert s["type"] == "ClusterIP" and (s["ports"][0]["port"], s["ports"][0]["targetPort"]) == (80, 8000)
    i = find(base, "Ingress", "ceoagent-ingress")
    notes = i["metadata"]["annotations"]
    assert notes["cert-manager.io/cluster-issuer"] == "letsencrypt-prod"
    assert notes["nginx.ingress.kubernetes.io/ssl-redirect"] == "true"
    assert notes["nginx.ingress.kubernetes.io/limit-rpm"] == "100"
    assert notes["nginx.ingress.kubernetes.io/proxy-body-size"] == "10m"
    assert notes["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    assert i["spec"]["ingressClassName"] == "nginx" and i["spec"]["tls"][0]["secretName"] == "ceoagent-tls"
    rule = i["spec"]["rules"][0]
    assert rule["host"] == "api.ceoagent.com" and rule["http"]["paths"][0]["path"] == "/"
    slow = find(base, "Ingress", "ceoagent-ingress-analyze")
    assert slow["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-read-timeout"] == "310"
    assert {p["path"] for p in slow["spec"]["rules"][0]["http"]["paths"]} == {"/api/v1/analyze", "/api/v1/decision"}


def test_network_policies__exactly_the_arrows(base):
    def ports(policy, way):
        return sorted({p["port"] for r in policy["spec"][way] for p in r.get("ports", [])})

    api = find(base, "NetworkPolicy", "ceoagent-network-policy")
    assert api["spec"]["podSelector"]["matchLabels"] == {"app": "ceoagent-api"}
    assert ports(api, "ingress") == [8000, 9090] and ports(api, "egress") == [53, 5432, 6379, 8080]
    from_labels = [p.get("namespaceSelector", {}).get("matchLabels") for p in api["spec"]["ingress"][0]["from"]]
    assert {"kubernetes.io/metadata.name": "ingress-nginx"} in from_labels and {"name": "ingress-nginx"} in from_labels
    for name in ("agent", "worker"):
        p = find(base, "NetworkPolicy", f"ceoagent-{name}-network-policy")
        assert ports(p, "ingress") == [8000] and ports(p, "egress") == [53, 443, 5432, 6379, 8080]
    off = render(*SECRET, "--set", "weaviate.enabled=false")
    assert ports(find(off, "NetworkPolicy", "ceoagent-network-policy"), "egress") == [53, 5432, 6379]
    more = render(*SECRET, "--set", "networkPolicy.otlp.enabled=true", "--set", "networkPolicy.kafka.enabled=true",
                  "--set", "networkPolicy.apiInternet=true")
    assert ports(find(more, "NetworkPolicy", "ceoagent-network-policy"), "egress") == [53, 443, 4318, 5432, 6379, 8080]
    assert all(r.get("to") for o in more if o["kind"] == "NetworkPolicy" for r in o["spec"].get("egress") or []), "to everywhere"
    assert 9092 in ports(find(more, "NetworkPolicy", "ceoagent-worker-network-policy"), "egress")
    assert 9092 not in ports(find(more, "NetworkPolicy", "ceoagent-agent-network-policy"), "egress")


def test_every_pod__keeps_to_the_restricted_standard(base):
    for env in ("dev", "test", "prod"):
        for o in render(*env_values(env), "--set", "backup.enabled=true,redis.mode=standalone"):
            spec = o["spec"]["template"]["spec"] if o["kind"] in ("Deployment", "StatefulSet", "Job") else \
                o["spec"]["jobTemplate"]["spec"]["template"]["spec"] if o["kind"] == "CronJob" else \
                o["spec"] if o["kind"] == "Pod" else None
            if spec is None:
                continue
            who = f"{env} {o['kind']} {o['metadata']['name']}"
            assert spec["automountServiceAccountToken"] is False, who
            assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["seccompProfile"], who
            for c in spec.get("initContainers", []) + spec["containers"]:
                s = c["securityContext"]
                assert s["readOnlyRootFilesystem"] and not s["allowPrivilegeEscalation"] and s["capabilities"]["drop"] == ["ALL"], who
                assert c["resources"]["requests"] and c["resources"]["limits"]["memory"], who


def test_production__no_single_point(prod):
    for name in PROGRAMS:
        d = find(prod, "Deployment", f"ceoagent-{name}")
        assert d["spec"]["replicas"] >= 2
        assert d["spec"]["template"]["spec"]["topologySpreadConstraints"][0]["whenUnsatisfiable"] == "DoNotSchedule"
        assert find(prod, "PodDisruptionBudget", f"ceoagent-{name}")
        assert find(prod, "ServiceMonitor", f"ceoagent-{name}")
    assert not [o for o in prod if o["kind"] == "Secret"], "production's Secret is not Helm's"
    assert find(prod, "StatefulSet", "weaviate")["spec"]["replicas"] == 3
    names = [m.get("external", {}).get("metric", {}).get("name")
             for m in find(prod, "HorizontalPodAutoscaler", "ceoagent-agent-hpa")["spec"]["metrics"]]
    assert "ceoagent_agent_work" in names


def test_migration__before_the_rollout(prod):
    job = find(prod, "Job", "ceoagent-migrate")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["migrate"]
    bundled = render(*env_values("test"))
    assert find(bundled, "Job", "ceoagent-migrate")["metadata"]["annotations"]["helm.sh/hook"] == "pre-upgrade"
    assert pod(bundled, "agent")["initContainers"][0]["args"] == ["migrate"]


def test_stores__guide_sizes_and_weaviate_that_joins(base):
    pg = find(base, "StatefulSet", "postgres")["spec"]
    assert pg["serviceName"] == "postgres" and ":15" in pg["template"]["spec"]["containers"][0]["image"]
    assert pg["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] == "100Gi"
    env = {e["name"]: e for e in pg["template"]["spec"]["containers"][0]["env"]}
    assert env["POSTGRES_PASSWORD"]["valueFrom"]["secretKeyRef"] == {"name": "postgres-secret", "key": "password"}
    w = find(base, "StatefulSet", "weaviate")["spec"]
    assert w["replicas"] == 3 and w["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] == "50Gi"
    env = {e["name"]: e.get("value", "") for e in w["template"]["spec"]["containers"][0]["env"]}
    assert env["CLUSTER_HOSTNAME"] == "$(POD_NAME)" and "weaviate-headless" in env["CLUSTER_JOIN"]
    assert "backup-filesystem" in env["ENABLE_MODULES"] and env["DEFAULT_VECTORIZER_MODULE"] == "none"


def test_secrets__made_once_and_consistent():
    out = render(*env_values("dev"))
    secret, pg = find(out, "Secret", "ceoagent-secrets")["stringData"], find(out, "Secret", "postgres-secret")["stringData"]
    assert f":{pg['app-password']}@postgres:5432/ceoagent" in secret["database-url"]
    assert find(out, "Secret", "redis-secret")["stringData"]["password"] in secret["redis-url"]
    assert re.fullmatch(r"[A-Za-z0-9+/]{43}=", secret["encryption-key"])
    for o in out:
        if o["kind"] == "ConfigMap":
            assert pg["app-password"] not in str(o) and secret["encryption-key"] not in str(o)


def test_secrets__as_files():
    out = render(*SECRET, "--set", "secrets.asFiles={anthropic-api-key}")
    env = env_of(out, "agent")
    assert env["ANTHROPIC_API_KEY_FILE"]["value"] == "/run/secrets/ceoagent/anthropic-api-key" and "ANTHROPIC_API_KEY" not in env


def test_backup__daily_at_two_kept_thirty_days(prod):
    job = find(prod, "CronJob", "ceoagent-backup")["spec"]
    assert job["schedule"] == "0 2 * * *" and job["concurrencyPolicy"] == "Forbid"
    env = {e["name"]: e.get("value") for e in job["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert env["RETENTION_DAYS"] == "30" and env["NAMESPACE"] == "ceoagent"
    assert find(prod, "CronJob", "ceoagent-restore-drill")


def test_canary_and_blue_green():
    c = find(render(*SECRET, "--set", "canary.enabled=true"), "Canary", "ceoagent-api")["spec"]["analysis"]
    assert (c["interval"], c["threshold"], c["maxWeight"], c["stepWeight"]) == ("1m", 5, 50, 10)
    assert c["metrics"][0]["thresholdRange"]["min"] == 99 and c["metrics"][1]["thresholdRange"]["max"] == 500
    out = render(*SECRET, "--set", "blueGreen.enabled=true,blueGreen.green.tag=v9.9.9")
    blue, green = find(out, "Deployment", "ceoagent-api-blue"), find(out, "Deployment", "ceoagent-api-green")
    assert green["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":v9.9.9")
    assert blue["spec"]["selector"]["matchLabels"]["version"] == "blue"
    assert find(out, "Service", "ceoagent-api")["spec"]["selector"]["version"] == "blue"


@pytest.mark.parametrize("args", [
    ["--set", "ingress.className=traefik"], ["--set", "gateway.enabled=true,ingress.enabled=false"],
    ["--set", "keda.enabled=true"], ["--set", "redis.mode=sentinel"], ["--set", "redis.mode=cluster"],
    ["--set", "postgres.mode=cloudnativepg"], ["--set", "postgres.mode=external"],
    ["--set", "weaviate.enabled=false"], ["--set", "weaviate.backup.s3Bucket=b"], ["--set", "networkPolicy.enabled=false"],
    ["--set", "postgres.walArchive.enabled=true"], ["--set", "image.registry=ghcr.io/example/"],
    ["--set", "backup.enabled=true,backup.s3.bucket=b,backup.s3.credentialsSecret=s"],
    ["--set", "monitoring.rules.enabled=true,monitoring.dashboards.enabled=true,monitoring.serviceMonitor.enabled=true"],
    ["--set", "settings.METRICS_PORT="], ["--set", "migration.mode=none"],
    ["--set-json", 'api.extraEnv=[{"name":"A","value":"b"}]', "--set-json", 'agent.tolerations=[{"operator":"Exists"}]'],
], ids=lambda a: a[1][:40])
def test_switches__render(args):
    out = render(*SECRET, *args)
    images = [c["image"] for o in out if o["kind"] == "Deployment" for c in o["spec"]["template"]["spec"]["containers"]]
    if "ghcr" in args[1]:
        assert any(i.startswith("ghcr.io/example/ceoagent-api:v") for i in images)
    if "cluster" in args[1]:
        assert find(out, "ConfigMap", "ceoagent-config")["data"]["queue-prefix"] == "{ceoagent}"
    seen = [(o["kind"], o["metadata"]["name"]) for o in out]
    assert len(seen) == len(set(seen)), "two objects of one name"


@pytest.mark.parametrize("args, words", [
    (["--set", "image.tag=latest"], "latest"),
    (["--set", "api.image.tag=latest"], "latest"),
    (["--set", "secrets.existingSecret="], "production"),
    (["--set", "redis.mode=external", "--set", "redis.url=redis://:pw@h:6379"], "password"),
    (["--set", "canary.enabled=true,blueGreen.enabled=true"], "exclude"),
    (["--set", "settings.LOG_LEVLE=INFO"], "LOG_LEVLE"),
    (["--set", "settings.LOG_LEVEL=LOUD"], "LOG_LEVEL"),
    (["--set", "api.autoscaling.minReplicas=0"], "minReplicas"),
    (["--set", "redis.mode=sentinels"], "mode"),
    (["--set", "settings.GRACE_SECONDS=30"], "preStopSeconds"),
], ids=lambda a: str(a)[:40])
def test_chart__refuses(args, words):
    done = helm(*SECRET, *args)
    assert done.returncode != 0 and words in done.stderr, done.stderr


def test_every_setting__can_be_set(base):
    names = re.findall(r'^    \{CFG_[A-Z0-9]+, "([A-Z0-9_]+)[|"]', (ROOT / "libcommon/base/settings.c").read_text(), re.M)
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    settings = values["settings"]
    secrets = {k.upper().replace("-", "_") for k in values["secrets"]["values"]}
    missing = [n for n in names if n not in settings and n not in secrets]
    assert not missing, missing
    unknown = [n for n in settings if n not in names]
    assert not unknown, unknown
    full = env_of(render(*SECRET, *[a for n in settings if n not in ("ENVIRONMENT", "GRACE_SECONDS", "METRICS_PORT", "LOG_LEVEL")
                                    for a in ("--set-string", f"settings.{n}=7")]), "api")
    assert set(settings) <= set(full)


@pytest.mark.skipif(shutil.which("kubernetes-validate") is None, reason="kubernetes-validate is installed by tests/deploy/deps lint")
@pytest.mark.parametrize("env", ["base", "dev", "test", "prod"])
def test_manifests__fit_kubernetes_schemas(env, tmp_path):
    own = ("monitoring.coreos.com", "postgresql.cnpg.io", "traefik.io", "flagger.app")
    kept = [o for o in yaml.safe_load_all((ROOT / f"deploy/k8s/{env}/ceoagent.yaml").read_text())
            if o and not o["apiVersion"].startswith(own)]
    f = tmp_path / "all.yaml"
    f.write_text(yaml.safe_dump_all(kept))
    done = subprocess.run(["kubernetes-validate", "--strict", "-k", "1.35", str(f)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
