// Package smartkeytest gives tests a ledger in memory with the sample app SmartKey and its
// policy.
package smartkeytest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"consentledger/api/policyfile"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"
)

// Ledger returns a ledger with the sample app and its policy.
func Ledger(t testing.TB) *ledger.Ledger {
	t.Helper()
	return Open(t, Policy(t))
}

// Policy returns the sample app's policy.
func Policy(t testing.TB) policy.Document {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	dir := filepath.Join(filepath.Dir(here), "../../cmd/consentledger/smartkey") + "/"
	file, err := os.ReadFile(dir + "policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, _, err := policyfile.Parse("policy.yaml", file,
		func(path string) ([]byte, error) { return os.ReadFile(dir + path) })
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// Open returns a ledger in memory with the sample app and a policy.
func Open(t testing.TB, doc policy.Document) *ledger.Ledger {
	t.Helper()
	ctx := context.Background()
	v, err := vault.Open(ctx, new(memory.Rows), vault.NewMemoryKeys())
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(ctx, ledger.Config{Store: new(memory.Store), Vault: v,
		Now: func() deadline.Instant { return deadline.At(time.Now()) }})
	if err != nil {
		t.Fatal(err)
	}
	Furnish(t, l, doc)
	return l
}

// Furnish registers the sample app and publishes its policy.
func Furnish(t testing.TB, l *ledger.Ledger, doc policy.Document) {
	t.Helper()
	version, err := policydoc.Hash(doc)
	if err != nil {
		t.Fatal(err)
	}

	for _, cmd := range []domain.Command{
		domain.RegisterApp{App: domain.App{Name: "smartkey", Environment: domain.Test, Jurisdiction: "CN",
			TimeZone: "Asia/Shanghai", Locales: []string{"en"}}},
		domain.PublishPolicy{Version: version, Document: doc},
	} {
		r := ledger.Request{App: "smartkey", Source: "test", ID: fmt.Sprintf("%T", cmd), Body: []byte("{}"),
			Actor: "operator", RecordedBy: "test", Command: cmd}
		if _, err := l.Execute(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
}
