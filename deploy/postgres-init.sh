#!/bin/sh
# Run once by the image of PostgreSQL on an empty volume: the programs' own user, who is no superuser, since row level
# security must bind it; migrations create roles.
set -eu
psql -v ON_ERROR_STOP=1 -U postgres -d postgres -v password="$APP_PASSWORD" <<'SQL'
CREATE ROLE ceoagent LOGIN CREATEROLE PASSWORD :'password';
CREATE DATABASE ceoagent OWNER ceoagent;
SQL
