package remote

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"consentledger/api/rest"
	ledgerserver "consentledger/cmd/internal/server"

	"github.com/spf13/cobra"
)

// TestACommandThatWaitsSaysHowFarTheServerIs waits until it has said so twice.
func TestACommandThatWaitsSaysHowFarTheServerIs(t *testing.T) {
	defer func(was time.Duration) { sayEvery = was }(sayEvery)
	sayEvery = time.Millisecond
	asked := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		status := rest.StatusReport{Head: "9", Reading: []rest.Reading{{What: "other", Position: "1"}, {What: ledgerserver.ReadingAudit, Position: "4"}}}
		if err := json.NewEncoder(w).Encode(status); err != nil {
			t.Error(err)
		}
		select {
		case asked <- struct{}{}:
		default:
		}
	}))
	defer server.Close()
	var said bytes.Buffer
	c := &cobra.Command{}
	c.SetContext(t.Context())
	c.SetErr(&said)
	c.Flags().String("server", server.URL, "")
	c.Flags().String("key-file", "", "")
	failed := errors.New("it failed")
	err := Waiting(c, ledgerserver.ReadingAudit, func() error {
		for range 3 {
			<-asked
		}
		return failed
	})
	line := fmt.Sprintf("%s: the log is read up to position 4 of 9\n", ledgerserver.ReadingAudit)
	if !errors.Is(err, failed) || !strings.HasPrefix(said.String(), line+line) {
		t.Errorf("%v, said %q", err, said.String())
	}
}
