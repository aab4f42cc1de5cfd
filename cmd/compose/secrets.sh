#!/bin/sh
# Makes the secrets of docker-compose.yml in the directory secrets (or the one that is
# named): passwords, the key-encryption key, and a certificate authority of this
# deployment alone with the certificates of its servers. What is there already stays as it
# is: run it again whenever you like. Keep copies of "keys" apart from backups of the data;
# keep "authority.key" off the machine once all certificates are made.
#
# Nobody but you may enter the directory. The files in it are readable, since every
# container has another user; only "keys" belongs to the user of the ledger's container,
# which takes root to give it to.
set -eu
umask 077
dir=${1:-secrets}
user=65532
days=825
mkdir -p "$dir"
chmod 700 "$dir"
cd "$dir"

password() { # NAME...
	for name; do
		[ -s "$name" ] || openssl rand -hex 24 | tr -d '\n' >"$name"
	done
}

text() { # NAME TEXT
	[ -s "$1" ] || printf '%s' "$2" >"$1"
}

# certificate NAME COMMON-NAME SUBJECT-ALTERNATIVE-NAMES
certificate() {
	[ -s "$1.crt" ] && return
	openssl req -new -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$2" 2>/dev/null
	printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=%s\n' "$3" >extensions
	openssl x509 -req -in "$1.csr" -CA authority.crt -CAkey authority.key -set_serial "0x$(openssl rand -hex 16)" \
		-days $days -sha256 -extfile extensions -out "$1.crt" 2>/dev/null
	rm -f "$1.csr" extensions
}

if [ ! -s authority.crt ]; then
	openssl req -x509 -newkey rsa:2048 -nodes -keyout authority.key -out authority.crt -days 3650 -sha256 \
		-subj "/CN=consentledger deployment" -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
fi
for n in 1 2 3; do
	certificate esdb$n kurrentdb-node "DNS:esdb$n,DNS:localhost,IP:127.0.0.1,IP:172.30.241.1$n"
	certificate nats$n nats "DNS:nats$n,DNS:localhost,IP:127.0.0.1"
done
certificate ledger ledger DNS:ledger
certificate app app DNS:app # for an app on NATS; make others for others

password esdb_admin esdb_ops postgres_admin postgres_ledger postgres_reader grafana_admin
text store "esdb://admin:$(cat esdb_admin)@esdb1:2113,esdb2:2113,esdb3:2113?tlsCaFile=/run/secrets/authority"
text esdb.env "$(printf 'KURRENTDB_DEFAULT_ADMIN_PASSWORD=%s\nKURRENTDB_DEFAULT_OPS_PASSWORD=%s' "$(cat esdb_admin)" "$(cat esdb_ops)")"
text vault "postgres://ledger:$(cat postgres_ledger)@postgres:5432/consentledger?sslmode=disable"
text views "postgres://ledger:$(cat postgres_ledger)@postgres:5432/consentledger?sslmode=disable"

# The key-encryption key, in the form of the ledger's own files.
if [ ! -s keys ]; then
	lines=$(printf 'consentledger keys v1\nepoch 1 %s' "$(openssl rand -hex 32)")
	sum=$(printf '%s\n' "$lines" | openssl dgst -sha256 -r | cut -c1-16)
	printf '%s\nsum %s\n' "$lines" "$sum" >keys
fi

find . -type f -user "$(id -u)" ! -name keys ! -name authority.key -exec chmod 444 {} +
find . -type f -user "$(id -u)" '(' -name keys -o -name authority.key ')' -exec chmod 400 {} +
if [ "$(id -u)" = 0 ]; then
	chown $user:$user keys
elif [ -O keys ]; then
	echo "give the key file to the ledger's container: sudo chown $user:$user $dir/keys" >&2
fi
