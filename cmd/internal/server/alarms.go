package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"consentledger/api/nats/intake"
	"consentledger/api/rest"
	"consentledger/domain/deadline"
)

// alarms returns what somebody must look at, while the ledger can answer.
func (h *Server) alarms(ctx context.Context) []rest.Alarm {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	list := h.streamAlarms(h.rejectedAlarms(ctx))
	list = append(list, h.tellingAlarms(ctx)...)
	if room, err := h.Dir.DB.Room(); err == nil {
		if short := room.Full(2 * room.Reserve()); short != nil {
			list = append(list, rest.Alarm{Name: "disk",
				Detail: fmt.Sprintf("the disk is nearly full: %d MB are free, and below %d MB nothing is recorded",
					room.Free>>20, room.Reserve()>>20)})
		}
	}
	return list
}

// streamAlarms adds what is wrong with the streams of incoming events, and what they
// have lost, to the alarms of rejected messages, among which losses are listed.
func (h *Server) streamAlarms(list []rest.Alarm) []rest.Alarm {
	if err := h.Intake.Watch.Trouble(intake.Losses); err != nil {
		at := slices.IndexFunc(list, func(a rest.Alarm) bool { return a.Name == LostAlarm })
		if at < 0 { // nothing is listed yet
			at = len(list)
			list = append(list, rest.Alarm{Name: LostAlarm, See: "consentledger rejected list"})
		}
		list[at].Detail = err.Error()
	}

	for _, part := range []intake.Part{intake.Settings, intake.Delivery} {
		if err := h.Intake.Watch.Trouble(part); err != nil {
			name := strings.ReplaceAll(string(part), " ", "-")
			list = append(list, rest.Alarm{Name: name, Detail: err.Error(), See: "curl .../readyz?verbose"})
		}
	}
	return list
}

// The names of alarms of rejected messages, and what they say of a number of them.
const (
	RejectedAlarm  = "rejected-messages"
	unencodedAlarm = "unencoded-ids"
	LostAlarm      = "messages-lost"
)

var saysOf = map[string]string{
	RejectedAlarm: "%d rejected messages may be a withdrawal, and nobody has looked at them",
	unencodedAlarm: "on %d days events came over NATS with question marks in their ids, as some clients write what " +
		"is not ASCII: different ids may have become one. They were recorded; mend the sender",
	LostAlarm: "%d times NATS lost messages that it had acknowledged, and nobody has looked: ask the senders to send " +
		"again",
}

// alarmOf returns the name of the alarm that a rejected message raises.
func alarmOf(m intake.RejectedMessage) string {
	switch m.Code {
	case intake.UnencodedID:
		return unencodedAlarm
	case intake.LostMessages:
		return LostAlarm
	}
	return RejectedAlarm
}

// rejectedAlarms says of which apps a withdrawal may lie among the rejected
// messages.
func (h *Server) rejectedAlarms(ctx context.Context) []rest.Alarm {
	unknown := func(why string) []rest.Alarm {
		return []rest.Alarm{{Name: RejectedAlarm,
			Detail: "whether a withdrawal lies among the rejected messages is not known: " + why}}
	}

	if !h.Conn.IsConnected() {
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
		if !m.MayBeOptOut || m.Seen {
			continue
		}
		key := [2]string{alarmOf(m), m.App}
		if key[0] == LostAlarm { // whose they were nobody can tell
			key[1] = ""
		}
		i, has := place[key]
		if !has {
			i = len(list)
			place[key] = i
			list = append(list, rest.Alarm{
				Name:  key[0],
				App:   key[1],
				Since: deadline.At(m.At).String(),
				See:   "consentledger rejected list",
			})
		}
		list[i].Count++
	}

	for i, a := range list {
		list[i].Detail = fmt.Sprintf(saysOf[a.Name], a.Count)
	}
	return list
}
