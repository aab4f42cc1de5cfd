package parse

import (
	"cmp"
	"reflect"
	"strings"

	"consentledger/domain"

	"github.com/go-json-experiment/json"
)

// as returns what reads data as the shape S, which is a struct, and makes a command
// of it.
func as[S any](command func(*reader, S) domain.Command) func(*reader, []byte) domain.Command {
	names := membersOf(reflect.TypeFor[S]())

	return func(r *reader, data []byte) domain.Command {
		if asked[S](r) {
			return nil
		}
		var shape S
		if err := json.Unmarshal(data, &shape, json.RejectUnknownMembers(true)); err != nil {
			r.err = cmp.Or(misspelled(err, names), wrongShape(err, "data"))
			return nil
		}
		return command(r, shape)
	}
}

// membersOf returns the names of the members of a shape.
func membersOf(shape reflect.Type) (names []string) {
	for f := range shape.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}
