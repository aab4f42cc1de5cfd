// Package admission bounds what a server works on at once, so that a server that is asked
// for more than it can do refuses some of it early, and does the rest as fast as ever.
//
// Every request belongs to a [Class], and each class has places of its own: a report that
// reads for minutes takes no place of a question that takes a millisecond. Who finds no
// place waits in a short line for a short time, and is then refused. Nothing of a refused
// request was done, and the answer says so and when to come again.
//
// How long is too long depends on whether the line drains. A burst finds the line empty
// before it, and is worked off: whoever is in it waits as long as [Bounds.Patience]. A line
// that was never empty for [interval] stands because more comes than is done; then whoever
// waited longer than [Bounds.Target] is refused when their turn comes, so that what is
// answered was not in line for long. That is the rule of CoDel (RFC 8289), as servers use
// it: a line is bounded by time, and its length by memory alone.
//
// A body is read before its request takes a place, so that one that comes slowly holds
// none.
//
// Beside the places there are three bounds. One principal holds no more than a part of the
// places of a class, of its line, and of the bytes of bodies, each by itself, so that
// others get through. Over NATS, where nobody tells a receiver who sent a message, all of
// one app hold no more than a part of the places, too. The bodies that are held have a bound in
// bytes, and those of questions
// hold at most half of it. And once the process has more memory than its ceiling, it takes
// nothing new but questions until it has less.
//
// Health has no places and is never refused.
package admission

import (
	"context"
	"math/rand/v2"
	"runtime"
	"time"
)

// A Class is a kind of work, of which only so much is done at once.
type Class int

// The classes. What no route says is [Heavy].
const (
	Free   Class = iota // health, metrics: never counted
	Quick               // questions about one person, what the ledger is: milliseconds
	Record              // one event, one order: a disk sync
	Batch               // many events in one body
	Heavy               // lists, reports, exports, whatever reads the log
	classes
)

// Names are the classes' names, as metrics and status say them.
var Names = [classes]string{Free: "free", Quick: "quick", Record: "record", Batch: "batch", Heavy: "heavy"}

func (c Class) String() string { return Names[c] }

// Bounds say how much of one class is done at once.
type Bounds struct {
	Places   int           // requests worked on at once
	Line     int           // how many more may wait
	Patience time.Duration // how long they wait at most
	Target   time.Duration // and how long while the line is never empty, CoDel's target; zero: as long
}

// A Config says what a server takes.
type Config struct {
	Bounds [classes]Bounds
	Share  float64      // the part of the places, of the line and of Bodies that one principal may hold; zero: all
	Apps   float64      // the part of the places that all of one app may hold by Try; zero: all
	Bodies int64        // bytes of bodies that are held at once
	Memory int64        // bytes that the process may have; zero: no ceiling
	Used   func() int64 // how many it has; nil: as the runtime says

	Refused func(Class, Why) // is told of each refusal; nil: nobody
}

// share is the part that one principal may hold, over HTTP as over NATS.
const share = 0.75

// Default returns what a machine with so many processors takes, in so much memory. Away
// says that questions wait for a store elsewhere.
//
// Events at once share one disk sync, and sixteen for each processor already keep it busy:
// more of them only wait for each other. Questions wait for no disk, so that fewer do; if
// the store is elsewhere they share its answers, and many at once are good. Four batches
// keep every processor and the disk busy; see package rest, where they take turns. Heavy
// work leaves half of the processors to others. The line of questions and events is longer
// than the places: a burst that is over at once is no overload.
func Default(processors int, memory int64, away bool) Config {
	c := Config{Share: share, Bodies: 64 << 20, Memory: memory}
	quick := 4 * processors
	if away {
		quick = 64 * processors
	}
	c.Bounds[Quick] = Bounds{
		Places: quick, Line: max(quick, 64*processors), Patience: time.Second, Target: 5 * time.Millisecond,
	}
	c.Bounds[Record] = Bounds{
		Places: 16 * processors, Line: 112 * processors, Patience: time.Second, Target: 100 * time.Millisecond,
	}
	c.Bounds[Batch] = Bounds{Places: 8, Line: 24, Patience: 5 * time.Second}
	c.Bounds[Heavy] = Bounds{Places: max(1, processors/2), Line: 16, Patience: 5 * time.Second}
	return c
}

// DefaultNATS returns what is taken at once of requests over NATS. A back end sends many
// over one connection, and they wait where their persons' earlier ones are: there is no
// line. What the stream holds is not counted: it waits there.
//
// Who sends is known by the inbox that they name, and whoever may record in an app may name
// any. In which app they record, the NATS server holds them to. So one app has its part,
// too, which is larger than that of one principal: the rest of the app gets through.
func DefaultNATS(memory int64) Config {
	c := Config{Share: share, Apps: 0.875, Memory: memory}
	c.Bounds[Quick] = Bounds{Places: 1024}
	c.Bounds[Record] = Bounds{Places: 1024}
	return c
}

// Why is why something was refused.
type Why string

// The reasons.
const (
	Full     Why = "full"      // every place of the class is taken, and the line is full or too slow
	TooMany  Why = "principal" // one principal holds its part of the places and the line, or of the bodies
	OfApp    Why = "app"       // all of one app hold its part of the places
	Bodies   Why = "bodies"    // the bodies that are held are too many bytes
	NoMemory Why = "memory"    // the process has more memory than its ceiling
)

// Reasons are all of them.
var Reasons = []string{string(Full), string(TooMany), string(OfApp), string(Bodies), string(NoMemory)}

// A Refusal says that something was not taken. Nothing of it was done.
type Refusal struct {
	Class Class
	Why   Why
	After time.Duration // when to come again
}

func (r *Refusal) Error() string {
	switch r.Why {
	case TooMany:
		return "you have too many requests of this kind under way: wait for their answers, or send fewer at once"
	case OfApp:
		return "this app has too many requests of this kind under way: wait for their answers, or send fewer at once"
	case Bodies:
		return "too many large bodies are being read at once"
	case NoMemory:
		return "the server has reached its ceiling of memory, and takes nothing new until it has less"
	}
	return "the server does as much of this as it can at once"
}

// An Admission is the places of a server. Its methods may be called concurrently.
type Admission struct {
	config Config
	lanes  [classes]lane
	bodies held
	memory memory
}

// New returns a server's places.
func New(c Config) *Admission {
	a := &Admission{config: c}
	for class, b := range c.Bounds {
		a.lanes[class].open(b, c.Share, c.Apps)
	}
	a.bodies.open(c.Bodies, c.Share)
	a.memory = memory{ceiling: c.Memory, used: c.Used}
	if a.memory.used == nil {
		a.memory.used = ProcessMemory
	}
	return a
}

// Config returns what the server takes.
func (a *Admission) Config() Config { return a.config }

// Enter takes a place for a request of somebody; empty: nobody is known. The caller calls
// leave when the request is answered. The error is a [*Refusal], or that of ctx.
func (a *Admission) Enter(ctx context.Context, class Class, who string) (leave func(), err error) {
	if class == Free {
		return func() {}, nil
	}
	if class != Quick && a.memory.full() {
		return nil, a.refuse(class, NoMemory)
	}
	leave, why, err := a.lanes[class].enter(ctx, who)
	if why != "" {
		return nil, a.refuse(class, why)
	}
	return leave, err
}

// Try is [Admission.Enter] for who waits elsewhere: it takes a place that is there now, for a
// request of somebody in an app. Empty: nobody is known, and nobody has a part.
func (a *Admission) Try(class Class, who, app string) (leave func(), err error) {
	if class != Quick && a.memory.full() {
		return nil, a.refuse(class, NoMemory)
	}
	leave, why := a.lanes[class].try(who, app)
	if why != "" {
		return nil, a.refuse(class, why)
	}
	return leave, nil
}

// hold takes room for so many bytes of a body of somebody's request. The caller calls
// release when the body is needed no more.
func (a *Admission) hold(class Class, who string, bytes int64) (release func(), err error) {
	if class != Quick && a.memory.full() {
		return nil, a.refuse(class, NoMemory)
	}
	if a.lanes[class].isFull() {
		return nil, a.refuse(class, Full) // before anything of it is read
	}
	if why := a.bodies.take(class, who, bytes); why != "" {
		return nil, a.refuse(class, why)
	}
	return func() { a.bodies.give(class, who, bytes) }, nil
}

// refuse counts a refusal. Those who are refused together come again apart.
func (a *Admission) refuse(class Class, why Why) error {
	a.lanes[class].refused.Add(1)
	if a.config.Refused != nil {
		a.config.Refused(class, why)
	}
	least := time.Second
	if class == Batch || class == Heavy {
		least = 5 * time.Second
	}
	return &Refusal{Class: class, Why: why, After: least + rand.N(least)}
}

// A Load is how much of a class is under way.
type Load struct {
	Class            Class
	Working, Waiting int
	Refused          int64 // since the server started
}

// Loads returns how much of every class is under way.
func (a *Admission) Loads() (all []Load) {
	for c := Quick; c < classes; c++ {
		working, waiting := a.lanes[c].count()
		all = append(all, Load{Class: c, Working: working, Waiting: waiting, Refused: a.lanes[c].refused.Load()})
	}
	return all
}

// Busy reports whether somebody waits for a place to ask or to record: work that nobody
// waits for leaves them the machine meanwhile.
func (a *Admission) Busy() bool {
	for _, c := range []Class{Quick, Record} {
		working, waiting := a.lanes[c].count()
		if places := a.config.Bounds[c].Places; waiting > 0 || places > 0 && working >= places {
			return true
		}
	}
	return false
}

// Processors is how many goroutines run at once, which the bounds follow.
func Processors() int { return runtime.GOMAXPROCS(0) }
