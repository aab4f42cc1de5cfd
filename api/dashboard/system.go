package dashboard

import (
	"slices"
)

type policies struct {
	Policies []policy `json:"policies"`
	AsOf     string   `json:"as_of"`
}

type policy struct {
	Policy    string   `json:"policy"`
	Version   string   `json:"version"`
	Effective string   `json:"effective"`
	Material  []string `json:"material"`
	InForce   bool     `json:"in_force"`
}

func readPolicies(a *ask) (any, error) {
	var p policies
	if a.App == "" {
		return &p, nil
	}
	if err := a.get(a.of("/policies"), nil, &p); err != nil && !isUnknown(err) {
		return nil, err
	}
	slices.Reverse(p.Policies) // the newest first
	return &p, nil
}

type system struct {
	Version     string `json:"version"`
	Store       string `json:"store"`
	Started     string `json:"started"`
	Head        string `json:"head"`
	Projections []struct {
		Name     string `json:"name"`
		Position string `json:"position"`
		Behind   uint64 `json:"behind"`
	} `json:"projections"`
	Checks []check `json:"-"`
}

func readSystem(a *ask) (any, error) {
	var s system
	if err := a.get("/v1/status", nil, &s); err != nil {
		return nil, err
	}
	ready, err := a.ready()
	s.Checks = ready.Checks
	return &s, err
}
