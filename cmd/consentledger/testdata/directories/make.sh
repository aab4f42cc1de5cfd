#!/bin/sh
# Makes NAME.tar.gz and NAME.memory: see README.md.
set -eu
name=$1
here=$(pwd)
test ! -e "$name.tar.gz" || { echo "$name.tar.gz is there: take another name" >&2; exit 1; }
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
consentledger serve --data "$work/data" --http 127.0.0.1:0 --nats-listen 127.0.0.1:0 --origin old.example/consent >"$work/out" 2>"$work/err" &
server=$!
until grep -q '^  data' "$work/out"; do kill -0 "$server"; sleep 0.1; done
CONSENTLEDGER_SERVER=$(sed -n 's/^  HTTP  //p' "$work/out")
export CONSENTLEDGER_SERVER
ledger() { consentledger "$@" >"$work/last" || { echo "failed: $*" >&2; cat "$work/last" >&2; exit 1; }; }
member() { sed -n "s/.*\"$1\": \"\([^\"]*\)\".*/\1/p" "$work/last"; }
say() { kind=$1 who=$2 data=$3; shift 3; ledger record --app shop --type "$kind" --subject "$who" --data "$data" -o json "$@"; }
desk() { ledger record --operator --app shop --type "$1" --data "$2" -o json; }
hash=sha256:40529c2085aed8cc8bba5ce6c83994a217ed98daf51490f12fa8afce3cf3366d

ledger app add shop --handler 'Shop Ltd'
ledger policy publish --app shop "$here/../shop/policy.yaml" -o json
VERSION=$(member version)
sed "s/\${VERSION}/$VERSION/; s/\${TEXT}/${hash#sha256:}/" "$here/../shop/surface.yaml" >"$work/surface.yaml"
ledger surface publish --app shop "$work/surface.yaml" -o json
SURFACE=$(member id)
ledger app add smartkey --handler 'Demo Ltd'
ledger policy publish --app smartkey "$here/../../smartkey/policy.yaml"
ledger signer new "$work/backend.pem"
desk signer.registered "{\"name\":\"backend\",\"key\":\"$(cat "$work/last")\"}"

# Consents: strong and weak, refused, withdrawn, a late one, a clock from the future.
say notice.presented ada "{\"surface\":\"$SURFACE\",\"locale\":\"en\",\"read\":{\"scrolled\":true}}"
NOTICE=$(member event_id)
say consent.given ada "{\"notice\":\"$NOTICE\",\"control\":\"ok\"}" --sign "$work/backend.pem" --signer backend
say consent.given bea '{"act":"agree","details":{"device":"Pixel 7","ip":"203.0.113.9"}}'
say consent.withdrawn bea '{"purposes":["ads"]}'
say consent.refused cleo '{"all":true,"act":"agree","locale":"en"}'
say consent.given dora '{"act":"agree","import":true}' --time 2024-05-01T10:00:00Z
say consent.withdrawn dora '{"purposes":["offers"]}' --time 2099-01-01T00:00:00Z
say policy.acknowledged ada '{"locale":"en"}'

# Persons: a link, a child and a guardian, a recycled account, a test, a void.
say consent.withdrawn device:tablet '{"purposes":["offers"]}'
say subject.linked ada '{"other":"device:tablet","proof":"login"}'
say consent.given kid '{"act":"agree"}'
say age.recorded kid '{"band":"under-14","basis":"declared"}'
say guardian.verified kid "{\"guardian\":\"parent-1\",\"proof\":{\"document\":\"$hash\",\"method\":\"id-card\",\"checked_by\":\"desk\"},\"identity\":\"the mother\"}"
say consent.given eva '{"act":"agree"}'
say subject.reassigned eva '{"reason":"phone-recycled"}'
say subject.test fay '{"reason":"monitoring"}'
say consent.given gus '{"act":"agree","build":"5.1"}'
desk build.voided '{"build":"5.1","from":"2020-01-01T00:00:00Z","to":"2099-01-01T00:00:00Z","reason":"ticked-before","by":["release-manager","officer"]}'
say cookies.set ada '{"choice":"necessary-only","details":{"ticket":"a-17"}}'
say decision.made ada '{"decision":"credit","significant":"yes","purpose":"ads"}'

# The app: systems, recipients, an assessment, an officer.
desk system.added '{"system":"crm","purposes":"ads"}'
desk recipient.added '{"recipient":"acme","categories":"clicks","purposes":"ads","contact":"desk"}'
desk assessment.final "{\"assessment\":\"maps\",\"report\":\"$hash\"}"
desk headcount.recorded '{"unit":"all","counted":"2026-01-01","persons":"1200"}'

# What is owed, under the policy with deadlines: requests, an incident, a
# withdrawal, a year without a calendar, a cessation.
smart() { ledger record --app smartkey --type "$1" --subject "$2" --data "$3" -o json; }
ledger record --operator --app smartkey --type system.added --data '{"system":"crm","purposes":"personalisation"}'
smart consent.given ada '{"act":"agree-popup"}'
smart consent.withdrawn ada '{"purposes":["personalisation"]}'
smart processing.stopped ada '{"system":"crm"}'
ledger request open --app smartkey --subject ada --types access,complaint --channel feedback --text 'What do you know of me?' -o json
ID=$(member request)
ledger request identity-requested "$ID" --app smartkey --elements sms-code
ledger request identity-passed "$ID" --app smartkey --elements sms-code --checked-by desk --details 'shown at the desk'
ledger request facts-verified "$ID" --app smartkey --founded yes
ledger request answered "$ID" --app smartkey --outcome full --channel feedback --types access
ledger request open --app smartkey --subject bea --types delete --channel email --authenticated -o json
ID=$(member request)
ledger request rejected "$ID" --app smartkey --codes REJ-6 --remedies-told yes --approved-by boss --details 'It is our recipe.'
ledger incident suspected --app smartkey --kind leak --what 'a folder was public' -o json
ID=$(member incident)
ledger incident detected "$ID" --app smartkey --kind leak --what 'names were seen'
ledger incident persons-told "$ID" --app smartkey --channel push --persons 3 --situation yes --measures yes --advice yes --remedies yes
ledger record --operator --app smartkey --type crossborder.started --data '{"recipient":"desk","mechanism":"standard-contract","country":"Singapore","contract_effective":"2031-03-03"}'
ledger service decide --app smartkey --effective 2031-06-01
until consentledger obligation list --app smartkey --kind notice -o jsonl | grep -q cessation; do sleep 0.1; done
until consentledger obligation list --app smartkey --kind file -o jsonl | grep -q scc2023; do sleep 0.1; done
echo '{"off": ["2031-03-04"], "makeup": [], "adds_to": "CN"}' >"$work/invented.json"
ledger calendar publish --app smartkey "$work/invented.json"
until consentledger replay --app smartkey --type obligation.moved -o jsonl | grep -q calendar; do sleep 0.1; done
until consentledger verify log --app smartkey --key "$(consentledger log key --data "$work/data" --app smartkey)" --memory "$work/memory" >/dev/null; do sleep 0.5; done
kill -TERM "$server"
wait "$server"
cp "$work/memory" "$name.memory"
tar -C "$work/data" --exclude ./views --exclude LOCK --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -czf "$name.tar.gz" .
