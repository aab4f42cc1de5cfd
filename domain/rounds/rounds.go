// Package rounds says how often a test tries what it tries at random. A test that runs
// with all others tries it a few times: enough to fail when the code is wrong for most
// inputs. Rare faults are hunted at home, with CONSENTLEDGER_ROUNDS=1000.
package rounds

import (
	"os"
	"strconv"
	"testing"
)

// Variable is the name of the environment variable that says how often.
const Variable = "CONSENTLEDGER_ROUNDS"

// Of returns how often t tries it: usually so often, or as often as [Variable] says.
func Of(t testing.TB, usually int) int {
	t.Helper()
	text := os.Getenv(Variable)
	if text == "" {
		return usually
	}

	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s: want a number of rounds, at least 1", Variable, text)
	}
	return n
}
