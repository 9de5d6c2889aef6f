{{/* The environment of a program: (dict "root" $ "values" .Values.api). Each ConfigMap key and each Secret key is one
     variable; a program ignores those of the others. */}}
{{- define "ceoagent.env" -}}
{{- $root := .root -}}
{{- $own := .values.settings | default dict -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- range $key, $value := include "ceoagent.configMap" $root | fromYaml }}
{{- $name := $key | upper | replace "-" "_" }}
{{- if not (hasKey $own $name) }}
- name: {{ $name }}
  valueFrom: {configMapKeyRef: {name: ceoagent-config, key: {{ $key }}}}
{{- end }}
{{- end }}
{{- range $name, $value := $own }}
- name: {{ $name }}
  value: {{ toString $value | quote }}
{{- end }}
{{- include "ceoagent.secretEnv" $root }}
{{- range $name, $value := $root.Values.config.extra }}
- name: {{ $name }}
  value: {{ toString $value | quote }}
{{- end }}
{{- with .values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* DATABASE_URL, DATABASE_MIGRATE_URL, REDIS_URL, BROKER_URL, RESULT_URL, ANTHROPIC_API_KEY, OPENAI_API_KEY, EMBEDDINGS_URL, EMBEDDINGS_API_KEY,
     NEO4J_URL, WEAVIATE_URL, WEAVIATE_API_KEY, ENCRYPTION_KEY, ENCRYPTION_KEYS_OLD and SECRET_KEY. */}}
{{- define "ceoagent.secretEnv" -}}
{{- $root := . -}}
{{- $required := list "database-url" "encryption-key" -}}
{{- $config := include "ceoagent.configMap" . | fromYaml -}}
{{- if include "ceoagent.redisUrlIsSecret" . -}}
{{- $required = append $required "redis-url" -}}
{{- end -}}
{{- range $key := list "database-url" "database-migrate-url" "redis-url" "broker-url" "result-url" "anthropic-api-key" "openai-api-key" "embeddings-url" "embeddings-api-key" "neo4j-url" "weaviate-url" "weaviate-api-key" "encryption-key" "encryption-keys-old" "secret-key" }}
{{- if not (hasKey $config $key) }}
{{- $name := $key | upper | replace "-" "_" }}
{{- if has $key $root.Values.secrets.asFiles }}
- name: {{ $name }}_FILE
  value: /run/secrets/ceoagent/{{ $key }}
{{- else }}
- name: {{ $name }}
  valueFrom: {secretKeyRef: {name: {{ include "ceoagent.secretName" $root }}, key: {{ $key }}{{ if not (has $key $required) }}, optional: true{{ end }}}}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
