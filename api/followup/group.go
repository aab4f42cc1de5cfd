package followup

import (
	"context"
	"errors"
	"slices"

	"consentledger/api/wire/parse"
	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
)

// patience is how long whoever took in an event for a group of apps has to tell
// all of them: until then nothing personal is opened for it.
const patience = deadline.Hour / 60

// learnGroup lets the other apps be told what was said to a group, unless it is
// recorded that they were. The apps are those that the log has in the group
// before the fact: to one that joins later nobody has said it.
func (r *Process) learnGroup(e codec.Entry) {
	switch x := e.Event.(type) {
	case domain.Noted:
		if x.Kind == catalog.GroupTold && e.RecordedBy == ident.Ledger {
			r.waiting.remove(groupKey(recordOf(x)))
		}
	case domain.RequestReceived:
		if x.Cause != (ident.EventID{}) {
			r.waiting.remove(groupKey(eventstore.EventID(x.Cause).String())) // the withdrawal beside the request
		}
	}

	group := r.groups[e.Stream.App]
	if _, has := e.Part(ledger.GroupRole); group == "" || !has {
		return
	}

	var apps []ident.AppName
	for app, of := range r.groups {
		if of == group {
			apps = append(apps, app)
		}
	}

	slices.Sort(apps)
	r.tellLater(e, apps)
}

// tellLater lets apps be told what was said to their group, once those who were to
// tell them had their time.
func (r *Process) tellLater(e codec.Entry, apps []ident.AppName) {
	r.waiting.put(groupKey(e.ID.String()), e.Recorded.Add(patience), telling{e, apps})
}

// A telling is what apps are to be told that was said to their group.
type telling struct {
	fact codec.Entry
	apps []ident.AppName
}

func (t telling) on() ident.StreamID { return t.fact.Stream }

func (t telling) do(ctx context.Context, r *Process, _ deadline.Instant) error {
	return r.tellGroup(ctx, t.fact, t.apps)
}

// Untold is what was said to a group, and the apps that are to hear it.
type untold struct {
	record recordPlace
	apps   []ident.AppName
}

func recordOf(x domain.Noted) string { return x.Field("record") }

func groupKey(record string) string { return "group told of " + record }

// tellGroup asks every app what the first was asked, in the same words and by
// the same id: who was told answers as before. What the source did not date
// happened when the first app took it. Of who was erased since there is nothing
// left to tell.
func (r *Process) tellGroup(ctx context.Context, e codec.Entry, apps []ident.AppName) error {
	text, ok, err := r.saidToGroup(ctx, e)
	if err != nil || !ok {
		return err
	}

	said, err := parse.KeptGroupEvent(text)
	if err != nil {
		return err
	}

	req, err := said.Request()
	if err != nil {
		return err
	}
	if req.Group = nil; req.At == 0 {
		req.At = e.At
	}

	for _, app := range apps {
		req.App = app
		_, err := r.Ledger.Execute(ctx, req)
		if refusal, no := errors.AsType[refusal.Refusal](err); no {
			r.log().Info("an app of a group refused what was said to the group", "app", app, "code", refusal.Code)
		} else if err != nil {
			return err
		}
	}

	_, err = r.Ledger.Execute(ctx, ledger.ToldGroup(e.Stream.App, said.Group, e.ID))
	return err
}

// saidToGroup opens what was said to a group, if that is sealed beside the record. That it is opened is
// recorded once, whoever does it.
func (r *Process) saidToGroup(ctx context.Context, e codec.Entry) (domain.Personal, bool, error) {
	part, has := e.Part(ledger.GroupRole)
	if !has {
		return "", false, nil
	}
	opened, err := r.Ledger.Access(ctx, ledger.Access{
		App: e.Stream.App, ID: "group event of " + e.ID.String(), Actor: string(ident.System), RecordedBy: "react",
		DataAccessed: domain.DataAccessed{
			Kind:    domain.AccessReaction,
			Subject: part.Ref,
			Events:  []ident.EventID{ident.EventID(e.ID)},
			Roles:   []string{ledger.GroupRole},
			Records: 1,
			Parts:   1,
			Reason:  "group-event",
		},
	})
	if err != nil {
		return "", false, err
	}
	return opened.Reveal(ctx, e, ledger.GroupRole)
}
