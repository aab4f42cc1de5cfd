package consents

import (
	"fmt"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/policy"
	"consentledger/projections/readmodel"
)

// terms are what was agreed to, and how: what many consents have in common. They
// are numbered as they come, from 1.
type terms struct {
	policy  string
	version content.Hash
	act     policy.ActID
	alone   bool  // the grant was to one purpose alone, and of a kind that is a separate consent
	rules   uint8 // by which it folds
}

func termsOf(s *domain.Standing) terms {
	return terms{s.Policy, s.Version, s.Act, s.Alone, s.Rules}
}

// agree numbers the terms of a grant. They are written with the first grant to them,
// whether it comes to count or not, so that numbers do not depend on batches.
func (b *batch) agree(x domain.ConsentGiven, rules uint8) error {
	t := terms{x.Policy, x.Version, x.Act, x.Alone(), rules}
	if _, known := b.view.terms[t]; known {
		return nil
	}
	n := int64(len(b.view.terms))
	b.view.terms[t] = n
	_, err := b.tx.Exec("INSERT INTO terms VALUES (?, ?, ?, ?, ?, ?)", n, t.policy, versionText(t.version),
		string(t.act), t.alone, int64(t.rules))
	return err
}

// numberOf returns the number of the terms that a standing rests on; 0: on none.
func (v *View) numberOf(s *domain.Standing) (int64, error) {
	n, known := v.terms[termsOf(s)]
	if !known {
		return 0, fmt.Errorf("nobody agreed to the policy %q, version %s, by %q", s.Policy, s.Version, s.Act)
	}
	return n, nil
}

func (v *View) loadTerms(tx *readmodel.Tx) error {
	v.terms = map[terms]int64{}
	return tx.Each("SELECT number, policy, version, act, alone, rules FROM terms", nil,
		func(scan func(...any) error) error {
			var n int64
			var t terms
			var version string
			err := scan(&n, &t.policy, &version, &t.act, &t.alone, &t.rules)
			if err == nil && version != "" {
				t.version, err = content.ParseHash(version)
			}
			v.terms[t] = n
			return err
		})
}

func versionText(h content.Hash) string {
	if h == (content.Hash{}) {
		return ""
	}
	return h.String()
}
