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
	Build    string             `json:"b,omitzero"`
	Strength domain.ConsentKind `json:"t,omitzero"`
	Guardian domain.GuardianRef `json:"g,omitzero"`
	Once     bool               `json:"e,omitzero"`
	Evidence domain.Quality     `json:"q,omitzero"`
	Band     domain.AgeBand     `json:"y,omitzero"`
	Other    string             `json:"x,omitzero"`
	Added    []domain.PurposeID `json:"w,omitempty"` // of a refusal, of what its version added
	Ends     []endV1            `json:"z,omitempty"`
	Assents  []domain.PurposeID `json:"m,omitempty"` // those of a yes that do not count by themselves because of the person's age
}

type endV1 struct {
	Purpose domain.PurposeID `json:"p"`
	Until   domain.Instant   `json:"u"`
}

type kind string

const (
	given     kind = "g"
	refused   kind = "r"
	withdrawn kind = "w"
	revoked   kind = "p"
	voided    kind = "v"
	used      kind = "u"
	aged      kind = "a"
	linked    kind = "l"
	unlinked  kind = "x"
	ended     kind = "e"
	marked    kind = "t"
	disputed  kind = "d"
	verified  kind = "y"
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
		f.Build, f.Strength, f.Guardian, f.Once, f.Evidence = x.Build, x.Kind, x.Guardian, x.Once, x.Evidence.Quality
		for _, item := range x.Items {
			switch item.Short {
			case "":
				f.Purposes = append(f.Purposes, item.Purpose)
			case domain.NeedsGuardian, domain.GuardianLapsed:
				f.Assents = append(f.Assents, item.Purpose)
			default:
				f.Short = append(f.Short, item.Purpose)
			}
		}
		for _, end := range x.Ends {
			f.Ends = append(f.Ends, endV1(end))
		}
	case domain.ConsentRefused:
		f.Kind, f.All, f.Purposes, f.Build = refused, x.Scope.All, x.Scope.Purposes, x.Build
		if len(x.Added) > 0 {
			f.Added, f.Version = x.Added, x.Version
		}
		f.Guardian = x.Guardian
	case domain.ConsentWithdrawn:
		f.Kind, f.All, f.Purposes, f.Build = withdrawn, x.Scope.All, x.Scope.Purposes, x.Build
		f.Guardian = x.Guardian
	case domain.PermissionRevoked:
		f.Kind, f.Purposes = revoked, x.Withdraws
		return f, len(x.Withdraws) > 0, nil
	case domain.RecordVoided:
		f.Kind, f.Records = voided, x.Records
	case domain.RecordDisputed:
		f.Kind, f.Records = disputed, x.Records
	case domain.ConsentUsed:
		f.Kind, f.Records = used, x.Consents
	case domain.AgeRecorded:
		f.Kind, f.Band = aged, x.Band
	case domain.GuardianVerified:
		f.Kind, f.Guardian = verified, x.Guardian
	case domain.SubjectLinked:
		f.Kind, f.Other = linked, x.Other
	case domain.SubjectUnlinked:
		f.Kind, f.Other = unlinked, x.Other
	case domain.SubjectReassigned, domain.SubjectClosed, domain.ErasureOrdered:
		f.Kind, f.All = ended, true
	case domain.SubjectMarkedTest:
		f.Kind = marked
	case domain.PolicyAcknowledged, domain.NoticePresented, domain.PermissionGranted, domain.PermissionDenied, domain.ConsentRequested,
		domain.ExemptionInvoked, domain.ExemptionEnded, domain.HoldPlaced, domain.HoldReleased, domain.RestrictionApplied, domain.RestrictionLifted,
		domain.GuardianEnded, domain.MinorDataFound, domain.CheckAnswered, domain.Noted, domain.DataAccessed, domain.SubjectErased,
		domain.RequestMade, domain.RequestReceived, domain.Stepped,
		domain.ObligationOpened, domain.ObligationMoved, domain.ObligationMet, domain.ObligationVoided, domain.ObligationAtRisk, domain.ObligationOverdue:
		return f, false, nil // no consent follows from them
	case domain.AppRegistered, domain.PolicyPublished, domain.PolicyEffective, domain.SignerRegistered, domain.ServiceCeased,
		domain.BuildVoided, domain.BuildDisputed, domain.SurfacePublished, domain.CalendarPublished:
		return f, false, nil // not about a person
	default:
		return f, false, fmt.Errorf("entry %d: event %T has no case in consents", e.Position, e.Event)
	}
	return f, true, nil
}

// notKept stands for why a yes does not count: no row says so.
const notKept domain.Shortfall = "not-kept"

// fact returns f as the domain folds it.
func (f factV1) fact() (domain.Fact, error) {
	out := domain.Fact{ID: f.ID, At: f.At, Recorded: f.Recorded, Source: f.Source, Sequence: f.Sequence}
	scope := domain.Scope{All: f.All, Purposes: f.Purposes}
	switch f.Kind {
	case given:
		e := domain.ConsentGiven{
			Policy: f.Policy, Version: f.Version, Act: f.Act, Until: f.Until, Build: f.Build, Kind: f.Strength,
			Guardian: f.Guardian, Once: f.Once, Evidence: domain.Evidence{Quality: f.Evidence},
		}
		for _, p := range f.Purposes {
			e.Items = append(e.Items, domain.Item{Purpose: p})
		}
		for _, p := range f.Short {
			e.Items = append(e.Items, domain.Item{Purpose: p, Short: notKept})
		}
		for _, p := range f.Assents {
			e.Items = append(e.Items, domain.Item{Purpose: p, Short: domain.NeedsGuardian})
		}
		for _, end := range f.Ends {
			e.Ends = append(e.Ends, domain.End(end))
		}
		out.Event = e
	case refused:
		out.Event = domain.ConsentRefused{Scope: scope, Build: f.Build, Version: f.Version, Added: f.Added, Guardian: f.Guardian}
	case withdrawn:
		out.Event = domain.ConsentWithdrawn{Scope: scope, Build: f.Build, Guardian: f.Guardian}
	case revoked:
		out.Event = domain.PermissionRevoked{Withdraws: f.Purposes}
	case voided:
		out.Event = domain.RecordVoided{Records: f.Records}
	case disputed:
		out.Event = domain.RecordDisputed{Records: f.Records}
	case used:
		out.Event = domain.ConsentUsed{Consents: f.Records}
	case aged:
		out.Event = domain.AgeRecorded{Band: f.Band}
	case verified:
		out.Event = domain.GuardianVerified{Guardian: f.Guardian}
	case linked:
		out.Event = domain.SubjectLinked{Other: f.Other}
	case unlinked:
		out.Event = domain.SubjectUnlinked{Other: f.Other}
	case ended:
		out.Event = domain.SubjectClosed{}
	case marked:
		out.Event = domain.SubjectMarkedTest{}
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
