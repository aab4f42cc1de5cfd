package ledger

import (
	"context"
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore/vault"
)

// A NearMiss is another person of the app whose outside id is alike but for
// what is easily mistaken. It may be the same person, or somebody else: nobody
// is merged, and nothing crosses until the two are linked.
type NearMiss struct {
	Person  string // the pseudonym
	Kind    string // of the other's outside id: account or device
	Differs []vault.Difference
}

// Near returns the near misses of an outside id, of persons whose history goes on
// and who are not linked to whom the id leads to. It shows no outside id: it
// opens those of the near misses and says in what they differ.
func (l *Ledger) Near(ctx context.Context, app ident.AppName, who ident.PersonKey) ([]NearMiss, error) {
	names, err := l.vault.Near(ctx, lookup(app, who))
	if err != nil || len(names) == 0 {
		return nil, err
	}

	linked, err := l.linkedNow(ctx, app, who)
	if err != nil {
		return nil, err
	}

	var misses []NearMiss
	for _, name := range names {
		if slices.Contains(linked, name.String()) {
			continue
		}
		miss, is, err := l.nearMiss(ctx, app, who, name.String())
		if err != nil {
			return nil, err
		}
		if is {
			misses = append(misses, miss)
		}
	}
	return misses, nil
}

// linkedNow returns the pseudonyms that are the same person's as an outside id.
func (l *Ledger) linkedNow(ctx context.Context, app ident.AppName, who ident.PersonKey) ([]string, error) {
	name, known, err := l.Pseudonym(ctx, app, who)
	if err != nil || !known {
		return nil, err
	}

	histories := l.histories(ctx, app, false, 0)
	s, err := histories(name)
	if err != nil {
		return nil, err
	}

	reached, err := s.Reached(name, histories)
	same := []string{name}
	for _, r := range reached {
		if r.Now {
			same = append(same, r.Other)
		}
	}
	return same, err
}

// nearMiss looks at one of them. Whose history has ended, or never began, is none.
func (l *Ledger) nearMiss(
	ctx context.Context, app ident.AppName, who ident.PersonKey, name string,
) (NearMiss, bool, error) {
	stream := ident.SubjectStream(app, name)
	f, err := l.fold(ctx, stream)
	if err != nil || f.revision == 0 || f.subject.Ended() != 0 {
		return NearMiss{}, false, err
	}
	other, known, err := l.knownAs(ctx, stream)
	if err != nil || !known {
		return NearMiss{}, false, err // erased meanwhile
	}
	return NearMiss{name, other.Kind, vault.DifferencesOf(lookup(app, who), lookup(app, other))}, true, nil
}

// offers returns the near misses of whoever made a statement, if it was the
// first of their history or none before it was a grant: then they, or whoever
// wrote the id, may have meant another. What is recorded is recorded: if they
// cannot be had, none are offered.
func (l *Ledger) offers(ctx context.Context, req Request, p *vault.Person, receipt Receipt) string {
	switch req.Command.(type) {
	case domain.GiveConsent, domain.RefuseConsent, domain.WithdrawConsent:
	default:
		return ""
	}

	f, err := l.fold(ctx, subjectStream(p))
	if err != nil || f.subject.AgreedBefore(ident.EventID(receipt.Event)) {
		return ""
	}

	misses, err := l.Near(ctx, req.App, req.Person)
	if err != nil {
		return ""
	}

	var texts []string
	for _, m := range misses {
		text := m.Kind
		for _, d := range m.Differs {
			text += " " + string(d)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ",")
}
