{{/* The arrows of the architecture, one policy a component; what is not named is refused. */}}
{{- define "ceoagent.networkpolicy" -}}
{{- $root := .root -}}
{{- $np := .root.Values.networkPolicy -}}
{{- if $np.enabled }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ if eq .name "api" }}ceoagent-network-policy{{ else }}ceoagent-{{ .name }}-network-policy{{ end }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    app: ceoagent-{{ .name }}
    {{- include "ceoagent.labels" $root | nindent 4 }}
spec:
  podSelector: {matchLabels: {app: ceoagent-{{ .name }}}}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- if eq .name "api" }}
    - from:
        {{- range $np.ingressNamespaces }}
        - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: {{ . }}}}
        - namespaceSelector: {matchLabels: {name: {{ . }}}}
        {{- end }}
        - podSelector: {matchLabels: {app: ceoagent-tests}}
      ports: [{protocol: TCP, port: 8000}]
    {{- end }}
    - from:
        {{- range $np.monitoringNamespaces }}
        - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: {{ . }}}}
        {{- end }}
        - podSelector: {matchLabels: {app: ceoagent-tests}}
      ports: [{protocol: TCP, port: {{ include "ceoagent.metricsPort" . }}}]
  egress:
    {{- include "ceoagent.stores" $root | nindent 4 }}
    {{- if or (ne .name "api") $np.apiInternet }}
    - to:
        - ipBlock:
            cidr: 0.0.0.0/0
            except: {{- toYaml $np.internetExcept | nindent 14 }}
        - ipBlock: {cidr: "::/0", except: ["fc00::/7", "fe80::/10"]}
      ports: [{protocol: TCP, port: 443}]
    {{- end }}
    {{- include "ceoagent.arrow" $np.otlp | nindent 4 }}
    {{- if ne .name "api" }}
    {{- include "ceoagent.arrow" $np.embeddings | nindent 4 }}
    {{- include "ceoagent.arrow" $np.neo4j | nindent 4 }}
    {{- end }}
    {{- if eq .name "agent" }}
    {{- include "ceoagent.arrow" $np.models | nindent 4 }}
    {{- end }}
    {{- if eq .name "worker" }}
    {{- include "ceoagent.arrow" $np.kafka | nindent 4 }}
    {{- end }}
    {{- with index $np.extraEgress .name }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end }}

{{/* An empty list of peers would mean the whole world: it means the own namespace here. */}}
{{- define "ceoagent.arrow" -}}
{{- if .enabled }}
- to: {{- toYaml (.peers | default (list (dict "podSelector" dict))) | nindent 4 }}
  ports: [{protocol: TCP, port: {{ .port }}}]
{{- end }}
{{- end }}

{{- define "ceoagent.dns" -}}
- to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
      podSelector: {matchLabels: {k8s-app: kube-dns}}
  ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]
{{- end }}

{{/* DNS, PostgreSQL, Redis and, where there is one, Weaviate. */}}
{{- define "ceoagent.stores" -}}
{{- $np := .Values.networkPolicy -}}
{{ include "ceoagent.dns" . }}
- to:
    {{- if eq .Values.postgres.mode "statefulset" }}
    - podSelector: {matchLabels: {app: postgres}}
    {{- else if eq .Values.postgres.mode "cloudnativepg" }}
    - podSelector: {matchLabels: {cnpg.io/cluster: postgres}}
    {{- else }}
    {{- toYaml ($np.databasePeers | default (list (dict "podSelector" (dict "matchLabels" (dict "app" "postgres"))))) | nindent 4 }}
    {{- end }}
  ports: [{protocol: TCP, port: {{ $np.databasePort }}}]
- to:
    {{- if ne .Values.redis.mode "external" }}
    - podSelector: {matchLabels: {app: redis}}
    {{- else }}
    {{- toYaml ($np.redisPeers | default (list (dict "podSelector" (dict "matchLabels" (dict "app" "redis"))))) | nindent 4 }}
    {{- end }}
  ports:
    - {protocol: TCP, port: {{ $np.redisPort }}}
    {{- if eq .Values.redis.mode "sentinel" }}
    - {protocol: TCP, port: 26379}
    {{- end }}
{{- if include "ceoagent.weaviateUrl" . }}
- to:
    {{- if .Values.weaviate.enabled }}
    - podSelector: {matchLabels: {app: weaviate}}
    {{- else }}
    {{- toYaml ($np.weaviatePeers | default (list (dict "podSelector" (dict "matchLabels" (dict "app" "weaviate"))))) | nindent 4 }}
    {{- end }}
  ports: [{protocol: TCP, port: {{ $np.weaviatePort }}}]
{{- end }}
{{- end }}
