package consents

import (
	"fmt"

	"consentledger/domain"
	"consentledger/eventstore/codec"

	"github.com/go-json-experiment/json"
)

// factV1 is what the fold of a person needs of a fact, as it is kept in the
// table facts. The schema's hash covers no shape: whoever changes this one
// changes the schema's comment, so that the file is built again.
type factV1 struct {
	Kind     kind               `json:"k"`
	ID       domain.EventID     `json:"i"`
	At       domain.Instant     `json:"a"`
	Recorded domain.Instant     `json:"r"`
	Source   domain.Source      `json:"s,omitzero"`
	Sequence uint64             `json:"n,omitzero"`
	Policy   string             `json:"p,omitzero"`
	Version  domain.Hash        `json:"v,omitzero"`
	Act      domain.ActID       `json:"c,omitzero"`
	Until    domain.Instant     `json:"u,omitzero"`
	All      bool               `json:"l,omitzero"`
	Purposes []domain.PurposeID `json:"o,omitempty"` // those of a yes that count; of a no, its scope
	Short    []domain.PurposeID `json:"h,omitempty"` // those of a yes that do not count
	Records  []domain.EventID   `json:"d,omitempty"`
}

type kind string

const (
	given     kind = "g"
	refused   kind = "r"
	withdrawn kind = "w"
	revoked   kind = "p"
	voided    kind = "v"
)

// factOf returns what to keep of an entry, and false if it says nothing about
// consents of a person. An event that it has no case for is an error.
func factOf(e codec.Entry) (factV1, bool, error) {
	f := factV1{
		ID: domain.EventID(e.ID), At: e.At, Recorded: e.Recorded,
		Source: domain.Source(e.Request.Source), Sequence: e.Request.Sequence,
	}
	switch x := e.Event.(type) {
	case domain.ConsentGiven:
		f.Kind, f.Policy, f.Version, f.Act, f.Until = given, x.Policy, x.Version, x.Act, x.Until
		for _, item := range x.Items {
			if item.Short == "" {
				f.Purposes = append(f.Purposes, item.Purpose)
			} else {
				f.Short = append(f.Short, item.Purpose)
			}
		}
	case domain.ConsentRefused:
		f.Kind, f.All, f.Purposes = refused, x.Scope.All, x.Scope.Purposes
	case domain.ConsentWithdrawn:
		f.Kind, f.All, f.Purposes = withdrawn, x.Scope.All, x.Scope.Purposes
	case domain.PermissionRevoked:
		f.Kind, f.Purposes = revoked, x.Withdraws
		return f, len(x.Withdraws) > 0, nil
	case domain.RecordVoided:
		f.Kind, f.Records = voided, x.Records
	case domain.PolicyAcknowledged, domain.NoticePresented, domain.PermissionGranted, domain.PermissionDenied:
		return f, false, nil // no consent follows from them
	case domain.AppRegistered, domain.PolicyPublished:
		return f, false, nil // not about a person
	default:
		return f, false, fmt.Errorf("entry %d: event %T has no case in consents", e.Position, e.Event)
	}
	return f, true, nil
}

// fact returns f as the domain folds it.
func (f factV1) fact() (domain.Fact, error) {
	out := domain.Fact{ID: f.ID, At: f.At, Recorded: f.Recorded, Source: f.Source, Sequence: f.Sequence}
	scope := domain.Scope{All: f.All, Purposes: f.Purposes}
	switch f.Kind {
	case given:
		e := domain.ConsentGiven{Policy: f.Policy, Version: f.Version, Act: f.Act, Until: f.Until}
		for _, p := range f.Purposes {
			e.Items = append(e.Items, domain.Item{Purpose: p})
		}
		out.Event = e
	case refused:
		out.Event = domain.ConsentRefused{Scope: scope}
	case withdrawn:
		out.Event = domain.ConsentWithdrawn{Scope: scope}
	case revoked:
		out.Event = domain.PermissionRevoked{Withdraws: f.Purposes}
	case voided:
		out.Event = domain.RecordVoided{Records: f.Records}
	default:
		return out, fmt.Errorf("a kept fact has the unknown kind %q", f.Kind)
	}
	return out, nil
}

// moment is when f counts, never before it was recorded. Rows are as of it.
func (f factV1) moment() domain.Instant {
	if f.Kind == given {
		return max(f.At, f.Recorded)
	}
	return f.Recorded
}

func readFact(data []byte) (f factV1, err error) {
	err = json.Unmarshal(data, &f, json.RejectUnknownMembers(true))
	return f, err
}
