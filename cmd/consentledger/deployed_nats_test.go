package main

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"consentledger/api/nats/intake"

	"github.com/nats-io/nats-server/v2/server"
)

// withheld are the permissions that the cluster's ledgers do without, and why.
var withheld = map[string]string{
	"$JS.API.STREAM.DELETE.CONSENT_IN": "of Retire: a cluster that this file made never had an incoming stream of the older kind, " +
		"and nobody else may delete the stream",
}

// The ledger's user of the cluster has every permission that the ledger may need, of
// whatever list, and no other.
func TestTheNATSConfigurationHasThePermissionsOfTheLedger(t *testing.T) {
	secrets := filepath.Join(deployment(t), "secrets")
	t.Setenv("NATS_NAME", "nats1")
	file := filepath.Join(t.TempDir(), "nats.conf")
	must(t, os.WriteFile(file, []byte(readCompose(t, "nats/nats.conf",
		"/run/secrets/nats.", filepath.Join(secrets, "nats1")+".", "/run/secrets/authority", filepath.Join(secrets, "authority.crt"))), 0o600))
	options, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(options.Users, func(u *server.User) bool { return u.Username == "CN=ledger" })
	if i < 0 {
		t.Fatal("the file has no user CN=ledger")
	}
	has := options.Users[i].Permissions

	same(t, "publish to", has.Publish.Allow, ledgersSubjects(t))
	same(t, "subscribe to", has.Subscribe.Allow, intake.Permissions.Subscribe)
	if has.Response == nil || has.Response.MaxMsgs != 1 {
		t.Errorf("the ledger answers requests: %+v, want one answer each", has.Response)
	}
}

// ledgersSubjects returns what the ledger publishes to on a cluster of the deployment.
// Every list of subjects counts, also one that is added to the struct later.
func ledgersSubjects(t *testing.T) []string {
	t.Helper()
	publish := map[string]bool{}
	lists := reflect.ValueOf(intake.Permissions)
	for f, v := range lists.Fields() {
		subjects, is := v.Interface().([]string)
		if !is || f.Name == "Subscribe" {
			continue
		}
		for _, s := range subjects {
			publish[s] = true
		}
	}
	for s, why := range withheld {
		if !publish[s] {
			t.Errorf("%s is withheld (%s), and the ledger does not need it", s, why)
		}
		delete(publish, s)
	}
	return slices.Collect(maps.Keys(publish))
}

// same checks that the ledger may do what it needs, and nothing else.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	for _, s := range want {
		if !slices.Contains(got, s) {
			t.Errorf("the ledger may not %s %s", what, s)
		}
	}
	for _, s := range got {
		if !slices.Contains(want, s) {
			t.Errorf("the ledger may %s %s, which it does not need", what, s)
		}
	}
}
