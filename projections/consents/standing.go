package consents

import (
	"maps"
	"slices"

	"consentledger/domain"
	"consentledger/eventstore"

	"github.com/go-json-experiment/json"
)

// A standingV1 is where a person stands with some purposes: one answer seldom
// is about one purpose alone.
type standingV1 struct {
	Purposes []domain.PurposeID  `json:"purposes"`
	Status   string              `json:"status"`
	Since    domain.Instant      `json:"since"`
	Until    domain.Instant      `json:"until"`
	Policy   string              `json:"policy"`
	Version  string              `json:"version"`
	Act      domain.ActID        `json:"act"`
	Events   []string            `json:"events"`
	Updated  eventstore.Position `json:"updated"`
}

// standingsText writes rows; equal rows make equal texts.
func standingsText(rows map[domain.PurposeID]row) (string, error) {
	var shared []row
	var list []standingV1
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		r := rows[id]
		i := slices.IndexFunc(shared, func(s row) bool { return same(s, r) })
		if i < 0 {
			i = len(list)
			shared, list = append(shared, r), append(list, r.standing())
		}
		list[i].Purposes = append(list[i].Purposes, id)
	}
	text, err := json.Marshal(list)
	return string(text), err
}

func same(a, b row) bool {
	return a.position == b.position && a.Status == b.Status && a.Since == b.Since && a.Until == b.Until &&
		a.Policy == b.Policy && a.Version == b.Version && a.Act == b.Act && slices.Equal(a.Because, b.Because)
}

func (r row) standing() standingV1 {
	s := standingV1{
		Status: r.Status.String(), Since: r.Since, Until: r.Until, Policy: r.Policy, Act: r.Act, Updated: r.position,
		Events: make([]string, len(r.Because)),
	}
	if r.Version != (domain.Hash{}) {
		s.Version = r.Version.String()
	}
	for i, id := range r.Because {
		s.Events[i] = eventstore.EventID(id).String()
	}
	return s
}

func readStandings(text string) (map[domain.PurposeID]row, error) {
	var list []standingV1
	if err := json.Unmarshal([]byte(text), &list, json.RejectUnknownMembers(true)); err != nil {
		return nil, err
	}
	rows := map[domain.PurposeID]row{}
	for _, s := range list {
		r, err := s.row()
		if err != nil {
			return nil, err
		}
		for _, id := range s.Purposes {
			rows[id] = r
		}
	}
	return rows, nil
}

func (s standingV1) row() (r row, err error) {
	r.Since, r.Until, r.Policy, r.Act, r.position = s.Since, s.Until, s.Policy, s.Act, s.Updated
	if r.Status, err = domain.ParseStatus(s.Status); err != nil {
		return r, err
	}
	if s.Version != "" {
		if r.Version, err = domain.ParseHash(s.Version); err != nil {
			return r, err
		}
	}
	for _, text := range s.Events {
		id, err := eventstore.ParseEventID(text)
		if err != nil {
			return r, err
		}
		r.Because = append(r.Because, domain.EventID(id))
	}
	return r, nil
}
