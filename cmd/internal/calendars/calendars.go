// Package calendars reads the calendars of working days: those that the running server has of
// an app, and what a file or a notice that is shipped would add to them.
package calendars

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"consentledger/api/wire/parse"
	"consentledger/cmd/consentledger/law"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/remote"
	"consentledger/domain/deadline"

	"github.com/spf13/cobra"
)

// Jurisdiction returns the jurisdiction that a flag names, or else the app's.
func Jurisdiction(c *cobra.Command, app, flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	answer, err := remote.Get(c, remote.App(app))
	if err != nil {
		return "", err
	}
	var known struct{ Jurisdiction string }
	err = json.Unmarshal(answer, &known)
	return known.Jurisdiction, err
}

// Complete adds what a file does not say of a notice.
func Complete(k *deadline.Calendar, notice, issued string) error {
	if k.Notice == "" {
		k.Notice = notice
	}
	if k.Issued != 0 || issued == "" {
		return nil
	}
	var err error
	if k.Issued, err = deadline.ParseDate(issued); err != nil {
		return exit.Usage(fmt.Errorf("--issued: %w", err))
	}
	return nil
}

// Adding returns what a file adds to the calendars that are known, or a notice that is shipped
// and named as in cn-2026.
func Adding(c *cobra.Command, known deadline.Calendars, name, jurisdiction string) ([]deadline.Calendar, error) {
	if text, ok := strings.CutPrefix(name, "cn-"); ok {
		if year, ok := parse.Count(text); ok && year <= 9999 {
			return shippedCalendar(int(year))
		}
	}
	file, err := files.ReadInput(c, "FILE", name, files.MaxPolicyFile)
	if err != nil {
		return nil, err
	}
	after, err := law.Publish(known, file, jurisdiction)
	if err != nil {
		return nil, exit.Usage(fmt.Errorf("%s: %w", name, err))
	}
	before := known.Published()
	all := after.Published()
	if place, replaced := replacedBy(before, all); replaced && saysTheSame(known, after, place) {
		fmt.Fprintf(c.ErrOrStderr(), "note: these days of %s were published before: nothing was recorded\n", place)
		return nil, nil
	} else if replaced {
		return nil, exit.Usage(fmt.Errorf(`%s: without "adds_to" it would take the place of every calendar of %s; say "adds_to": %q`, name, place, place))
	}

	added := all[len(before):]
	for i := range added {
		if !added[i].Projected && !added[i].Reported {
			added[i].Version = 0 // the next, or none if it says the same
		}
	}
	return added, nil
}

// saysTheSame reports whether what a file says of a jurisdiction's days is what its
// newest calendars of these years say.
func saysTheSame(known, file deadline.Calendars, jurisdiction string) bool {
	for _, k := range file.Published() {
		if k.Jurisdiction != jurisdiction {
			continue
		}
		was, ok := known.Latest(jurisdiction, k.Year)
		if !ok || !sameDays(k.Off, was.Off) || !sameDays(k.MakeUp, was.MakeUp) {
			return false
		}
	}
	return true
}

func sameDays(a, b []deadline.Date) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// replacedBy returns the jurisdiction whose calendars a file took the place of,
// however many it has of its own: what is published only gains calendars.
func replacedBy(before, after []deadline.Calendar) (jurisdiction string, replaced bool) {
	for i, k := range before {
		if i >= len(after) || !reflect.DeepEqual(after[i], k) {
			return k.Jurisdiction, true
		}
	}
	return "", false
}

func shippedCalendar(year int) ([]deadline.Calendar, error) {
	shipped, err := law.Calendars()
	if err != nil {
		return nil, err
	}
	k, ok := shipped.Latest("CN", year)
	if !ok {
		return nil, exit.NotFound(fmt.Errorf("the notice of %d is not shipped: publish it from a file", year))
	}
	k.Version = 0
	return []deadline.Calendar{k}, nil
}

// Known returns the calendars that were published for an app.
func Known(c *cobra.Command, app string) (deadline.Calendars, error) {
	var calendars deadline.Calendars
	answer, err := remote.Get(c, remote.App(app)+"/calendars")
	if err != nil {
		return calendars, err
	}

	var list struct{ Calendars []Published }
	if err := json.Unmarshal(answer, &list); err != nil {
		return calendars, err
	}

	for _, p := range list.Calendars {
		k, err := p.calendar()
		if err != nil {
			return calendars, err
		}
		calendars = calendars.Add(k, 0)
	}
	return calendars, nil
}
