#!/bin/sh
# natscli 0.5.1, go 1.26, found 2026-11-30.
#
# What one would guess: nats context add NAME --token TOKEN writes a context with the token,
# as --user and --password are written.
#
# What happens: the context has "token": "", and the tool says nothing. A token is kept only
# if it is given as --user without --password. (createCommand in cli/context_command.go
# takes the token from the user name alone.)
#
# Why it matters: whoever connects by such a context, this tool or another program that
# reads the file, comes without credentials, and is refused with "Authorization Violation".
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export XDG_CONFIG_HOME="$dir"

nats() { go run github.com/nats-io/natscli/nats@v0.5.1 "$@"; }
nats context add by-token --server nats://127.0.0.1:1 --token secret >/dev/null 2>&1 || true
nats context add by-user --server nats://127.0.0.1:1 --user secret >/dev/null 2>&1 || true

grep -q '"token": "secret"' "$dir/nats/context/by-user.json"
if grep -q '"token": ""' "$dir/nats/context/by-token.json"; then
	echo "--token is not kept"
else
	echo "--token is kept: this finding is over"
	exit 1
fi
