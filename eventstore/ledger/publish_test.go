package ledger_test

import (
	"crypto/sha256"
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/eventstore/blobs"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"
)

// TestAPolicyIsPublishedOnceItIsKept: whichever way a publication takes, its document
// and its texts are there first.
func TestAPolicyIsPublishedOnceItIsKept(t *testing.T) {
	w := newWorld()
	kept := blobs.New(new(memory.Rows))
	v, err := vault.Open(t.Context(), w.rows, w.keys)
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), ledger.Config{Store: w.store, Vault: v, Blobs: kept, Now: func() deadline.Instant { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	text := []byte("We show ads.")
	d := document
	d.Texts = []policy.Text{{Locale: "en", Hash: sha256.Sum256(text), Force: policy.Sample}}
	canonical, err := policydoc.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	must(t, l, requestOf("a", domain.RegisterApp{App: domain.App{Name: "demo", Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"}}}))
	publish := requestOf("p", domain.PublishPolicy{Version: sha256.Sum256(canonical), Document: d})

	for _, tt := range []struct {
		name, path string
		keep       []byte
	}{
		{"neither is kept", "document", text},
		{"the document is not kept", "document", canonical},
	} {
		_, err := l.Execute(t.Context(), publish)
		if r, refused := err.(refusal.Refusal); !refused || r.Code != refusal.UnknownText || r.Path != tt.path {
			t.Errorf("%s: %v, want a refusal at %s", tt.name, err, tt.path)
		}
		if _, err := kept.Put(t.Context(), tt.keep); err != nil {
			t.Fatal(err)
		}
	}
	must(t, l, publish)

	// A text that is not kept is found too.
	d.Texts = append(d.Texts, policy.Text{Locale: "zh", Hash: content.Hash{7}, Force: policy.Sample})
	if canonical, err = policydoc.Marshal(d); err != nil {
		t.Fatal(err)
	}
	if _, err := kept.Put(t.Context(), canonical); err != nil {
		t.Fatal(err)
	}
	_, err = l.Execute(t.Context(), requestOf("p2", domain.PublishPolicy{Version: sha256.Sum256(canonical), Document: d, Material: []string{policy.MaterialService}}))
	if r, refused := err.(refusal.Refusal); !refused || r.Path != "document.texts" {
		t.Errorf("a text that is not kept: %v", err)
	}
}
