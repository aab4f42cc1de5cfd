package domain

import (
	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/domain/lists"
	"consentledger/domain/surface"
)

// Surfaces is every surface of one app. The zero Surfaces is empty.
type Surfaces struct{ list []SurfacePublished }

// All returns the surfaces in the order of their publication. The slice is
// shared: do not change it.
func (s Surfaces) All() []SurfacePublished { return s.list }

// Surface returns the surface with that hash, and whether there is one.
func (s Surfaces) Surface(id content.Hash) (SurfacePublished, bool) {
	for _, p := range s.list {
		if p.ID == id {
			return p, true
		}
	}
	return SurfacePublished{}, false
}

// Evolve returns s as it is after f.
func (s Surfaces) Evolve(f Fact) Surfaces { return s.Fold(f, lists.Shared) }

// Fold is [Surfaces.Evolve] for a caller who owns as much of s as it says.
func (s Surfaces) Fold(f Fact, own lists.Own) Surfaces {
	switch e := f.Event.(type) {
	case SurfacePublished:
		return Surfaces{lists.Add(own, s.list, e)}
	}
	MustBeIdle(f.Event, ident.SurfaceNoun)
	return s
}

// Decide answers cmd with the facts it makes true. What is published already
// is no news: no facts, no error.
func (s Surfaces) Decide(cmd Command, ref Reference) ([]Event, error) {
	if err := CheckSender(ref.By, cmd); err != nil {
		return nil, err
	}

	switch cmd := cmd.(type) {
	case PublishSurface:
		if _, known := s.Surface(cmd.ID); known {
			return nil, nil
		}
		if err := ref.checkSurface(cmd.Surface); err != nil {
			return nil, err
		}
		return []Event{SurfacePublished{cmd.ID, cmd.Surface, ref.By.Principal, ref.By.Signer}}, nil
	}
	return nil, NotTaken(cmd, ident.SurfaceNoun, "a surface stream takes surface.published only")
}

// checkSurface refuses a surface that does not fit its policy.
func (ref Reference) checkSurface(s surface.Surface) error {
	v, known := ref.Policies.Version(s.Version)
	if !known {
		return s.Check(nil, ref.By)
	}
	return s.Check(&v.Document, ref.By)
}
