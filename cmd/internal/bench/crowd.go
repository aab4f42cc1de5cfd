package bench

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// A Choice says whom the next request is about.
type Choice string

// The two choices. An app's day lies between them: some persons come often, and
// those who were not seen for a year come too.
const (
	Uniform Choice = "uniform" // everybody equally often
	Zipf    Choice = "zipf"    // few often, most seldom (exponent 1.1)
)

// A Crowd makes requests about persons who are numbered from 1. All programs of
// a run are sent the requests of one crowd each, made alike.
type Crowd struct {
	run    string // tells the ids of this run from those of others
	count  atomic.Uint64
	Size   atomic.Uint64 // persons who were recorded
	Choice Choice
}

// NewCrowd returns a crowd of nobody.
func NewCrowd(choice Choice) *Crowd {
	return &Crowd{run: fmt.Sprintf("%016x", rand.Uint64()), Choice: choice}
}

// A dayEvent is a kind of event: its type and its data.
type dayEvent struct{ kind, data string }

// The kinds of a day take turns: in twenty events one takes something back.
// Each has a personal part, which the vault seals.
var day = func() []dayEvent {
	details := `"details":{"device":"Pixel 7","ip":"203.0.113.9","screen":"welcome"}`
	agreed := dayEvent{"consent.given", `{"act":"agree-popup","locale":"en",` + details + `}`}
	agreedTo := dayEvent{"consent.given",
		`{"act":"agree-popup","locale":"en","purposes":["personalisation"],` + details + `}`}
	knows := dayEvent{"policy.acknowledged", `{"policy":"privacy","locale":"en","act":"agree-popup",` + details + `}`}
	granted := dayEvent{"permission.granted", `{"permission":"network",` + details + `}`}
	withdrawn := dayEvent{"consent.withdrawn", `{"purposes":["personalisation"],` + details + `}`}
	return []dayEvent{
		agreed, granted, agreedTo, knows, agreed, granted, agreedTo, agreed, agreed, granted,
		agreedTo, knows, agreed, granted, agreedTo, withdrawn, agreed, agreedTo, knows, agreed,
	}
}()

// Event returns an event of somebody in the crowd.
func (c *Crowd) Event() []byte {
	n := c.count.Add(1)
	return c.event(n, c.somebody(), day[n%uint64(len(day))])
}

// EventOf returns an event of one person.
func (c *Crowd) EventOf(person uint64) []byte {
	n := c.count.Add(1)
	return c.event(n, person, day[n%uint64(len(day))])
}

// Arrivals returns a batch of the first events of so many new persons.
func (c *Crowd) Arrivals(size int) []byte {
	return c.batch(size, func() []byte { return c.event(c.count.Add(1), c.Size.Add(1), day[0]) })
}

// Lives returns a batch of so many new persons with their whole history each, as an import
// or a device that was offline sends it.
func (c *Crowd) Lives(persons, history int) []byte {
	return c.batch(persons*history, c.oneLife(history))
}

// oneLife returns the events of new persons, one after the other.
func (c *Crowd) oneLife(history int) func() []byte {
	var person uint64
	told := history
	return func() []byte {
		if told == history {
			person, told = c.Size.Add(1), 1
			return c.event(c.count.Add(1), person, day[0])
		}
		told++
		return c.EventOf(person)
	}
}

// Events returns a batch of events of somebody in the crowd.
func (c *Crowd) Events(size int) []byte { return c.batch(size, c.Event) }

func (c *Crowd) batch(size int, next func() []byte) []byte {
	events := make([][]byte, size)
	for i := range events {
		events[i] = next()
	}
	return fmt.Appendf(nil, "[%s]", bytes.Join(events, []byte(",")))
}

func (c *Crowd) event(n, person uint64, s dayEvent) []byte {
	return fmt.Appendf(nil,
		`{"specversion":"1.0","id":"%s-%d","source":"smartkey/android","type":"%s","subject":"bench-%d","time":"%s","datacontenttype":"application/json","data":%s}`,
		c.run, n, s.kind, person, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), s.data)
}

// Question asks whether something is allowed of somebody in the crowd.
func (c *Crowd) Question() []byte { return questionOf(c.somebody()) }

func questionOf(person uint64) []byte {
	return fmt.Appendf(nil, `{"subject":"bench-%d","purpose":"personalisation"}`, person)
}

// somebody chooses a person.
func (c *Crowd) somebody() uint64 {
	size := max(1, c.Size.Load())
	if c.Choice == Uniform {
		return 1 + rand.Uint64N(size)
	}
	random := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	return 1 + rand.NewZipf(random, 1.1, 1, size-1).Uint64()
}
