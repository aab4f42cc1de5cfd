// Package register is what an app notes of itself as a whole, as far as something follows
// from it: who has personal data beside those whom the policies name, how many persons there
// are, what keeps data although a person is to be erased, and when the service ends.
package register

import (
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/lists"
	"consentledger/domain/policy"
)

// A Register is what was noted. The zero Register is empty.
type Register struct {
	holders  []holder // in the order of their names
	counts   []counted
	keepings []keeping
	notices  []deadline.Instant // when persons were told that the service ends
	decided  deadline.Date      // on which day it ends, as was decided last; zero: nothing was
}

// After returns r as it is after a note that counts from a moment, for a caller who owns as
// much of r as it says.
func (r Register) After(
	own lists.Own, kind catalog.Note, fields []policy.Field, record ident.EventID, from deadline.Instant,
) Register {
	if h, says := holderOf(kind, fields); says {
		r.holders = hold(r.holders, h)
	}
	if c, says := countIn(kind, fields); says {
		r.counts = lists.Add(own, r.counts, c)
	}
	r.keepings = keep(own, r.keepings, kind, fields, record)

	switch kind {
	case catalog.CessationNotified:
		r.notices = lists.Add(own, r.notices, from)
	case catalog.CessationDecided:
		// A decision that was kept before dates were checked may have none.
		if day, err := deadline.ParseDate(policy.FieldOf(fields, "effective")); err == nil {
			r.decided = day
		}
	}
	return r
}
