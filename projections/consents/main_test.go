package consents_test

import (
	"os"
	"testing"

	"consentledger/projections/projectiontest"
)

func TestMain(m *testing.M) { os.Exit(projectiontest.Main(m, ofFiles)) }

// ofFiles are the tests that read a file of SQLite.
const ofFiles = "^TestTheViewsForSQLSayWhatTheRowsSay$"
