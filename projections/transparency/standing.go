package transparency

import (
	"time"

	"consentledger/domain/ident"
	"consentledger/projections/transparency/merkle"
)

// A Standing is what can be said of an app's newest signed checkpoint.
type Standing struct {
	App  ident.AppName
	Size int64 // records that the checkpoint covers
	Root merkle.Hash

	// Whether this process has read every one of these records from the store and derived the root
	// of them. What an earlier process left is not verified before [Log.Check] is done with it.
	Verified bool
	At       time.Time // when this process had verified it; zero: it has not
}

// Standings returns the standing of every log that has a checkpoint, by the apps' names, and
// the fault that was found; nil: none was. Of the log of a fault nothing is verified.
func (l *Log) Standings() ([]Standing, *FaultError) {
	fault := l.fault.Load()
	var all []Standing
	for _, app := range l.Logged() {
		t, p, err := l.open(app)
		if err != nil || p.Size == 0 {
			continue // its tree is being built, or it has no record yet
		}

		s := Standing{App: app, Size: p.Size, Root: p.Root}
		if !t.unchecked.Load() && (fault == nil || fault.App != app) {
			s.Verified, s.At = true, p.at
			if checked := time.UnixMilli(t.verified.Load()); checked.After(s.At) {
				s.At = checked // it was signed before the check was done
			}
		}
		all = append(all, s)
	}
	return all, fault
}
