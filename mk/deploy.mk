# Images, chart, rendered manifests, monitoring, and their checks. The work is in deploy/ and tests/deploy/.
DEPLOY_TAG ?= v0.1.0

.PHONY: deps-deploy images images-smoke charts k8s-render test-deploy lint-deploy test-monitoring k8s-lab test-k8s
deps-deploy: ## install what the targets below need: Debian packages, and linters into .tools/
	@tests/deploy/deps

images: ## build the images with buildah (or IMAGE_TOOL=docker): [VERSION=v1.2.3] [IMAGE_PREFIX=ghcr.io/me/ceoagent-]
	@deploy/images/build

images-smoke: ## the built images under podman: other user, read-only, 500m and 512Mi, one decision
	@tests/deploy/images-smoke

charts: ## helm lint and render each environment, check the results
	@tests/deploy/charts

k8s-render: ## render deploy/k8s/ from the chart
	@tests/deploy/render deploy/k8s

test-deploy: all ## backup, restore, drill and recovery to a point in time against a real PostgreSQL [S3_SERVER=host:port]
	@BIN_DIR=$(B) tests/deploy/backup && tests/deploy/pitr

test-monitoring: ## alert rules, their tests and runbooks, Alertmanager, dashboards' queries, the log pipeline
	@tests/deploy/monitoring

lint-deploy: ## helm, Kubernetes schemas, hadolint, actionlint, promtool, amtool, rendered manifests fresh
	@tests/deploy/lint

k8s-lab: ## a real one-node Kubernetes on this machine (root), with metrics, policies and DNS
	@tests/deploy/k8s-lab

test-k8s: ## validate, install, upgrade, break, roll back and scale the chart on the lab; Redis modes
	@tests/deploy/server_dry_run && tests/deploy/k8s && tests/deploy/redis-modes

.PHONY: deploy rollback backup release-notes chart-package ci-kubeconfig ci-secrets perf-cluster
deploy: ## deploy to a cluster: IMAGE_TAG=v1.0.0 [NAMESPACE=] [ENVIRONMENT=prod|test|dev] [KUBECONFIG_PATH=]
	@PATH=$(CURDIR)/.tools/bin:$$PATH deploy/scripts/deploy.sh

rollback: ## take a cluster's release back: [REVISION=n] [NAMESPACE=]
	@PATH=$(CURDIR)/.tools/bin:$$PATH deploy/scripts/rollback.sh $(REVISION)

backup: ## back up a database: BACKUP_DATABASE_URL= [BACKUP_DIR=]
	@deploy/scripts/backup.sh

release-notes: ## the change log's section of TAG, for the release's page
	@tests/deploy/release notes $(TAG)

chart-package: ## build/ceoagent-VERSION.tgz
	@tests/deploy/release chart $(TAG)

ci-kubeconfig ci-secrets: ci-%:
	@tests/deploy/ci-cluster $*

perf-cluster: ## a short load test through a forwarded port [NAMESPACE=]
	@tests/deploy/ci-cluster perf
