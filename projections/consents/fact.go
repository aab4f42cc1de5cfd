package consents

import (
	"fmt"

	"consentledger/domain"
	"consentledger/eventstore/codec"

	"github.com/go-json-experiment/json"
)

// saidV1 is what the fold of a person needs of an event, as it is kept in the
// table facts. The schema's hash covers no shape: whoever changes this one
// changes the schema's comment, so that the file is built again.
type saidV1 struct {
	Kind     kind               `json:"k"`
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
	Signal   bool               `json:"s,omitzero"`  // of a no: its act is a machine's signal
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

// saidIn returns what to keep of an entry's event, and false if it says nothing
// about consents of a person. An event that it has no case for is an error.
func saidIn(e *codec.Entry) (f saidV1, ok bool, err error) {
	switch x := e.Event.(type) {
	case domain.ConsentGiven:
		f.Kind, f.Policy, f.Version, f.Act, f.Until = given, x.Policy, x.Version, x.Act, x.Until
		f.Build, f.Strength, f.Guardian, f.Once, f.Evidence = x.Build, x.Kind, x.Guardian, x.Once, x.Evidence.Quality
		for _, item := range x.Items {
			switch item.Short {
			case "":
				if f.Purposes == nil { // nearly always all of them count
					f.Purposes = make([]domain.PurposeID, 0, len(x.Items))
				}
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
		if x.Signal {
			f.Act, f.Signal = x.Act, true
		}
	case domain.ConsentWithdrawn:
		f.Kind, f.All, f.Purposes, f.Build = withdrawn, x.Scope.All, x.Scope.Purposes, x.Build
		f.Guardian = x.Guardian
		if x.Signal {
			f.Act, f.Signal = x.Act, true
		}
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
	case domain.SubjectReassigned, domain.SubjectClosed:
		f.Kind, f.All = ended, true
	case domain.ErasureOrdered:
		f.Kind, f.All = withdrawn, true // which crosses links, as it does in the ledger
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

// event returns f as the domain folds it.
func (f *saidV1) event() (domain.Event, error) {
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
		return e, nil
	case refused:
		return domain.ConsentRefused{Scope: scope, Build: f.Build, Version: f.Version, Added: f.Added, Guardian: f.Guardian, Act: f.Act, Signal: f.Signal}, nil
	case withdrawn:
		return domain.ConsentWithdrawn{Scope: scope, Build: f.Build, Guardian: f.Guardian, Act: f.Act, Signal: f.Signal}, nil
	case revoked:
		return domain.PermissionRevoked{Withdraws: f.Purposes}, nil
	case voided:
		return domain.RecordVoided{Records: f.Records}, nil
	case disputed:
		return domain.RecordDisputed{Records: f.Records}, nil
	case used:
		return domain.ConsentUsed{Consents: f.Records}, nil
	case aged:
		return domain.AgeRecorded{Band: f.Band}, nil
	case verified:
		return domain.GuardianVerified{Guardian: f.Guardian}, nil
	case linked:
		return domain.SubjectLinked{Other: f.Other}, nil
	case unlinked:
		return domain.SubjectUnlinked{Other: f.Other}, nil
	case ended:
		return domain.SubjectClosed{}, nil
	case marked:
		return domain.SubjectMarkedTest{}, nil
	default:
		return nil, fmt.Errorf("a kept fact has the unknown kind %q", f.Kind)
	}
}

// moment is when f counts, never before it was recorded. Rows are as of it.
func moment(f domain.Fact) domain.Instant {
	if _, yes := f.Event.(domain.ConsentGiven); yes {
		return max(f.At, f.Recorded)
	}
	return f.Recorded
}

// A saying is an event and the text that is kept of it.
type saying struct {
	text  string
	event domain.Event
}

// sayings are what was said, by their texts: many people say the same, and
// share it in memory. Nil sayings remember nothing.
type sayings map[string]saying

// saying returns that of a text. Said is what the text says, nil if it is to be
// read.
func (s sayings) saying(text []byte, said *saidV1) (saying, error) {
	if known, ok := s[string(text)]; ok {
		return known, nil
	}
	if said == nil {
		said = new(saidV1)
		if err := json.Unmarshal(text, said, json.RejectUnknownMembers(true)); err != nil {
			return saying{}, err
		}
	}
	e, err := said.event()
	made := saying{string(text), e}
	if err != nil || s == nil {
		return made, err
	}
	if len(s) >= 4096 { // some name what is one person's alone
		clear(s)
	}
	s[made.text] = made
	return made, nil
}
