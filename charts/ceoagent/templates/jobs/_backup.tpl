{{/* The pod of the backup and of the drill: (dict "root" $ "command" "backup.sh") */}}
{{- define "ceoagent.backupPod" -}}
{{- $root := .root -}}
{{- $b := .root.Values.backup -}}
metadata:
  labels: {app: ceoagent-backup}
spec:
  {{- with include "ceoagent.pullSecrets" $root }}{{ . | nindent 2 }}{{ end }}
  restartPolicy: Never
  automountServiceAccountToken: false
  enableServiceLinks: false
  securityContext:
    {{- include "ceoagent.podSecurity" $root | nindent 4 }}
  containers:
    - name: backup
      image: {{ include "ceoagent.image" (dict "root" $root "image" $b.image) }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      command: [/opt/ceoagent/{{ .command }}]
      env:
        - {name: BACKUP_DIR, value: /backups}
        - {name: RETENTION_DAYS, value: {{ $b.retentionDays | quote }}}
        - {name: NAMESPACE, value: {{ $root.Release.Namespace }}}
        {{- if eq $root.Values.postgres.mode "statefulset" }}
        - name: PGPASSWORD
          valueFrom: {secretKeyRef: {name: {{ include "ceoagent.postgresSecret" $root }}, key: password}}
        - {name: BACKUP_DATABASE_URL, value: "postgresql://postgres@postgres:5432/{{ $root.Values.postgres.database }}"}
        {{- else }}
        - name: BACKUP_DATABASE_URL
          valueFrom: {secretKeyRef: {name: {{ include "ceoagent.secretName" $root }}, key: {{ $b.databaseUrlKey }}}}
        {{- end }}
        - name: BACKUP_PASSPHRASE
          valueFrom: {secretKeyRef: {name: {{ include "ceoagent.secretName" $root }}, key: {{ $b.passphraseKey }}, optional: true}}
        {{- with include "ceoagent.weaviateUrl" $root }}
        - {name: WEAVIATE_URL, value: {{ . }}}
        {{- end }}
        - {name: WEAVIATE_BACKEND, value: {{ ternary "s3" "filesystem" (ne $root.Values.weaviate.backup.s3Bucket "") }}}
        {{- with $b.s3 }}
        {{- if .bucket }}
        - {name: S3_BUCKET, value: {{ .bucket }}}
        - {name: S3_PREFIX, value: {{ .prefix }}}
        - {name: S3_REGION, value: {{ .region }}}
        {{- with .endpoint }}
        - {name: S3_ENDPOINT, value: {{ . }}}
        {{- end }}
        - name: S3_ACCESS_KEY
          valueFrom: {secretKeyRef: {name: {{ .credentialsSecret }}, key: access-key}}
        - name: S3_SECRET_KEY
          valueFrom: {secretKeyRef: {name: {{ .credentialsSecret }}, key: secret-key}}
        {{- end }}
        {{- end }}
        {{- with $b.drill.pushgateway }}
        - {name: PUSHGATEWAY_URL, value: {{ . }}}
        {{- end }}
      resources: {{- toYaml $b.resources | nindent 8 }}
      securityContext:
        {{- include "ceoagent.containerSecurity" $root | nindent 8 }}
      volumeMounts:
        - {name: backups, mountPath: /backups}
        - {name: tmp, mountPath: /tmp}
  volumes:
    - name: backups
      persistentVolumeClaim: {claimName: {{ $b.storage.existingClaim | default "ceoagent-backups" }}}
    - {name: tmp, emptyDir: {}}
{{- end }}
