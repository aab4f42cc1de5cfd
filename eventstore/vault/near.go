package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"consentledger/eventstore"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// A Difference is something in which two ids of one person may differ by mistake.
type Difference string

const (
	InKind  Difference = "kind"          // account:x and device:x, or account:device-x
	InForm  Difference = "form"          // full-width letters, composed and decomposed ones
	InCase  Difference = "case"          // Ada and ada
	InSpace Difference = "space"         // spaces and invisible characters
	InZeros Difference = "leading-zeros" // 0042 and 42
)

// Differences is every Difference, in the order in which they are taken away.
var Differences = []Difference{InForm, InCase, InSpace, InKind, InZeros}

// DifferencesOf returns in what two lookups differ that are alike otherwise: in
// each of these alone, or with others.
func DifferencesOf(a, b Lookup) []Difference {
	var list []Difference
	for _, d := range Differences {
		if folded(a, d) != folded(b, d) {
			list = append(list, d)
		}
	}
	return list
}

// folded returns what is left of a lookup's id when everything is taken away in
// which ids may differ by mistake, but for some of that.
func folded(l Lookup, but ...Difference) string {
	id, kind := l.ID, ""
	for _, d := range Differences {
		if slices.Contains(but, d) {
			if d == InKind {
				kind = l.Kind + ":"
			}
			continue
		}
		switch d {
		case InForm:
			id = norm.NFKC.String(id)
		case InCase:
			id = cases.Fold().String(id)
		case InSpace:
			id = strings.Map(visible, id)
		case InKind:
			id = withoutKind(id)
		case InZeros:
			id = withoutZeros(id)
		}
	}

	if !slices.Contains(but, InForm) {
		id = norm.NFKC.String(id) // small letters may have other forms than capitals
	}
	return kind + id
}

// visible drops what nobody sees.
func visible(r rune) rune {
	if unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
		return -1
	}
	return r
}

// withoutKind takes a kind off an id that somebody wrote into it.
func withoutKind(id string) string {
	for _, kind := range []string{"account", "device"} {
		if len(id) > len(kind)+1 && strings.EqualFold(id[:len(kind)], kind) &&
			strings.IndexByte(":._~-", id[len(kind)]) >= 0 {
			return id[len(kind)+1:]
		}
	}
	return id
}

// withoutZeros takes the leading zeros off every number that begins the id, or
// stands after a separator.
func withoutZeros(id string) string {
	var b strings.Builder
	starts := true
	for i := range len(id) {
		c := id[i]
		digit := i+1 < len(id) && id[i+1] >= '0' && id[i+1] <= '9'
		if starts && c == '0' && digit {
			continue
		}
		b.WriteByte(c)
		starts = strings.IndexByte(":._~-", c) >= 0
	}
	return b.String()
}

// near returns the mac of what l has in common with its near misses.
func (a *AppKey) near(l Lookup) mac {
	sum := keyed(&a.nears, []byte(folded(l)))
	return mac(sum[:16])
}

// nearRows returns the rows by which the near misses of a lookup find p, and by
// which whoever erases p finds these.
func nearRows(p *Person, near, lookup mac) []eventstore.Row {
	return []eventstore.Row{
		{Key: nearKey(p.App, near, lookup), Value: versioned(p.Pseudonym[:])},
		{Key: ownNearKey(p.App, p.Pseudonym, lookup), Value: versioned(near[:])},
	}
}

// Index makes l, which leads to p, known to its near misses. Of who was enrolled
// by this program it is; of who is older it is done when they are next heard of.
func (v *Vault) Index(ctx context.Context, p *Person, l Lookup) error {
	if p.indexed.Load() {
		return nil
	}

	app, err := v.AppKey(ctx, l.App)
	if err != nil {
		return err
	}

	m := app.lookup(l)
	_, there, err := v.rows.Get(ctx, ownNearKey(p.App, p.Pseudonym, m))
	if err == nil && !there {
		err = v.rows.Write(ctx, eventstore.Change{
			Present: [][]byte{entryKey(p.App, p.Pseudonym), lookupKey(l.App, m)},
			Put:     nearRows(p, app.near(l), m),
		})
	}
	if err != nil && !errors.Is(err, eventstore.ErrCondition) { // erased or detached meanwhile
		return fmt.Errorf("vault: near misses of %s: %w", p.Pseudonym, err)
	}

	p.indexed.Store(true)
	return nil
}

// Near returns the persons whose ids are near misses of l: alike but for what is
// easily mistaken. Whom l itself leads to is not among them.
func (v *Vault) Near(ctx context.Context, l Lookup) ([]Pseudonym, error) {
	if err := l.check(); err != nil {
		return nil, err
	}

	app, ok, err := v.findAppKey(ctx, l.App)
	if err != nil || !ok {
		return nil, err
	}

	own := app.lookup(l)
	var names []Pseudonym
	for row, err := range v.rows.Scan(ctx, nearKeys(l.App, app.near(l))) {
		if err != nil {
			return nil, fmt.Errorf("vault: near misses: %w", err)
		}
		b, err := body("near miss", row.Value, len(Pseudonym{}))
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(string(row.Key), string(own[:])) {
			continue
		}
		names = append(names, Pseudonym(b[:len(Pseudonym{})]))
	}
	return names, nil
}

// sweepNear deletes what makes p known to near misses. The entry is gone, so
// nothing of it comes any more.
func (v *Vault) sweepNear(ctx context.Context, p *Person) error {
	var c eventstore.Change
	for row, err := range v.rows.Scan(ctx, ownNearKeys(p.App, p.Pseudonym)) {
		if err != nil {
			return err
		}
		b, err := body("near miss", row.Value, len(mac{}))
		if err != nil {
			return err
		}
		lookup := mac(row.Key[len(row.Key)-len(mac{}):])
		c.Delete = append(c.Delete, slices.Clone(row.Key), nearKey(p.App, mac(b[:len(mac{})]), lookup))
	}

	if len(c.Delete) == 0 {
		return nil
	}
	return v.rows.Write(ctx, c)
}
