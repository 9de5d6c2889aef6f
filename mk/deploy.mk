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

test-deploy: all ## backup, restore and drill against a real PostgreSQL [S3_SERVER=host:port]
	@BIN_DIR=$(B) tests/deploy/backup

test-monitoring: ## alert rules, their tests and runbooks, Alertmanager, dashboards' queries, the log pipeline
	@tests/deploy/monitoring

lint-deploy: ## helm, Kubernetes schemas, hadolint, actionlint, promtool, amtool, rendered manifests fresh
	@tests/deploy/lint

k8s-lab: ## a real one-node Kubernetes on this machine (root), with metrics, policies and DNS
	@tests/deploy/k8s-lab

test-k8s: ## install, upgrade, break, roll back and scale the chart on the lab
	@tests/deploy/k8s
