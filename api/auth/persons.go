package auth

import (
	"errors"
	"slices"
	"strings"

	"consentledger/api/wire/parse"
	"consentledger/domain/ident"
)

// Persons is how many authenticated principals an operation takes.
type Persons uint8

const (
	One Persons = iota // who asks for it
	Two                // one proposes it, and another with the role [Approver] approves it
)

func (p Persons) String() string { return [...]string{"one", "two"}[p] }

// A TwoPersons says what takes two principals: what the table says, and what is asked for
// beyond it, in some apps. Nothing can be taken from the table.
type TwoPersons struct {
	more map[ident.AppName][]string
}

// ParseTwoPersons reads what an installation asks for beyond the table, as
// APP=TYPE,TYPE, each an operator's type of event.
func ParseTwoPersons(settings []string) (TwoPersons, error) {
	t := TwoPersons{more: map[ident.AppName][]string{}}
	for _, s := range settings {
		name, types, has := strings.Cut(s, "=")
		app, err := ident.ParseAppName(name)
		if err != nil || !has || types == "" {
			return TwoPersons{}, errors.New("want APP=TYPE,TYPE with types of operators' events, as in " +
				"shop=hold.released,recipient.added")
		}
		for kind := range strings.SplitSeq(types, ",") {
			if !parse.IsOperators(kind) {
				return TwoPersons{}, errors.New("there is no operators' type of event that is called so: " +
					"consentledger schema list shows them")
			}
			t.more[app] = append(t.more[app], parse.Canonical(kind))
		}
	}
	return t, nil
}

// Needs reports whether a type of event takes two principals in an app.
func (t TwoPersons) Needs(app ident.AppName, kind string) bool {
	for _, row := range Operations {
		if row.Persons == Two && slices.Contains(row.Events, kind) {
			return true
		}
	}
	return slices.Contains(t.more[app], kind)
}

// SameHolder reports whether two principals have keys under one name: "ann" who got two
// keys as two principals is one person all the same.
func (k *Keys) SameHolder(a, b string) bool {
	known := k.known.Load()
	if known == nil {
		return true // nobody knows whose keys they are: then nobody counts as another person
	}

	names := map[string]bool{}
	for _, l := range known.keys {
		if l.Principal == a && l.Name != "" {
			names[holderName(l.Name)] = true
		}
	}

	for _, l := range known.keys {
		if l.Principal == b && names[holderName(l.Name)] {
			return true
		}
	}
	return false
}

// holderName is a name as people compare it.
func holderName(name string) string {
	return strings.ToLower(strings.Join(strings.Fields(name), " "))
}

// Decides reports whether a principal may approve or decline what another one proposed in
// an app.
func Decides(who Principal, app ident.AppName, proposer string, same func(a, b string) bool) bool {
	row, _ := rowOf(Approve)
	approves := slices.ContainsFunc(who.Bindings, func(b Binding) bool { return b.may(row) && b.In(app) })
	return approves && who.Pseudonym != proposer && (same == nil || !same(who.Pseudonym, proposer))
}
