package bench

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"consentledger/api/nats/subject"
	"consentledger/cmd/internal/demo"
)

var (
	recordSubject = subject.Of(demo.App, "record")
	checkSubject  = subject.Of(demo.App, "check")
)

// A loadKind says what requests are made of.
type loadKind string

const (
	plainLoad      loadKind = "plain"       // a day's events without personal details
	personalLoad   loadKind = "personal"    // a day's events with personal details
	withdrawalLoad loadKind = "withdrawals" // the same, but every second takes something back
	newcomerLoad   loadKind = "newcomer"    // events with personal details, each of a new person
	checkLoad      loadKind = "check"       // questions about persons who were recorded
)

// A mix makes requests. One event in ten is the first of a new person; the
// others are of anybody who came before, all equally likely.
type mix struct {
	run     string
	count   atomic.Uint64
	persons atomic.Uint64
}

func newMix() *mix { return &mix{run: fmt.Sprintf("%016x", rand.Uint64())} }

// A mixEvent is a kind of event: its type, and its data without and with a
// personal part.
type mixEvent struct{ kind, plain, personal string }

var (
	agreed = mixEvent{"consent.given", `{"act":"agree-popup","locale":"en"}`,
		`{"act":"agree-popup","locale":"en","details":{"device":"Pixel 7","ip":"203.0.113.9","screen":"welcome"}}`}
	agreedTo = mixEvent{"consent.given", `{"act":"agree-popup","locale":"en","purposes":["personalisation"]}`,
		`{"act":"agree-popup","locale":"en","purposes":["personalisation"],"details":{"device":"Pixel 7","ip":"203.0.113.9"}}`}
	knows = mixEvent{"policy.acknowledged", `{"policy":"privacy","locale":"en","act":"agree-popup"}`,
		`{"policy":"privacy","locale":"en","act":"agree-popup","details":{"device":"Pixel 7","ip":"203.0.113.9"}}`}
	granted = mixEvent{"permission.granted", `{"permission":"network"}`,
		`{"permission":"network","details":{"device":"Pixel 7","os":"settings"}}`}
	revoked = mixEvent{"permission.revoked", `{"permission":"network"}`,
		`{"permission":"network","details":{"device":"Pixel 7","os":"settings"}}`}
	withdrawn = mixEvent{"consent.withdrawn", `{"purposes":["personalisation"]}`,
		`{"purposes":["personalisation"],"details":{"device":"Pixel 7","ip":"203.0.113.9","screen":"settings"}}`}
)

// The kinds take turns. On a day most persons agree, and one event in ten takes
// something back, by which two to five obligations are opened.
var (
	mixDay = []mixEvent{agreed, granted, agreedTo, knows, agreed, granted, agreedTo, withdrawn, agreed, granted,
		agreedTo, knows, agreed, granted, agreedTo, revoked, agreed, agreedTo, knows, agreed}
	storm = []mixEvent{agreed, withdrawn, agreedTo, revoked}
)

// next returns a request of a kind.
func (m *mix) next(kind loadKind) []byte {
	if kind == checkLoad {
		return fmt.Appendf(nil, `{"subject":"bench-%d","purpose":"personalisation"}`, m.anybody())
	}

	n := m.count.Add(1)
	isNew := kind == newcomerLoad || n%10 == 1
	turns := mixDay
	if kind == withdrawalLoad {
		turns = storm
	}

	person, what := m.anybody(), turns[n%uint64(len(turns))]
	if isNew {
		person, what = m.persons.Add(1), agreed
	}

	data := what.personal
	if kind == plainLoad {
		data = what.plain
	}

	return fmt.Appendf(nil, `{"specversion":"1.0","id":"%s-%d","source":"smartkey/android","type":"%s","subject":"bench-%d","time":"%s","datacontenttype":"application/json","data":%s}`,
		m.run, n, what.kind, person, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), data)
}

func (m *mix) anybody() uint64 { return 1 + rand.Uint64N(max(1, m.persons.Load())) }
