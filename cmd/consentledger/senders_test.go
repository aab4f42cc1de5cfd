package main

import (
	"fmt"
	"strings"
	"testing"

	"consentledger/api/auth"
	"consentledger/api/client"
	"consentledger/api/wire/wiretest"

	"github.com/nats-io/nats.go"
)

// On NATS nobody tells who sent a message. Who shows their key in it is named in the
// record; a bad key is refused, but for an opt-out, which is taken as nobody's.
func TestAMessageIsOfWhoShowsAKeyInIt(t *testing.T) {
	t.Parallel()
	g := guard(t)
	writer, bank := g.keys[auth.Writer], g.issue("--role", "app-writer", "--app", "bank")
	reader := g.keys[auth.AppReader]
	nc := g.connect(writer)
	record := func(id, kind, data, header, key string) *nats.Msg {
		t.Helper()
		m := nats.NewMsg("consent.v1.shop.record")
		m.Data = fmt.Appendf(nil, `{"specversion":"1.0","id":%q,"source":"test","type":%q,"subject":%q,"data":%s}`, id, kind, id, data)
		if key != "" {
			m.Header.Set(header, "Bearer "+key)
		}
		answer, err := nc.RequestMsg(m, patience)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	const no, other = `{"all":true}`, `{"band":"15-17","basis":"declared"}`
	auditor := g.issue("--role", "auditor", "--all-apps", "--days", "7")
	for id, c := range map[string]struct{ kind, data, header, key, code, by string }{
		"a":       {"age.recorded", other, "Authorization", writer.Key, "", writer.Principal},
		"b":       {"consent.withdrawn", no, "authorization", writer.Key, "", writer.Principal},
		"nobody":  {"age.recorded", other, "", "", "", "unauthenticated"},
		"bad":     {"age.recorded", other, "Authorization", "clk_x", "400", ""},
		"bank":    {"age.recorded", other, "Authorization", bank.Key, "400", ""},
		"reader":  {"age.recorded", other, "Authorization", reader.Key, "400", ""},
		"token":   {"age.recorded", other, "Authorization", g.mint("shop", "token"), "400", ""},
		"bad-no":  {"consent.withdrawn", no, "Authorization", "clk_x", "", "unauthenticated"},
		"bank-no": {"consent.withdrawn", no, "Authorization", bank.Key, "", "unauthenticated"},
	} {
		m := record(id, c.kind, c.data, c.header, c.key)
		if code := m.Header.Get("Nats-Service-Error-Code"); code != c.code || c.key != "" && strings.Contains(string(m.Data), c.key) {
			t.Errorf("%s: %q %s", id, code, m.Data)
		}
		if c.by == "" {
			continue
		}
		if out, err := g.as(auditor.Key, "replay", "--app", "shop", "--subject", id); err != nil || !wiretest.Holds(out, `"recorded_by":"`+c.by+`"`) {
			t.Errorf("%s: %s %v", id, out, err)
		}
	}

	// The client library shows the key that it has.
	road := client.NATS(nc)
	road.Key = writer.Key
	shop, err := client.Open(client.Config{App: "shop", Transport: road})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shop.Record(t.Context(), client.Event{Type: "consent.withdrawn", Subject: "lib", Data: map[string]any{"all": true}}); err != nil {
		t.Error(err)
	}
	if out, err := g.as(auditor.Key, "replay", "--app", "shop", "--subject", "lib"); err != nil || !wiretest.Holds(out, `"recorded_by":"`+writer.Principal+`"`) {
		t.Errorf("%s %v", out, err)
	}

	ask := nats.NewMsg("consent.v1.shop.check")
	ask.Data = []byte(`{"subject":"a","purpose":"mail"}`)
	ask.Header.Set("Authorization", "Bearer "+bank.Key)
	if m, err := nc.RequestMsg(ask, patience); err != nil || m.Header.Get("Nats-Service-Error-Code") != "400" {
		t.Errorf("a question by the key of another app: %+v %v", m, err)
	}
}
