{{/* Labels of every object. Call with the root context. */}}
{{- define "ceoagent.labels" -}}
app.kubernetes.io/name: ceoagent
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* A program's image: (dict "root" $ "image" .Values.api.image). Production takes no tag that can change its meaning. */}}
{{- define "ceoagent.image" -}}
{{- $tag := .image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion -}}
{{- $name := printf "%s%s" .root.Values.image.registry .image.repository -}}
{{- if .root.Values.image.registry -}}
{{- $name = printf "%s%s" .root.Values.image.registry (.image.repository | replace "/" "-") -}}
{{- end -}}
{{- if .image.digest -}}
{{ printf "%s@%s" $name .image.digest }}
{{- else -}}
{{- if and (eq .root.Values.settings.ENVIRONMENT "production") (eq $tag "latest") -}}
{{- fail "image tag latest: a rollback could not name a version; give image.tag or a digest" -}}
{{- end -}}
{{ printf "%s:%s" $name $tag }}
{{- end -}}
{{- end }}

{{- define "ceoagent.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "ceoagent.secretName" -}}
{{ .Values.secrets.existingSecret | default "ceoagent-secrets" }}
{{- end }}
{{- define "ceoagent.postgresSecret" -}}
{{ .Values.postgres.existingSecret | default "postgres-secret" }}
{{- end }}
{{- define "ceoagent.redisSecret" -}}
{{ .Values.redis.existingSecret | default "redis-secret" }}
{{- end }}

{{/* What every pod of ours keeps to: the restricted Pod Security Standard. */}}
{{- define "ceoagent.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile: {type: RuntimeDefault}
{{- end }}
{{- define "ceoagent.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* "true" when redis-url stands in the Secret, since it holds a password. */}}
{{- define "ceoagent.redisUrlIsSecret" -}}
{{- if eq .Values.redis.mode "external" -}}
{{- if .Values.redis.url -}}
{{- if contains "@" .Values.redis.url -}}
{{- fail "redis.url holds a password: put it into the Secret as redis-url" -}}
{{- end -}}
{{- else -}}true{{- end -}}
{{- else if .Values.redis.auth -}}true{{- end -}}
{{- end }}

{{/* The Redis that this chart runs, as a URL: (dict "root" $ "password" "...") */}}
{{- define "ceoagent.redisUrl" -}}
{{- $user := ternary (printf ":%s@" .password) "" (ne .password "") -}}
{{- if eq .root.Values.redis.mode "sentinel" -}}
sentinel://{{ $user }}redis-sentinel:26379/ceoagent/0
{{- else if eq .root.Values.redis.mode "cluster" -}}
cluster://{{ $user }}redis:6379
{{- else -}}
redis://{{ $user }}redis:6379/0
{{- end -}}
{{- end }}

{{- define "ceoagent.weaviateUrl" -}}
{{- if .Values.weaviate.enabled -}}http://weaviate-service:8080{{- else -}}{{ .Values.weaviate.url }}{{- end -}}
{{- end }}

{{/* The settings as a map of ConfigMap keys: redis-url, weaviate-url and each non-empty setting in lower case with dashes. */}}
{{- define "ceoagent.configMap" -}}
{{- $out := dict -}}
{{- range $name, $value := .Values.settings -}}
{{- if ne (toString $value) "" -}}
{{- $_ := set $out ($name | lower | replace "_" "-") (toString $value) -}}
{{- end -}}
{{- end -}}
{{- if not (include "ceoagent.redisUrlIsSecret" .) -}}
{{- $_ := set $out "redis-url" (ternary .Values.redis.url (include "ceoagent.redisUrl" (dict "root" . "password" "")) (eq .Values.redis.mode "external")) -}}
{{- end -}}
{{- with include "ceoagent.weaviateUrl" . -}}
{{- $_ := set $out "weaviate-url" . -}}
{{- end -}}
{{- if and (eq .Values.redis.mode "cluster") (eq (toString .Values.settings.QUEUE_PREFIX) "") -}}
{{- $_ := set $out "queue-prefix" "{ceoagent}" -}}
{{- end -}}
{{- toYaml $out -}}
{{- end }}

{{/* Where migrations run: hook, init or none. */}}
{{- define "ceoagent.migrationMode" -}}
{{ .Values.migration.mode | default (ternary "init" "hook" (eq .Values.postgres.mode "statefulset")) }}
{{- end }}
