package query

import (
	"context"
	"fmt"
	"testing"
	"time"

	"consentledger/api/smartkeytest"
	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"
)

// A counter counts how a state was asked for.
type counter struct {
	*ledger.Ledger
	cached, fresh int
}

func (c *counter) State(ctx context.Context, app ident.AppName, who ident.PersonKey, asOf ledger.AsOf) (ledger.State, error) {
	if asOf.Cached {
		c.cached++
	} else {
		c.fresh++
	}
	return c.Ledger.State(ctx, app, who, asOf)
}

// Of two processes on one store one takes a no: the other's next answer is no, although
// it remembers a yes. A no is answered from memory.
func TestACheckKnowsWhatAnotherProcessTook(t *testing.T) {
	v, err := vault.Open(t.Context(), new(memory.Rows), vault.NewMemoryKeys())
	if err != nil {
		t.Fatal(err)
	}
	c := ledger.Config{Store: new(memory.Store), Vault: v, Now: func() deadline.Instant { return deadline.At(time.Now()) }, Shared: true}
	var process [2]*counter
	for i := range process {
		l, err := ledger.Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		process[i] = &counter{Ledger: l}
	}
	ask := wire.CheckRequest{Subject: "ada", Purpose: "personalisation"}
	check := func(i int) wire.CheckAnswer {
		a, err := Check(t.Context(), process[i], "smartkey", ask, "test", deadline.At(time.Now().Add(time.Second)))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	say := func(id, kind, data string) {
		event := fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"app","type":%q,"subject":"ada","data":%s}`, id, kind, data)
		req, err := parse.Event("smartkey", []byte(event))
		if err == nil {
			_, err = process[0].Execute(t.Context(), req)
		}
		if err != nil {
			t.Fatal(err)
		}
	}

	smartkeytest.Furnish(t, process[0].Ledger, smartkeytest.Policy(t))
	say("1", "consent.given", `{"act":"agree-popup","locale":"en"}`)
	if a := check(1); !a.Allowed {
		t.Fatalf("after a yes: %+v", a)
	}
	say("2", "consent.withdrawn", `{"all":true}`)
	if a := check(1); a.Allowed || a.Status != "withdrawn" {
		t.Errorf("after a no that the other process took: %+v", a)
	}

	before := process[1].fresh
	if a := check(1); a.Allowed || process[1].fresh != before || process[1].cached == 0 {
		t.Errorf("once it is known: %+v, %d questions behind a barrier", a, process[1].fresh-before)
	}
	ask.Purpose = "no-such-purpose"
	if a, err := Check(t.Context(), process[1], "nobody", ask, "test", deadline.At(time.Now())); err == nil || a.Allowed {
		t.Errorf("of an app that nobody registered: %+v, %v", a, err)
	}
}
