package migrate

import (
	"testing"

	"consentledger/cmd/internal/server"
)

// A ledger with keys and principals can be migrated: its rows are known.
func TestRowsOfAccessAreKnownToMigrate(t *testing.T) {
	for key, want := range map[string]string{
		"access/1/key/abcdefghijkl": copiedPart, "access-pseudonyms/1": copiedPart, "access-tokens/1": otherForm,
		"access-sessions/1/session/x/is": madeAnew, "access-roles/1": copiedPart, "access-seen/1/p-x": copiedPart,
		"erasing/1/shop/job/x": copiedPart, "lapse/1/at": madeAnew, "access-trail/1/newest": copiedPart,
	} {
		if k, err := KindOfRow([]byte(key)); err != nil || k.does != want {
			t.Errorf("%s: %v %v", key, k, err)
		}
	}
}

// A backup has what a migration copies. What else it leaves out is here, with the reason.
func TestRowsOfABackupAreThoseOfAMigration(t *testing.T) {
	without := map[string]string{
		"n/":       "it is true of one NATS server alone",
		"webhook/": "one that was removed since would be back",
		"access/":  "one that was revoked since would be good again",

		"access-seen/":  "they may have left a group since",
		"erasing/":      "one that was cancelled since would go on",
		"access-trail/": "it is kept for 90 days, and a backup for longer",
	}
	for _, k := range rowKinds {
		_, left := without[k.Prefix]
		if got, want := server.InBackup([]byte(k.Prefix)), k.does == copiedPart && !left; got != want {
			t.Errorf("%s (%s): in a backup %t, want %t", k.Prefix, k.what, got, want)
		}
	}
}
