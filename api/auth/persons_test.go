package auth

import (
	"testing"

	"consentledger/api/wire/parse"
	"consentledger/domain/deadline"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json"
)

// ofItsOwn are the types of event that are proposed as themselves, and not as an operator's event.
var ofItsOwn = map[string]bool{"erasure.ordered": true, "proof.disclosed": true, "destruction.ordered": true}

// Whatever type of event may be asked two persons for is one that the ledger knows by its
// command: what is asked for and not held would be worse than an error.
func TestTheLedgerKnowsEveryTypeThatMayTakeTwo(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range parse.Examples(deadline.Instant(1_800_000_000_000)) {
		if !parse.IsOperators(e.Type) {
			continue
		}
		event, err := json.Marshal(e.Event)
		if err != nil {
			t.Fatal(err)
		}
		r, err := parse.OperatorEvent("smartkey", event)
		if err != nil {
			t.Fatalf("%s: %v", e.Type, err)
		}
		if kind := ledger.KindOfCommand(r.Command); kind != e.Type {
			t.Errorf("%s is known as %q", e.Type, kind)
		}
		seen[e.Type] = true
	}
	for _, row := range Operations {
		for _, kind := range row.Events {
			if !seen[kind] && !ofItsOwn[kind] {
				t.Errorf("%s of the operation %s is no operators' type of event", kind, row.Operation)
			}
		}
	}
}
