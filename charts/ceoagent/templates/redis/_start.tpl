{{/* Small scripts instead of a third-party chart. Everything is appended to a file, nothing is evicted: queues live here. */}}
{{- define "ceoagent.redisStart" -}}
ping.sh: |
  [ "$(redis-cli ping)" = PONG ]
redis.sh: |
  set -eu
  umask 077
  {
    echo "dir /data"
    echo "appendonly yes"
    echo "appendfsync everysec"
    echo "maxmemory {{ .Values.redis.maxmemory }}"
    echo "maxmemory-policy noeviction"
    [ -z "${REDISCLI_AUTH:-}" ] || echo "requirepass $REDISCLI_AUTH"
    [ -z "${REDISCLI_AUTH:-}" ] || echo "masterauth $REDISCLI_AUTH"
    {{- if eq .Values.redis.mode "cluster" }}
    echo "cluster-enabled yes"
    echo "cluster-config-file /data/nodes.conf"
    echo "cluster-node-timeout 5000"
    echo "cluster-announce-hostname $POD_NAME.redis-nodes"
    {{- end }}
    {{- if eq .Values.redis.mode "sentinel" }}
    echo "replica-announce-ip $POD_NAME.redis-nodes"
    echo "min-replicas-to-write 1"
    echo "min-replicas-max-lag 10"
    {{- end }}
  } > /tmp/redis.conf
  {{- if eq .Values.redis.mode "sentinel" }}
  # Whom the sentinels name is the primary. On the very first start nobody answers, and node 0 is; later, a node waits for
  # their word before it takes itself for the primary.
  primary=""
  tries=1
  [ ! -d /data/appendonlydir ] || tries=20
  while [ -z "$primary" ] && [ $tries -gt 0 ]; do
    for i in 0 1 2; do
      [ -n "$primary" ] || primary=$(timeout 2 redis-cli -h redis-$i.redis-nodes -p 26379 sentinel get-master-addr-by-name ceoagent 2>/dev/null | sed -n 1p)
    done
    tries=$((tries - 1))
    [ -n "$primary" ] || [ $tries = 0 ] || sleep 1
  done
  primary=${primary:-redis-0.redis-nodes}
  case $primary in
  "$POD_NAME.redis-nodes") ;;
  *) echo "replicaof $primary 6379" >> /tmp/redis.conf ;;
  esac
  {{- end }}
  exec redis-server /tmp/redis.conf
{{- if eq .Values.redis.mode "sentinel" }}
sentinel.sh: |
  set -eu
  umask 077
  # The file is rewritten by the sentinel and kept, so that it remembers the primary.
  if [ ! -s /data/sentinel.conf ]; then
    {
      echo "port 26379"
      echo "dir /data"
      echo "sentinel resolve-hostnames yes"
      echo "sentinel announce-hostnames yes"
      echo "sentinel announce-ip $POD_NAME.redis-nodes"
      echo "sentinel monitor ceoagent redis-0.redis-nodes 6379 2"
      echo "sentinel down-after-milliseconds ceoagent 5000"
      echo "sentinel failover-timeout ceoagent 10000"
      [ -z "${REDISCLI_AUTH:-}" ] || echo "sentinel auth-pass ceoagent $REDISCLI_AUTH"
      [ -z "${REDISCLI_AUTH:-}" ] || echo "requirepass $REDISCLI_AUTH"
      [ -z "${REDISCLI_AUTH:-}" ] || echo "sentinel sentinel-pass $REDISCLI_AUTH"
    } > /data/sentinel.conf
  fi
  until getent hosts redis-0.redis-nodes >/dev/null; do sleep 1; done
  exec redis-sentinel /data/sentinel.conf
{{- end }}
{{- if eq .Values.redis.mode "cluster" }}
join.sh: |
  set -eu
  nodes=""
  for i in 0 1 2 3 4 5; do
    host=redis-$i.redis-nodes
    until [ "$(redis-cli -h $host ping 2>/dev/null)" = PONG ]; do sleep 1; done
    nodes="$nodes $(getent hosts $host | cut -d' ' -f1):6379"
  done
  if redis-cli -h redis-0.redis-nodes cluster info | grep -q cluster_state:ok; then exit 0; fi
  # shellcheck disable=SC2086
  redis-cli --cluster create $nodes --cluster-replicas 1 --cluster-yes
{{- end }}
{{- end }}
