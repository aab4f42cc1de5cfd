package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"consentledger/cmd/consentledger/smartkey"
	"consentledger/domain"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const demoApp = "smartkey"

// prepareDemo registers the sample app and publishes its policy. Done twice it
// changes nothing.
func prepareDemo(ctx context.Context, d *dataDir) error {
	register := domain.RegisterApp{App: domain.App{
		Name: demoApp, Handler: "not named by the policy", Environment: domain.Test,
		Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"},
	}}
	if err := d.once(ctx, "register", register); err != nil {
		return err
	}
	file, err := smartkey.Files.ReadFile("policy.yaml")
	if err != nil {
		return err
	}
	p, err := readPolicy("policy.yaml", file, smartkey.Files.ReadFile)
	if err != nil {
		return err
	}
	for _, text := range p.Texts {
		if _, err := d.blobs.Put(ctx, []byte(text)); err != nil {
			return err
		}
	}
	doc, err := policydoc.Unmarshal(p.Document)
	if err != nil {
		return err
	}
	if err := d.publishVersions(ctx, doc); err != nil {
		return err
	}
	evidence, err := d.blobs.Put(ctx, []byte("Build "+tickedBuild+" showed the box ticked: see the screenshots of its test report.\n"))
	if err != nil {
		return err
	}
	return d.once(ctx, "void "+tickedBuild, domain.Say{Event: domain.BuildVoided{
		Build: tickedBuild, From: 1577836800000, To: 4102444800000, // 2020 to 2100
		Reason: "ticked-before", Evidence: domain.Hash(evidence), By: [2]string{"release-manager", "privacy-officer"},
	}})
}

// tickedBuild is a build of the sample app that ticked the box before.
const tickedBuild = "5.1.9"

// publishVersions publishes the sample policy, and before it one that did not
// yet use the list of installed apps: a material change.
func (d *dataDir) publishVersions(ctx context.Context, doc domain.Document) error {
	ref, err := d.ledger.App(ctx, demoApp)
	if err != nil {
		return err
	}
	if len(ref.Policies.Versions()) == 0 {
		if err := d.publishVersion(ctx, beforeInstalledApps(doc)); err != nil {
			return err
		}
	}
	return d.publishVersion(ctx, doc, domain.MaterialService)
}

func (d *dataDir) publishVersion(ctx context.Context, doc domain.Document, material ...string) error {
	version, err := policydoc.Hash(doc)
	if err != nil {
		return err
	}
	return d.once(ctx, "publish "+version.String(), domain.PublishPolicy{Version: version, Document: doc, Material: material})
}

func beforeInstalledApps(doc domain.Document) domain.Document {
	doc.Purposes = slices.Clone(doc.Purposes)
	for i, p := range doc.Purposes {
		doc.Purposes[i].Categories = slices.DeleteFunc(slices.Clone(p.Categories), func(c domain.CategoryID) bool { return c == "installed-apps" })
	}
	return doc
}

// once executes a command of the program's own.
func (d *dataDir) once(ctx context.Context, id string, cmd domain.Command) error {
	_, err := d.ledger.Execute(ctx, ledger.Request{
		App: demoApp, Source: "consentledger/demo", ID: id, Body: []byte(id),
		Actor: "operator", RecordedBy: "system", Command: cmd,
	})
	return err
}

// A simulation is the SmartKey app as the ledger sees it: a NATS client.
type simulation struct {
	nc    *nats.Conn
	js    jetstream.JetStream
	run   string // makes ids of this run its own
	count int
}

// simulate plays the app until ctx is done: first the three persons that the
// README names, then passers-by.
func simulate(ctx context.Context, nc *nats.Conn) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	s := &simulation{nc: nc, js: js, run: fmt.Sprint(time.Now().UnixMilli())}
	if err := s.cast(ctx); err != nil {
		return err
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := s.passerBy(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

type object = map[string]any

func event(id, kind, person string, at time.Time, data object) object {
	e := object{
		"specversion": "1.0", "id": id, "source": "smartkey/android", "type": kind, "subject": person,
		"datacontenttype": "application/json", "data": data,
	}
	if !at.IsZero() {
		e["time"] = at.UTC().Format(time.RFC3339Nano)
	}
	return e
}

var agree = object{"act": "agree-popup", "locale": "en", "details": object{"device": "Pixel 7", "ip": "203.0.113.9"}}

// cast records what the README promises of user-1, user-2 and user-3, and some
// who show a link, a minor and a mistake. The ids
// are the same in every run, so a second run changes nothing.
func (s *simulation) cast(ctx context.Context) error {
	for _, e := range []object{
		event("cast-1-notice", "notice.presented", "user-1", time.Time{}, object{"locale": "en", "kind": "general"}),
		event("cast-1", "consent.given", "user-1", time.Time{}, agree),
		event("cast-1", "consent.given", "user-1", time.Time{}, agree), // a duplicate
		event("cast-2", "consent.given", "user-2", time.Time{}, agree),
		event("cast-2-no", "consent.withdrawn", "user-2", time.Time{}, object{"purposes": []string{"personalisation"}}),
		event("cast-3", "consent.refused", "user-3", time.Time{}, object{"all": true, "act": "agree-popup", "locale": "en"}),
		event("cast-4", "consent.given", "user-4", time.Time{}, agree),
		event("cast-4-grant", "permission.granted", "user-4", time.Time{}, object{"permission": "network"}),
		event("cast-4-revoke", "permission.revoked", "user-4", time.Time{}, object{"permission": "network"}),
		// A device before login, and the account that it turns out to be of.
		event("cast-5", "consent.given", "user-5", time.Time{}, agree),
		event("cast-5-device-no", "consent.withdrawn", "device:tablet-5", time.Time{}, object{"purposes": []string{"promotion-evaluation"}}),
		event("cast-5-link", "subject.linked", "user-5", time.Time{}, object{"other": "device:tablet-5", "proof": "login"}),
		// Somebody who turns out to be a child, without a guardian.
		event("cast-6", "consent.given", "user-6", time.Time{}, agree),
		event("cast-6-age", "age.recorded", "user-6", time.Time{}, object{"band": "under-14", "basis": "declared"}),
		// A yes by a build whose yeses are void.
		event("cast-7", "consent.given", "user-7", time.Time{}, object{"act": "agree-popup", "locale": "en", "build": tickedBuild}),
	} {
		if err := s.request(ctx, e); err != nil {
			return err
		}
	}
	// Broken messages, which end on the rejected stream with their reason.
	for _, b := range [][]byte{[]byte(`{"specversion":"0.3","id":"broken-1","source":"smartkey/android","type":"consent.given","subject":"user-9","data":{}}`), []byte(`{"specversion":"1.0","id":"broken-2","source":"smartkey/android","type":"consent.given","subject":"user-9","data":{"act":"no-such-act"}}`)} {
		if err := s.publish(ctx, "consent.given", b); err != nil {
			return err
		}
	}
	return nil
}

// request records on the request road, and waits for the receipt.
func (s *simulation) request(ctx context.Context, e object) error {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	m, err := s.nc.RequestWithContext(ctx, "consent.v1."+demoApp+".record", body)
	if err != nil {
		return fmt.Errorf("simulated app: %w", err)
	}
	if code := m.Header.Get("Nats-Service-Error-Code"); code != "" {
		return fmt.Errorf("simulated app: %v was refused: %s", e["type"], m.Data)
	}
	return nil
}

// publish records on the JetStream road.
func (s *simulation) publish(ctx context.Context, kind string, body []byte) error {
	_, err := s.js.Publish(ctx, "consent.v1."+demoApp+".in."+kind, body)
	return err
}

// passerBy is one person who does something, now or some days ago while their
// phone was offline.
func (s *simulation) passerBy(ctx context.Context) error {
	s.count++
	person := fmt.Sprintf("visitor-%d", 1+rand.IntN(500))
	at := time.Now()
	if rand.IntN(5) == 0 {
		at = at.Add(-time.Duration(rand.IntN(72)) * time.Hour)
	}
	kind, data := "consent.given", agree
	switch rand.IntN(6) {
	case 0:
		kind, data = "consent.withdrawn", object{"purposes": []string{"promotion-evaluation"}}
	case 1:
		kind, data = "consent.refused", object{"all": true, "act": "agree-popup", "locale": "en"}
	case 2:
		kind, data = "permission.revoked", object{"permission": "network"}
	}
	body, err := json.Marshal(event(fmt.Sprintf("%s-%d", s.run, s.count), kind, person, at, data))
	if err != nil {
		return err
	}
	return s.publish(ctx, kind, body)
}
