// Package demo is the sample app: what it has published, what happened to it in the weeks
// before the first start, and a simulation of its users.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"consentledger/api/nats/subject"
	"consentledger/cmd/consentledger/smartkey"
	"consentledger/cmd/internal/publication"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/policy"
	"consentledger/eventstore/blobs"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const App = "smartkey"

// A Stage is where the demo's commands are executed.
type Stage struct {
	Ledger *ledger.Ledger
	Blobs  *blobs.Blobs
}

// Prepare registers the sample app and publishes its policies. Done twice
// it changes nothing.
func (s Stage) Prepare(ctx context.Context) error {
	register := domain.RegisterApp{App: domain.App{
		Name: App, Handler: "not named by the policy", Environment: domain.Test,
		Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"},
	}}
	if err := s.Once(ctx, "register", register); err != nil {
		return err
	}

	doc, err := s.document(ctx, "policy.yaml")
	if err != nil {
		return err
	}
	if err := s.publishVersions(ctx, doc); err != nil {
		return err
	}

	evidence, err := s.Blobs.Put(ctx,
		[]byte("Build "+tickedBuild+" showed the box ticked: see the screenshots of its test report.\n"))
	if err != nil {
		return err
	}

	return s.Once(ctx, "void "+tickedBuild, domain.Say{Event: domain.BuildVoided{
		Build: tickedBuild, From: 1577836800000, To: 4102444800000, // 2020 to 2100
		Reason: "ticked-before", Evidence: content.Hash(evidence), By: [2]string{"release-manager", "privacy-officer"},
	}})
}

// document reads a shipped policy and keeps its texts.
func (s Stage) document(ctx context.Context, name string) (policy.Document, error) {
	file, err := smartkey.Files.ReadFile(name)
	if err != nil {
		return policy.Document{}, err
	}

	p, err := publication.Read(name, file, smartkey.Files.ReadFile)
	if err != nil {
		return policy.Document{}, err
	}

	for _, text := range p.Texts {
		if _, err := s.Blobs.Put(ctx, []byte(text)); err != nil {
			return policy.Document{}, err
		}
	}
	return policydoc.Unmarshal(p.Document)
}

// tickedBuild is a build of the sample app that ticked the box before.
const tickedBuild = "5.1.9"

// publishVersions publishes the sample policy, and before it one that did not
// yet use the list of installed apps: a material change.
func (s Stage) publishVersions(ctx context.Context, doc policy.Document) error {
	ref, err := s.Ledger.App(ctx, App)
	if err != nil {
		return err
	}
	if len(ref.Policies.Versions()) == 0 {
		if err := s.publishVersion(ctx, beforeInstalledApps(doc)); err != nil {
			return err
		}
	}
	return s.publishVersion(ctx, doc, policy.MaterialService)
}

func (s Stage) publishVersion(ctx context.Context, doc policy.Document, material ...string) error {
	canonical, err := policydoc.Marshal(doc)
	if err != nil {
		return err
	}
	version, err := policydoc.Hash(doc)
	if err != nil {
		return err
	}

	// Also where the version was published before: a directory of an older
	// program lacks the document.
	if _, err := s.Blobs.Put(ctx, canonical); err != nil {
		return err
	}
	return s.Once(ctx, "publish "+version.String(),
		domain.PublishPolicy{Version: version, Document: doc, Material: material})
}

func beforeInstalledApps(doc policy.Document) policy.Document {
	doc.Purposes = slices.Clone(doc.Purposes)
	for i, p := range doc.Purposes {
		doc.Purposes[i].Categories = slices.DeleteFunc(slices.Clone(p.Categories),
			func(c policy.CategoryID) bool { return c == "installed-apps" })
	}
	return doc
}

// Once executes a command of the program's own.
func (s Stage) Once(ctx context.Context, id string, cmd domain.Command) error {
	_, err := s.Ledger.Execute(ctx, ledger.Request{
		App: App, Source: "consentledger/demo", ID: id, Body: []byte(id),
		Actor: "operator", RecordedBy: "system", Command: cmd,
	})
	return err
}

// A Simulation is the SmartKey app as the ledger sees it: a NATS client.
type Simulation struct {
	Conn     *nats.Conn
	js       jetstream.JetStream
	Log      *slog.Logger
	rejected func(context.Context) (bool, error) // whether any message was rejected before
	run      string                              // makes ids of this run its own
	count    int
}

// Simulate plays the app until ctx is done: first the three persons that the
// README names, then passers-by.
func Simulate(
	ctx context.Context, nc *nats.Conn, log *slog.Logger, rejected func(context.Context) (bool, error),
) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	s := &Simulation{Conn: nc, js: js, Log: log, rejected: rejected, run: fmt.Sprint(time.Now().UnixMilli())}
	for _, act := range []func(context.Context) error{s.cast, s.stumble} {
		if err := s.Insist(ctx, act); err != nil {
			return err
		}
	}

	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := s.passerBy(ctx); err != nil && ctx.Err() == nil {
				s.Log.Warn("the simulated app could not publish, and goes on", "err", err)
			}
		}
	}
}

// Insist does what the README shows until it is done: a stream that somebody
// deleted, or a server that starts again, is no reason to end the ledger. What the
// ledger refuses is an error: it would be refused again.
func (s *Simulation) Insist(ctx context.Context, act func(context.Context) error) error {
	for {
		err := act(ctx)
		if _, refused := errors.AsType[RefusedError](err); err == nil || refused {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}

		s.Log.Warn("the simulated app could not publish, and tries again", "err", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// A RefusedError says that the ledger did not take what the simulated app said.
type RefusedError struct {
	kind any
	body []byte
}

func (e RefusedError) Error() string {
	return fmt.Sprintf("simulated app: %v was refused: %s", e.kind, e.body)
}

// Request records on the request road, and waits for the receipt.
func (s *Simulation) Request(ctx context.Context, e Object) error {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	m, err := s.Conn.RequestWithContext(ctx, subject.Of(App, "record"), body)
	if err != nil {
		return fmt.Errorf("simulated app: %w", err)
	}

	switch code := m.Header.Get("Nats-Service-Error-Code"); {
	case code == "":
		return nil
	case strings.HasPrefix(code, "4"):
		return RefusedError{e["type"], m.Data}
	default:
		return fmt.Errorf("simulated app: %v was not recorded: %s", e["type"], m.Data)
	}
}

// publish records on the JetStream road.
func (s *Simulation) publish(ctx context.Context, kind string, body []byte) error {
	_, err := s.js.Publish(ctx, subject.Of(App, subject.In+kind), body)
	return err
}

// passerBy is one person who does something, now or some days ago while their
// phone was offline.
func (s *Simulation) passerBy(ctx context.Context) error {
	s.count++
	person := fmt.Sprintf("visitor-%d", 1+rand.IntN(500))
	at := time.Now()
	if rand.IntN(5) == 0 {
		at = at.Add(-time.Duration(rand.IntN(72)) * time.Hour)
	}

	kind, data := "consent.given", agree
	switch rand.IntN(6) {
	case 0:
		kind, data = "consent.withdrawn", Object{"purposes": []string{"promotion-evaluation"}}
	case 1:
		kind, data = "consent.refused", Object{"all": true, "act": "agree-popup", "locale": "en"}
	case 2:
		kind, data = "permission.revoked", Object{"permission": "network"}
	}

	body, err := json.Marshal(Event(fmt.Sprintf("%s-%d", s.run, s.count), kind, person, at, data))
	if err != nil {
		return err
	}
	return s.publish(ctx, kind, body)
}
