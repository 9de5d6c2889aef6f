#!/bin/bash
# Prints .env.example with its secrets made: deploy/scripts/make-env.sh >.env
. "$(dirname "$0")/lib.sh" "$@"
need openssl
secret() { openssl rand -base64 24 | tr '+/' '-_'; }
while IFS= read -r line; do
    case $line in
    ENCRYPTION_KEY=) echo "ENCRYPTION_KEY=$(openssl rand -base64 32)" ;;
    *_PASSWORD=) echo "$line$(secret)" ;;
    *) echo "$line" ;;
    esac
done <"$(dirname "$0")/../../.env.example"
