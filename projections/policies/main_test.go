package policies_test

import (
	"os"
	"testing"

	"consentledger/projections/projectiontest"
)

func TestMain(m *testing.M) { os.Exit(projectiontest.Main(m, "")) }
