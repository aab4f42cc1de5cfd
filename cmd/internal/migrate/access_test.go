package migrate

import "testing"

// A ledger with keys and principals can be migrated: its rows are known.
func TestRowsOfAccessAreKnownToMigrate(t *testing.T) {
	for key, want := range map[string]string{
		"access/1/key/abcdefghijkl": madeAnew, "access-pseudonyms/1": copiedPart, "access-tokens/1": madeAnew,
	} {
		if k, err := KindOfRow([]byte(key)); err != nil || k.does != want {
			t.Errorf("%s: %v %v", key, k, err)
		}
	}
}
