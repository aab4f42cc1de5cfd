package requests

import (
	"cmp"
	"slices"
	"sync"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/projections/readmodel"
)

// An index is every row of obligations in memory, without its detail: what a
// report is found, sorted and counted by. It is read from the file and never
// says more than the file does. Rows are added and closed, and nothing else, so
// that an index that is further than a snapshot still holds what the snapshot
// holds. A row takes some 200 bytes.
type index struct {
	mu    sync.RWMutex
	asOf  eventstore.Position
	apps  map[domain.AppName][]row // in the order of their beginning
	words map[string]string        // one copy of each word that many rows have
	known map[group]*group         // one copy of each
}

// A row is a row of the table obligations.
type row struct {
	standing
	from, to   eventstore.Position
	opened     domain.Instant
	stream, id string
	person     string
	day        domain.Date
	days       int32
	of         *group

	provisional, binding, test bool
}

// A standing is what an obligation's state follows from.
type standing struct {
	settled, over, risk domain.Instant
	phase               domain.DueState
	outcome             State
	held                bool
	keep                bool // it is done when its date has come, and never late
}

// at returns the state at a moment.
func (s *standing) at(at domain.Instant) State {
	switch {
	case s.settled != 0 && s.settled <= at:
		return s.outcome
	case s.phase == domain.NotStarted:
		return StateNotStarted
	case s.phase == domain.Suspended && s.held:
		return StateHeld
	case s.phase == domain.Suspended:
		return StatePaused
	case s.keep:
		return StateOpen
	case s.over <= at:
		return StateOverdue
	case s.risk <= at:
		return StateAtRisk
	}
	return StateOpen
}

func (o *Obligation) standing() standing {
	return standing{o.Settled, o.Due.Over, o.Due.Risk, o.Due.Phase, o.Outcome, o.Held, o.Kind == domain.DutyKeep}
}

// A group is what many rows have in common, as the file has it.
type group struct{ month, types, kind, rule string }

const indexed = "app, stream, id, from_position, to_position, person, test, month, types, kind, rule, opened, phase, held, day, over, risk, provisional, binding, settled, outcome, days"

// read reads what the file holds more than the index, up to the snapshot of tx.
func (x *index) read(tx *readmodel.Tx, position eventstore.Position) error {
	x.mu.RLock()
	there := x.asOf >= position
	x.mu.RUnlock()
	if there {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.asOf >= position {
		return nil
	}
	added, err := x.after(tx)
	if err != nil {
		return err
	}
	for app, list := range added {
		for _, n := range list {
			x.add(app, n)
		}
	}
	x.asOf = position
	return nil
}

// keepUp reads what was applied, so that whoever asks next need not. What cannot
// be read is left to the next who asks, who is told why.
func (x *index) keepUp(ctx ctx, db *readmodel.DB) { _ = db.View(ctx, x.read) }

// A newRow follows upon the row of the same obligation that began at was; zero:
// there is none in the index.
type newRow struct {
	row
	was eventstore.Position
}

// after returns the rows of the file that begin after the index ends.
func (x *index) after(tx *readmodel.Tx) (map[domain.AppName][]newRow, error) {
	was, args := "0", []any{}
	if x.asOf > 0 {
		was, args = "(SELECT ifnull(max(p.from_position), 0) FROM obligations p WHERE p.app = o.app AND p.stream = o.stream AND p.id = o.id AND p.from_position <= ?)", []any{int64(x.asOf)}
	}
	added, streams := map[domain.AppName][]newRow{}, map[string]string{}
	err := tx.Each("SELECT "+indexed+", "+was+" FROM obligations o WHERE from_position > ? ORDER BY from_position", append(args, int64(x.asOf)), func(scan func(...any) error) error {
		var n newRow
		var app string
		var k group
		var from, to, was int64
		err := scan(&app, &n.stream, &n.id, &from, &to, &n.person, &n.test, &k.month, &k.types, &k.kind, &k.rule, (*int64)(&n.opened), &n.phase, &n.held,
			&n.day, (*int64)(&n.over), (*int64)(&n.risk), &n.provisional, &n.binding, (*int64)(&n.settled), &n.outcome, &n.days, &was)
		n.from, n.to, n.was = eventstore.Position(from), eventstore.Position(to), eventstore.Position(was)
		n.of, n.keep = x.group(k), k.kind == string(domain.DutyKeep)
		n.id, n.stream, n.person = once(&x.words, n.id), once(&streams, n.stream), once(&streams, n.person)
		added[domain.AppName(app)] = append(added[domain.AppName(app)], n)
		return err
	})
	return added, err
}

// add adds a row, and closes the one before it.
func (x *index) add(app domain.AppName, n newRow) {
	if x.apps == nil {
		x.apps = map[domain.AppName][]row{}
	}
	list := x.apps[app]
	if n.was != 0 {
		i, _ := slices.BinarySearchFunc(list, n.was, func(r row, p eventstore.Position) int { return cmp.Compare(r.from, p) })
		for ; i < len(list) && list[i].from == n.was; i++ {
			if list[i].stream == n.stream && list[i].id == n.id {
				list[i].to = min(list[i].to, n.from)
				n.stream, n.person = list[i].stream, list[i].person
			}
		}
	}
	x.apps[app] = append(list, n.row)
}

func (x *index) group(k group) *group {
	g, ok := x.known[k]
	if !ok {
		if x.known == nil {
			x.known = map[group]*group{}
		}
		g = &k
		x.known[k] = g
	}
	return g
}

// once returns the copy of a word that was met first.
func once(words *map[string]string, word string) string {
	if first, ok := (*words)[word]; ok {
		return first
	}
	if *words == nil {
		*words = map[string]string{}
	}
	(*words)[word] = word
	return word
}
