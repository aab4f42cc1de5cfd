package main

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

const (
	recordSubject = "consent.v1." + demoApp + ".record"
	checkSubject  = "consent.v1." + demoApp + ".check"
)

// A loadKind says what requests are made of.
type loadKind string

const (
	plainLoad    loadKind = "plain"    // events without personal details
	personalLoad loadKind = "personal" // events with personal details
	newcomerLoad loadKind = "newcomer" // events with personal details, each of a new person
	checkLoad    loadKind = "check"    // questions about persons who were recorded
)

// A mix makes requests. One event in ten is the first of a new person; the
// others are of anybody who came before, all equally likely.
type mix struct {
	run     string
	count   atomic.Uint64
	persons atomic.Uint64
}

func newMix() *mix { return &mix{run: fmt.Sprintf("%016x", rand.Uint64())} }

// The data of events, without and with a personal part, in turns.
var (
	plainData = [4][2]string{
		{"consent.given", `{"act":"agree-popup","locale":"en"}`},
		{"consent.withdrawn", `{"purposes":["personalisation"]}`},
		{"consent.given", `{"act":"agree-popup","locale":"en","purposes":["personalisation"]}`},
		{"permission.revoked", `{"permission":"network"}`},
	}
	personalData = [4][2]string{
		{"consent.given", `{"act":"agree-popup","locale":"en","details":{"device":"Pixel 7","ip":"203.0.113.9","screen":"welcome"}}`},
		{"consent.withdrawn", `{"purposes":["personalisation"],"details":{"device":"Pixel 7","ip":"203.0.113.9","screen":"settings"}}`},
		{"consent.given", `{"act":"agree-popup","locale":"en","purposes":["personalisation"],"details":{"device":"Pixel 7","ip":"203.0.113.9"}}`},
		{"permission.revoked", `{"permission":"network","details":{"device":"Pixel 7","os":"settings"}}`},
	}
)

// next returns a request of a kind.
func (m *mix) next(kind loadKind) []byte {
	if kind == checkLoad {
		return fmt.Appendf(nil, `{"subject":"bench-%d","purpose":"personalisation"}`, m.anybody())
	}
	n := m.count.Add(1)
	isNew := kind == newcomerLoad || n%10 == 1
	var person uint64
	turn := n % 4
	if isNew {
		person, turn = m.persons.Add(1), 0
	} else {
		person = m.anybody()
	}
	data := personalData[turn]
	if kind == plainLoad {
		data = plainData[turn]
	}
	return fmt.Appendf(nil, `{"specversion":"1.0","id":"%s-%d","source":"smartkey/android","type":"%s","subject":"bench-%d","time":"%s","datacontenttype":"application/json","data":%s}`,
		m.run, n, data[0], person, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), data[1])
}

func (m *mix) anybody() uint64 { return 1 + rand.Uint64N(max(1, m.persons.Load())) }
