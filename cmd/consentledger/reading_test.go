package main

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
	"consentledger/eventstore/codec"

	"github.com/spf13/cobra"
)

// TestAReadingIsReportedWhileItLasts looks at the report between two entries.
func TestAReadingIsReportedWhileItLasts(t *testing.T) {
	var all readings
	x, end := all.begin("a question")
	other, endOther := all.begin("another")
	log := noted(x, func(yield func(codec.Entry, error) bool) {
		_ = yield(codec.Entry{Position: 7}, nil) && yield(codec.Entry{}, errors.New("the end"))
	}, positionOf)
	seen := 0
	for _, err := range log {
		list := all.report()
		if len(list) != 2 || list[0].What != "a question" || list[0].Position != "7" || list[0].Started == "" || list[1].Position != "0" {
			t.Errorf("after %v: %+v", err, list)
		}
		seen++
	}
	if seen != 2 {
		t.Errorf("%d steps", seen)
	}
	end()
	if list := all.report(); len(list) != 1 || list[0].What != other.what {
		t.Errorf("once it is over: %+v", list)
	}
	if endOther(); all.report() != nil {
		t.Error("nothing is read, and something is reported")
	}
}

// TestACommandThatWaitsSaysHowFarTheServerIs waits until it has said so twice.
func TestACommandThatWaitsSaysHowFarTheServerIs(t *testing.T) {
	defer func(was time.Duration) { sayEvery = was }(sayEvery)
	sayEvery = time.Millisecond
	asked := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		status := rest.StatusReport{Head: "9", Reading: []rest.Reading{{What: "other", Position: "1"}, {What: readingAudit, Position: "4"}}}
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
	err := waiting(c, readingAudit, func() error {
		for range 3 {
			<-asked
		}
		return failed
	})
	line := fmt.Sprintf("%s: the log is read up to position 4 of 9\n", readingAudit)
	if !errors.Is(err, failed) || !strings.HasPrefix(said.String(), line+line) {
		t.Errorf("%v, said %q", err, said.String())
	}
}
