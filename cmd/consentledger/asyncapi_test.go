package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"consentledger/cmd/internal/server"
)

// TestAsyncAPIDescribesWhatTheServerListensTo: the document that a running ledger shows has
// the subjects that its services and streams have, and no other; and what it tells of a
// consent comes where the document says.
func TestAsyncAPIDescribesWhatTheServerListensTo(t *testing.T) {
	t.Parallel()
	r := startWith(t, server.Config{Data: t.TempDir(), HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Telling: server.Telling{Consents: true}})
	nc, err := nats.Connect(r.nats, nats.Timeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(patience))
	if err != nil {
		t.Fatal(err)
	}

	var listens []string
	for _, service := range []string{"consentledger", "consentledger-operators"} {
		m, err := nc.Request("$SRV.INFO."+service, nil, patience)
		if err != nil {
			t.Fatal(err)
		}
		var info micro.Info
		if err := json.Unmarshal(m.Data, &info); err != nil {
			t.Fatal(err)
		}
		for _, e := range info.Endpoints {
			listens = append(listens, e.Subject)
		}
	}
	listens = append(listens, subjectsOf(t, js, "CONSENT_IN")...)
	sends := append(subjectsOf(t, js, "CONSENT_OUT"), subjectsOf(t, js, "CONSENT_CHANGES")...)

	received, sent := describedSubjects(t, r)
	slices.Sort(listens)
	if !slices.Equal(received, listens) {
		t.Errorf("described are\n%s\nthe server listens to\n%s", strings.Join(received, "\n"), strings.Join(listens, "\n"))
	}
	for _, one := range sent {
		if !slices.ContainsFunc(sends, func(s string) bool { return strings.HasPrefix(one, strings.TrimSuffix(s, ">")) }) {
			t.Errorf("no stream of %q takes %s", sends, one)
		}
	}

	// A consent that is withdrawn comes there, and the app's name stands where the document
	// has the parameter.
	if _, err := cli(t, r, "app", "add", "shop", "--handler", "Shop Ltd"); err != nil {
		t.Fatal(err)
	}
	if _, err := cli(t, r, "record", "--app", "shop", "--type", "consent.withdrawn", "--subject", "ada", "--data", `{"all":true}`); err != nil {
		t.Fatal(err)
	}
	eventually(t, `"person":"account:ada"`, func() string {
		s, err := js.Stream(t.Context(), "CONSENT_CHANGES")
		if err != nil {
			return err.Error()
		}
		m, err := s.GetLastMsgForSubject(t.Context(), "consent.v1.shop.out.consent.withdrawn")
		if err != nil {
			return err.Error()
		}
		_, rest, _ := strings.Cut(string(m.Data), `"person"`)
		value, _, _ := strings.Cut(rest, ",")
		return `"person"` + value
	})
}

// subjectsOf returns what a stream listens to, once it is made.
func subjectsOf(t *testing.T, js jetstream.JetStream, name string) (subjects []string) {
	t.Helper()
	eventually(t, "", func() string {
		s, err := js.Stream(t.Context(), name)
		if err != nil {
			return err.Error()
		}
		subjects = s.CachedInfo().Config.Subjects
		return ""
	})
	return subjects
}

// describedSubjects returns the subjects of the document, as patterns.
func describedSubjects(t *testing.T, r *running) (received, sent []string) {
	t.Helper()
	resp, err := http.Get(r.http + "/asyncapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var doc struct {
		Channels   map[string]struct{ Address *string }
		Operations map[string]struct {
			Action  string
			Channel map[string]string
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	pattern := strings.NewReplacer("{app}", "*", "{group}", "*", "{type}", ">")
	for _, o := range doc.Operations {
		subject := pattern.Replace(*doc.Channels[strings.TrimPrefix(o.Channel["$ref"], "#/channels/")].Address)
		if o.Action == "send" {
			sent = append(sent, subject)
			continue
		}
		received = append(received, subject)
	}
	slices.Sort(received)
	return received, sent
}
