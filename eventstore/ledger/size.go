package ledger

import (
	"unsafe"

	"consentledger/domain"
	"consentledger/domain/cases"
	"consentledger/domain/ident"
	"consentledger/eventstore/codec/state"
)

// defaultMemory is how many bytes of folds are kept in memory. A person of a dozen
// records takes about three kilobytes.
const defaultMemory = 128 << 20

// another is what streams fold to that are not a person's.
type another struct {
	duties   cases.Duties
	service  domain.Service
	policies domain.Policies
	surfaces domain.Surfaces
	request  cases.Request
	incident cases.Incident
}

var anothers = state.New[another](state.Types{})

const (
	// the fold itself, and its place in the cache
	foldBytes = int(unsafe.Sizeof(fold{})) + 2*int(unsafe.Sizeof(ident.StreamID{})) + 64
	// of a calendar, with the years that are counted by it
	calendarBytes = 16 << 10
)

// bytes returns about how many bytes of memory a fold takes. It is counted when
// the history has grown by a share, and in between taken to grow as it did. Only
// whoever made the fold may ask, before others have it.
func (f *fold) bytes(noun ident.Noun) int {
	grown := int(f.revision - f.sized)
	if f.sized < 8 || grown > int(f.sized)/8 {
		f.size, f.sized, grown = f.count(noun), f.revision, 0
	}
	return f.size + grown*(f.size-foldBytes)/max(1, int(f.sized))
}

func (f *fold) count(noun ident.Noun) int {
	size := foldBytes
	switch noun {
	case ident.SubjectNoun, ident.AccessNoun:
		return size + snapshots.Size(f.snapshot())
	case ident.CalendarNoun:
		return size + calendarBytes*int(f.revision)
	case ident.ObligationNoun, ident.RequestNoun, ident.IncidentNoun, ident.ServiceNoun, ident.PolicyNoun,
		ident.SurfaceNoun:
	}
	o := f.others
	rest := another{f.duties, o.service, o.policies, o.surfaces, o.request, o.incident}
	return size + anothers.Size(&rest) + snapshots.Size(&snapshot{answers: f.answered})
}
