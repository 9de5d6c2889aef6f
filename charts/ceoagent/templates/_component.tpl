{{/* The objects that api, agent and worker have alike. Call with (dict "root" $ "name" "api"); the api's Deployment also
     with "color" for blue/green. */}}
{{- define "ceoagent.deployment" -}}
{{- $root := .root -}}
{{- $v := index .root.Values .name -}}
{{- $app := printf "ceoagent-%s" .name -}}
{{- $color := .color | default "" -}}
{{- $image := $v.image -}}
{{- if and $color (index $root.Values.blueGreen $color).tag -}}
{{- $image = merge (dict "tag" (index $root.Values.blueGreen $color).tag "digest" "") $v.image -}}
{{- end -}}
{{- $pod := $root.Values.pod -}}
{{- if ge (add (int $pod.preStopSeconds) (int ($root.Values.settings.GRACE_SECONDS | default 25))) (int $pod.terminationGracePeriodSeconds) -}}
{{- fail "pod.preStopSeconds and GRACE_SECONDS together must stay under pod.terminationGracePeriodSeconds" -}}
{{- end -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $app }}{{ with $color }}-{{ . }}{{ end }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    app: {{ $app }}
    {{- include "ceoagent.labels" $root | nindent 4 }}
spec:
  {{- /* Under an autoscaler the number that runs stays: leaving the field out would set it to 1. */ -}}
  {{- $now := lookup "apps/v1" "Deployment" $root.Release.Namespace (printf "%s%s" $app (ternary (printf "-%s" $color) "" (ne $color ""))) }}
  replicas: {{ if and $v.autoscaling.enabled $now }}{{ $now.spec.replicas }}{{ else }}{{ $v.replicas }}{{ end }}
  revisionHistoryLimit: 10
  progressDeadlineSeconds: 300
  selector:
    matchLabels:
      app: {{ $app }}
      {{- with $color }}
      version: {{ . }}
      {{- end }}
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: {{ $pod.strategy.maxSurge }}, maxUnavailable: {{ $pod.strategy.maxUnavailable }}}
  template:
    metadata:
      labels:
        app: {{ $app }}
        app.kubernetes.io/name: ceoagent
        app.kubernetes.io/component: {{ .name }}
        {{- with $color }}
        version: {{ . }}
        {{- end }}
        {{- with $v.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        checksum/config: {{ include "ceoagent.configMap" $root | sha256sum }}
        checksum/secret: {{ $root.Values.secrets.values | toYaml | sha256sum }}
        {{- if $pod.scrapeAnnotations }}
        prometheus.io/scrape: "true"
        prometheus.io/port: {{ include "ceoagent.metricsPort" . | quote }}
        prometheus.io/path: /metrics
        {{- end }}
        {{- with $v.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- with include "ceoagent.pullSecrets" $root }}{{ . | nindent 6 }}{{ end }}
      serviceAccountName: {{ $app }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ $pod.terminationGracePeriodSeconds }}
      {{- with $v.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      securityContext:
        {{- include "ceoagent.podSecurity" $root | nindent 8 }}
      {{- if eq (include "ceoagent.migrationMode" $root) "init" }}
      initContainers:
        - name: migrate
          image: {{ include "ceoagent.image" (dict "root" $root "image" $root.Values.api.image) }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: [migrate]
          env:
            {{- include "ceoagent.env" (dict "root" $root "values" (dict "settings" dict)) | nindent 12 }}
          resources:
            requests: {cpu: 50m, memory: 32Mi}
            limits: {cpu: 500m, memory: 128Mi}
          securityContext:
            {{- include "ceoagent.containerSecurity" $root | nindent 12 }}
          volumeMounts:
            {{- include "ceoagent.mounts" (dict "root" $root "values" dict) | nindent 12 }}
      {{- end }}
      containers:
        - name: {{ .name }}
          image: {{ include "ceoagent.image" (dict "root" $root "image" $image) }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          ports:
            - {name: http, containerPort: 8000, protocol: TCP}
            {{- if eq (include "ceoagent.metricsPort" .) "9090" }}
            - {name: metrics, containerPort: 9090, protocol: TCP}
            {{- end }}
          env:
            {{- include "ceoagent.env" (dict "root" $root "values" $v) | nindent 12 }}
          startupProbe:
            httpGet: {path: /health, port: http}
            {{- toYaml $pod.probes.startup | nindent 12 }}
          livenessProbe:
            httpGet: {path: /health, port: http}
            {{- toYaml $pod.probes.liveness | nindent 12 }}
          readinessProbe:
            httpGet: {path: /ready, port: http}
            {{- toYaml $pod.probes.readiness | nindent 12 }}
          {{- if $pod.preStopSeconds }}
          lifecycle:
            preStop: {sleep: {seconds: {{ $pod.preStopSeconds }}}}
          {{- end }}
          resources:
            {{- toYaml $v.resources | nindent 12 }}
          securityContext:
            {{- include "ceoagent.containerSecurity" $root | nindent 12 }}
          volumeMounts:
            {{- include "ceoagent.mounts" (dict "root" $root "values" $v) | nindent 12 }}
      volumes:
        - name: tmp
          emptyDir: {sizeLimit: 256Mi}
        {{- if $root.Values.secrets.asFiles }}
        - name: secrets
          secret: {secretName: {{ include "ceoagent.secretName" $root }}, defaultMode: 0440}
        {{- end }}
        {{- with $v.extraVolumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- if $pod.topologySpread.enabled }}
      topologySpreadConstraints:
        {{- range $pod.topologySpread.keys }}
        - maxSkew: 1
          topologyKey: {{ . }}
          whenUnsatisfiable: {{ $pod.topologySpread.whenUnsatisfiable }}
          labelSelector: {matchLabels: {app: {{ $app }}}}
        {{- end }}
      {{- end }}
      {{- with $v.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $v.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $v.affinity }}
      affinity: {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end }}

{{- define "ceoagent.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if .root.Values.secrets.asFiles }}
- {name: secrets, mountPath: /run/secrets/ceoagent, readOnly: true}
{{- end }}
{{- with .values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The api's metrics have a port of their own when METRICS_PORT is set; agent and worker serve nothing else. */}}
{{- define "ceoagent.metricsPort" -}}
{{- if and (eq .name "api") (eq (toString .root.Values.settings.METRICS_PORT) "9090") -}}9090{{- else -}}8000{{- end -}}
{{- end }}

{{- define "ceoagent.hpa" -}}
{{- $v := index .root.Values .name -}}
{{- $keda := and .root.Values.keda.enabled (ne .name "api") -}}
{{- if and $v.autoscaling.enabled (not $keda) (not (and (eq .name "api") .root.Values.blueGreen.enabled)) }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: ceoagent-{{ .name }}-hpa
  namespace: {{ .root.Release.Namespace }}
  labels:
    app: ceoagent-{{ .name }}
    {{- include "ceoagent.labels" .root | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ceoagent-{{ .name }}}
  minReplicas: {{ $v.autoscaling.minReplicas }}
  maxReplicas: {{ $v.autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: {{ $v.autoscaling.cpu }}}}
    - type: Resource
      resource: {name: memory, target: {type: Utilization, averageUtilization: {{ $v.autoscaling.memory }}}}
    {{- with $v.autoscaling.work }}
    {{- if .enabled }}
    - type: External
      external:
        metric: {name: {{ .metric }}}
        target: {type: AverageValue, averageValue: {{ .target | quote }}}
    {{- end }}
    {{- end }}
  behavior:
    scaleDown:
      stabilizationWindowSeconds: 300
      policies:
        - {type: Percent, value: 50, periodSeconds: 60}
    scaleUp:
      stabilizationWindowSeconds: 0
      policies:
        - {type: Percent, value: 100, periodSeconds: 30}
        - {type: Pods, value: 2, periodSeconds: 30}
      selectPolicy: Max
{{- end }}
{{- if and $v.autoscaling.enabled $keda }}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: ceoagent-{{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    app: ceoagent-{{ .name }}
    {{- include "ceoagent.labels" .root | nindent 4 }}
spec:
  scaleTargetRef: {name: ceoagent-{{ .name }}}
  minReplicaCount: {{ $v.autoscaling.minReplicas }}
  maxReplicaCount: {{ $v.autoscaling.maxReplicas }}
  advanced:
    horizontalPodAutoscalerConfig:
      name: ceoagent-{{ .name }}-hpa
      behavior:
        scaleDown:
          stabilizationWindowSeconds: 300
          policies: [{type: Percent, value: 50, periodSeconds: 60}]
  triggers:
    - type: cpu
      metricType: Utilization
      metadata: {value: {{ $v.autoscaling.cpu | quote }}}
    - type: memory
      metricType: Utilization
      metadata: {value: {{ $v.autoscaling.memory | quote }}}
    - type: prometheus
      metricType: AverageValue
      metadata:
        serverAddress: {{ .root.Values.keda.prometheusUrl }}
        query: {{ $v.autoscaling.work.metric }}
        threshold: {{ $v.autoscaling.work.target | quote }}
{{- end }}
{{- end }}

{{- define "ceoagent.pdb" -}}
{{- $v := index .root.Values .name -}}
{{- if $v.pdb.enabled }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: ceoagent-{{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    app: ceoagent-{{ .name }}
    {{- include "ceoagent.labels" .root | nindent 4 }}
spec:
  minAvailable: {{ $v.pdb.minAvailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector: {matchLabels: {app: ceoagent-{{ .name }}}}
{{- end }}
{{- end }}

{{- define "ceoagent.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: ceoagent-{{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    app: ceoagent-{{ .name }}
    {{- include "ceoagent.labels" .root | nindent 4 }}
spec:
  type: ClusterIP
  selector:
    app: ceoagent-{{ .name }}
    {{- if and (eq .name "api") .root.Values.blueGreen.enabled }}
    version: {{ .root.Values.blueGreen.live }}
    {{- end }}
  ports:
    {{- if eq .name "api" }}
    - {name: http, protocol: TCP, port: 80, targetPort: 8000}
    {{- if eq (include "ceoagent.metricsPort" .) "9090" }}
    - {name: metrics, protocol: TCP, port: 9090, targetPort: 9090}
    {{- end }}
    {{- else }}
    - {name: metrics, protocol: TCP, port: 8000, targetPort: 8000}
    {{- end }}
{{- end }}
