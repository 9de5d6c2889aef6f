#!/bin/bash
# Installs or upgrades CEOAgent by Helm, waits until it serves, tests it, and takes it back when the test fails.
#   NAMESPACE=ceoagent IMAGE_TAG=v1.0.0 deploy.sh [--dry-run] [helm arguments...]
# Environment:
#   IMAGE_TAG        version to deploy (required; in production vMAJOR.MINOR.PATCH)
#   NAMESPACE        ceoagent
#   ENVIRONMENT      prod, test or dev: which values file (prod)
#   KUBECONFIG_PATH  the cluster's configuration; else KUBECONFIG or the default
#   RELEASE          ceoagent      IMAGE_REGISTRY  prefix of the images' names, such as ghcr.io/example/
#   TIMEOUT          5m            SMOKE           on, off
#   DEPLOY_LOG       a file that gets one line per deployment: time, version, outcome, seconds
. "$(dirname "$0")/lib.sh" "$@"

NAMESPACE=${NAMESPACE:-ceoagent} ENVIRONMENT=${ENVIRONMENT:-prod} RELEASE=${RELEASE:-ceoagent} TIMEOUT=${TIMEOUT:-5m}
CHART=${CHART:-$(dirname "$0")/../../charts/ceoagent}
case $ENVIRONMENT in production) ENVIRONMENT=prod ;; development) ENVIRONMENT=dev ;; esac
[[ -n ${IMAGE_TAG:-} ]] || die "IMAGE_TAG is not set, for example IMAGE_TAG=v1.0.0"
[[ -f $CHART/values-$ENVIRONMENT.yaml ]] || die "ENVIRONMENT=$ENVIRONMENT: must be dev, test or prod"
if [[ $ENVIRONMENT == prod && ! $IMAGE_TAG =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]]; then
    die "IMAGE_TAG=$IMAGE_TAG: production takes versions alone, for example v1.0.0"
fi
[[ -z ${KUBECONFIG_PATH:-} ]] || export KUBECONFIG=$KUBECONFIG_PATH
need helm kubectl

started=$SECONDS
finish() { # OUTCOME
    ((DRY_RUN)) || say "$RELEASE $IMAGE_TAG in $NAMESPACE: $1 after $((SECONDS - started)) s"
    [[ -z ${DEPLOY_LOG:-} ]] || ((DRY_RUN)) ||
        printf '%s\t%s\t%s\t%s\t%d\n' "$(now_iso)" "$NAMESPACE" "$IMAGE_TAG" "$1" $((SECONDS - started)) >>"$DEPLOY_LOG"
}

before=$(helm history "$RELEASE" -n "$NAMESPACE" -o json 2>/dev/null |
    jq -r '[.[] | select(.status == "deployed")] | last.revision // empty') || before=""
args=(upgrade --install "$RELEASE" "$CHART" -n "$NAMESPACE" --create-namespace -f "$CHART/values-$ENVIRONMENT.yaml"
    --set-string "image.tag=$IMAGE_TAG" --rollback-on-failure --wait --wait-for-jobs --timeout "$TIMEOUT" --history-max 20)
# Helm 3 has other names. What somebody changed by hand (kubectl set image) is overruled.
if helm upgrade --help 2>/dev/null | grep -q -- --force-conflicts; then
    args+=(--force-conflicts)
else
    args=("${args[@]/--rollback-on-failure/--atomic}")
fi
[[ -z ${IMAGE_REGISTRY:-} ]] || args+=(--set-string "image.registry=$IMAGE_REGISTRY")
run helm "${args[@]}" "${ARGS[@]}" >&2 || {
    finish failed
    die "helm took the release back; the version before serves on"
}
if [[ ${SMOKE:-on} == on ]]; then
    if ! run env NAMESPACE="$NAMESPACE" "$(dirname "$0")/smoke.sh"; then
        if [[ -n $before ]]; then
            run env NAMESPACE="$NAMESPACE" RELEASE="$RELEASE" TIMEOUT="$TIMEOUT" SMOKE=off "$(dirname "$0")/rollback.sh" "$before" >&2
            finish rolled-back
            die "the smoke test failed; revision $before serves again"
        fi
        finish failed
        die "the smoke test of the first deployment failed; nothing to go back to"
    fi
fi
finish deployed
