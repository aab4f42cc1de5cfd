package demo

import (
	"context"
	"fmt"
	"time"

	"consentledger/api/nats/subject"

	"github.com/nats-io/nats.go/jetstream"
)

type Object = map[string]any

func Event(id, kind, person string, at time.Time, data Object) Object {
	e := Object{
		"specversion": "1.0", "id": id, "source": "smartkey/android", "type": kind, "subject": person,
		"datacontenttype": "application/json", "data": data,
	}
	if !at.IsZero() {
		e["time"] = at.UTC().Format(time.RFC3339Nano)
	}
	return e
}

var agree = Object{"act": "agree-popup", "locale": "en", "details": Object{"device": "Pixel 7", "ip": "203.0.113.9"}}

// cast records what the README shows of user-1, user-2 and user-3, and some
// who show a link, a minor and a mistake. The ids
// are the same in every run, so a second run changes nothing.
func (s *Simulation) cast(ctx context.Context) error {
	for _, e := range []Object{
		Event("cast-1-notice", "notice.presented", "user-1", time.Time{}, Object{"locale": "en", "kind": "general"}),
		Event("cast-1", "consent.given", "user-1", time.Time{}, agree),
		Event("cast-1", "consent.given", "user-1", time.Time{}, agree), // a duplicate
		Event("cast-2", "consent.given", "user-2", time.Time{}, agree),
		Event("cast-2-no", "consent.withdrawn", "user-2", time.Time{}, Object{"purposes": []string{"personalisation"}}),
		Event("cast-3", "consent.refused", "user-3", time.Time{},
			Object{"all": true, "act": "agree-popup", "locale": "en"}),
		Event("cast-4", "consent.given", "user-4", time.Time{}, agree),
		Event("cast-4-grant", "permission.granted", "user-4", time.Time{}, Object{"permission": "network"}),
		Event("cast-4-revoke", "permission.revoked", "user-4", time.Time{}, Object{"permission": "network"}),
		// A device before login, and the account that it turns out to be of.
		Event("cast-5", "consent.given", "user-5", time.Time{}, agree),
		Event("cast-5-device-no", "consent.withdrawn", "device:tablet-5", time.Time{},
			Object{"purposes": []string{"promotion-evaluation"}}),
		Event("cast-5-link", "subject.linked", "user-5", time.Time{},
			Object{"other": "device:tablet-5", "proof": "login"}),
		// Somebody who turns out to be a child, without a guardian.
		Event("cast-6", "consent.given", "user-6", time.Time{}, agree),
		Event("cast-6-age", "age.recorded", "user-6", time.Time{}, Object{"band": "under-14", "basis": "declared"}),
		// A grant by a build whose grants are void.
		Event("cast-7", "consent.given", "user-7", time.Time{},
			Object{"act": "agree-popup", "locale": "en", "build": tickedBuild}),
		// A question that was asked just now, by the road of apps.
		Event("cast-8-question", "request.received", "user-8", time.Time{},
			Object{"types": []string{"question"}, "channel": "feedback", "text": "Which of my data do you keep?"}),
	} {
		if err := s.Request(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// broken are messages that end on the rejected stream with their reason.
var broken = []string{
	`{"specversion":"0.3","id":"broken-1","source":"smartkey/android","type":"consent.given","subject":"user-9","data":{}}`,
	`{"specversion":"1.0","id":"broken-2","source":"smartkey/android","type":"consent.given","subject":"user-9","data":{"act":"no-such-act"}}`,
}

// stumble sends the broken messages, unless some were rejected already: they
// are kept for 30 days. The ids bridge a start right after a start, before the
// first were looked at.
func (s *Simulation) stumble(ctx context.Context) error {
	before, err := s.rejected(ctx)
	if err != nil || before {
		return err
	}
	for i, b := range broken {
		if _, err := s.js.Publish(ctx, subject.Of(App, subject.In+"consent.given"), []byte(b),
			jetstream.WithMsgID(fmt.Sprint("broken-", i+1))); err != nil {
			return err
		}
	}
	return nil
}
