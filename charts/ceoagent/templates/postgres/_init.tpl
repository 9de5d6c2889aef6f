{{/* The programs' user is no superuser: row level security must bind it. Migrations create roles. */}}
{{- define "ceoagent.postgresInit" -}}
#!/bin/sh
set -eu
psql -v ON_ERROR_STOP=1 -U postgres -d postgres -v password="$APP_PASSWORD" <<'SQL'
CREATE ROLE {{ .Values.postgres.user }} LOGIN CREATEROLE PASSWORD :'password';
CREATE DATABASE {{ .Values.postgres.database }} OWNER {{ .Values.postgres.user }};
SQL
{{ end }}
