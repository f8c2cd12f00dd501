#!/bin/sh
# Draws the secrets of docker-compose.yml (servers on MongoDB) into this folder. What is there is kept.
# The folder is closed to others; the files in it are open to the users of the containers, who see nothing but them.
set -eu
cd "$(dirname "$0")"
chmod 700 .
draw() { [ -e "$1" ] || { openssl rand -hex "$2" >"$1.new" && chmod 444 "$1.new" && mv "$1.new" "$1"; }; }
write() { [ -e "$1" ] || { printf '%s\n' "$2" >"$1.new" && chmod 444 "$1.new" && mv "$1.new" "$1"; }; }
draw mongo-keyfile 256
draw mongo-admin 24
draw mongo-password 24
draw passphrase 24
draw metrics-token 24
servers="kinhold:$(cat mongo-password)@mongo1:27017,mongo2:27017,mongo3:27017"
where='replicaSet=kinhold&authSource=admin'
write store "mongodb://$servers/kinhold?$where"
write keystore "mongodb://$servers/kinhold-keys?$where"
echo 'Keep a copy of the passphrase away from this machine: without it, and without a recovery code, the data are gone.'
