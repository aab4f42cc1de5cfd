package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"consentledger/api/intake"
	"consentledger/api/rest"
	"consentledger/domain/deadline"

	"github.com/spf13/cobra"
)

// alarms returns what somebody must look at, while the ledger can answer.
func (h *house) alarms(ctx context.Context) []rest.Alarm {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	list := h.streamAlarms(h.rejectedAlarms(ctx))
	list = append(list, h.tellingAlarms(ctx)...)
	if room, err := h.dir.db.Room(); err == nil {
		if short := room.Full(2 * room.Reserve()); short != nil {
			list = append(list, rest.Alarm{Name: "disk", Detail: fmt.Sprintf("the disk is nearly full: %d MB are free, and below %d MB nothing is recorded", room.Free>>20, room.Reserve()>>20)})
		}
	}
	return list
}

// streamAlarms adds what is wrong with the streams of incoming events, and what they
// have lost, to the alarms of rejected messages, among which losses are listed.
func (h *house) streamAlarms(list []rest.Alarm) []rest.Alarm {
	if err := h.intake.Watch.Trouble(intake.Losses); err != nil {
		at := slices.IndexFunc(list, func(a rest.Alarm) bool { return a.Name == lostAlarm })
		if at < 0 { // nothing is listed yet
			at = len(list)
			list = append(list, rest.Alarm{Name: lostAlarm, See: "consentledger rejected list"})
		}
		list[at].Detail = err.Error()
	}
	for _, part := range []intake.Part{intake.Settings, intake.Delivery} {
		if err := h.intake.Watch.Trouble(part); err != nil {
			name := strings.ReplaceAll(string(part), " ", "-")
			list = append(list, rest.Alarm{Name: name, Detail: err.Error(), See: "curl .../readyz?verbose"})
		}
	}
	return list
}

// The names of alarms of rejected messages, and what they say of a number of them.
const (
	rejectedAlarm  = "rejected-messages"
	unencodedAlarm = "unencoded-ids"
	lostAlarm      = "messages-lost"
)

var saysOf = map[string]string{
	rejectedAlarm: "%d rejected messages may be a withdrawal, and nobody has looked at them",
	unencodedAlarm: "on %d days events came over NATS with question marks in their ids, as some clients write what is not ASCII: " +
		"different ids may have become one. They were recorded; mend the sender",
	lostAlarm: "%d times NATS lost messages that it had acknowledged, and nobody has looked: ask the senders to send again",
}

// alarmOf returns the name of the alarm that a rejected message raises.
func alarmOf(m intake.RejectedMessage) string {
	switch m.Code {
	case intake.UnencodedID:
		return unencodedAlarm
	case intake.LostMessages:
		return lostAlarm
	}
	return rejectedAlarm
}

// rejectedAlarms says of which apps a withdrawal may lie among the rejected
// messages.
func (h *house) rejectedAlarms(ctx context.Context) []rest.Alarm {
	unknown := func(why string) []rest.Alarm {
		return []rest.Alarm{{Name: rejectedAlarm, Detail: "whether a withdrawal lies among the rejected messages is not known: " + why}}
	}
	if !h.conn.IsConnected() {
		return unknown("NATS is away")
	}
	unseen, err := h.rejected.Unseen(ctx)
	if err != nil {
		return unknown(err.Error())
	}
	if unseen == 0 {
		return nil
	}
	messages, err := h.rejected.List(ctx, 0, 1<<20)
	if err != nil {
		return unknown(err.Error())
	}
	var list []rest.Alarm
	place := map[[2]string]int{}
	for _, m := range messages {
		if !m.MayBeNo || m.Seen {
			continue
		}
		key := [2]string{alarmOf(m), m.App}
		if key[0] == lostAlarm { // whose they were nobody can tell
			key[1] = ""
		}
		i, has := place[key]
		if !has {
			i = len(list)
			place[key] = i
			list = append(list, rest.Alarm{Name: key[0], App: key[1], Since: deadline.At(m.At).String(), See: "consentledger rejected list"})
		}
		list[i].Count++
	}
	for i, a := range list {
		list[i].Detail = fmt.Sprintf(saysOf[a.Name], a.Count)
	}
	return list
}

func newAlarms() *cobra.Command {
	c := &cobra.Command{
		Use:   "alarms",
		Short: "What somebody must look at; exit code 9 if there is anything",
		Long: `What somebody must look at, although the ledger can answer: messages that could not
be taken and may be a withdrawal, and messages that NATS lost (rejected seen, or
rejected retry, ends the alarm), streams that are not as they must be, an outbox that
cannot tell, a disk that is nearly full. The exit code is 9 if there
is an alarm, so that a cron job notices. /readyz stays green: it says whether the
ledger can answer.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			body, err := call(c, http.MethodGet, "/v1/alarms", "", nil)
			if err != nil {
				return err
			}
			var list struct{ Alarms []json.RawMessage }
			if err := json.Unmarshal(body, &list); err != nil {
				return err
			}
			p := newPrinter(c, "name", "app", "count", "since", "detail", "see")
			for _, row := range list.Alarms {
				if err := p.row(row); err != nil {
					return err
				}
			}
			if err := p.end(); err != nil || len(list.Alarms) == 0 {
				return err
			}
			return alarming{fmt.Errorf("%d alarms: somebody must look", len(list.Alarms))}
		},
	}
	outputFlag(c)
	return c
}

// An alarming answer is one that somebody must look at.
type alarming struct{ error }

func (alarming) exitCode() int { return exitAlarm }
