package esdbserver

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/dlclark/regexp2"
)

// A filter chooses records of the log, by their stream's name or their type.
type filter struct {
	byType     bool
	pattern    pattern // nil: prefixes decide
	prefixes   []string
	window     int64 // records looked at in one page
	multiplier int64 // pages between two checkpoints
}

// A pattern says whether a name matches. It may run out of time.
type pattern func(string) (bool, error)

func (f *filter) matches(r *record) (bool, error) {
	if r.kind != event {
		return false, nil
	}

	s := r.stream
	if f.byType {
		s = r.typ
	}
	if f.pattern != nil {
		return f.pattern(s)
	}

	for _, p := range f.prefixes {
		if strings.HasPrefix(s, p) {
			return true, nil
		}
	}
	return false, nil
}

func parseFilter(o *streams.ReadReq_Options_FilterOptions, subscription bool) (*filter, error) {
	f := &filter{multiplier: int64(o.GetCheckpointIntervalMultiplier())}
	var expression *streams.ReadReq_Options_FilterOptions_Expression
	switch v := o.GetFilter().(type) {
	case *streams.ReadReq_Options_FilterOptions_StreamIdentifier:
		expression = v.StreamIdentifier
	case *streams.ReadReq_Options_FilterOptions_EventType:
		expression, f.byType = v.EventType, true
	default:
		return nil, invalid("'%s' is not a valid EventStore.Client.Streams.ReadReq+Types+Options+Types+FilterOptions",
			filterText(o))
	}

	switch v := o.GetWindow().(type) {
	case *streams.ReadReq_Options_FilterOptions_Max:
		f.window = int64(v.Max)
	case *streams.ReadReq_Options_FilterOptions_Count:
		f.window = page
	default:
		return nil, noCase("ReadReq+Types+Options+Types+FilterOptions+WindowOneofCase")
	}
	if subscription && (f.multiplier == 0 || f.window == 0) {
		return nil, errHandler
	}

	f.prefixes = expression.GetPrefix()
	if regex := expression.GetRegex(); regex != "" {
		var err error
		if f.pattern, err = compile(regex); err != nil {
			return nil, errHandler
		}
	}
	return f, nil
}

// filterText is how the real server prints a filter that chooses nothing.
func filterText(o *streams.ReadReq_Options_FilterOptions) string {
	var members []string
	switch v := o.GetWindow().(type) {
	case *streams.ReadReq_Options_FilterOptions_Max:
		members = append(members, fmt.Sprintf(`"max": %d`, v.Max))
	case *streams.ReadReq_Options_FilterOptions_Count:
		members = append(members, `"count": { }`)
	}
	if m := o.GetCheckpointIntervalMultiplier(); m != 0 {
		members = append(members, fmt.Sprintf(`"checkpointIntervalMultiplier": %d`, m))
	}
	return "{ " + strings.Join(members, ", ") + " }"
}

// compile reads a regular expression. The real server's are those of .NET: what
// ours do not know, such as looking ahead, is left to a library that does, for
// a bounded time a name.
func compile(regex string) (pattern, error) {
	if plain, err := regexp.Compile(regex); err == nil {
		return func(s string) (bool, error) { return plain.MatchString(s), nil }, nil
	}

	dotnet, err := regexp2.Compile(regex, regexp2.None)
	if err != nil {
		return nil, err
	}

	dotnet.MatchTimeout = 50 * time.Millisecond
	return func(s string) (bool, error) {
		matched, err := dotnet.MatchString(s)
		if err != nil {
			return false, errHandler // an event is not left out because its name takes long to read
		}
		return matched, nil
	}, nil
}
