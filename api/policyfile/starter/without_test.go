package starter_test

import (
	"reflect"

	"consentledger/eventstore/codec/shape"
)

// without leaves out every member that must be there, one at a time, and calls tried.
func without(v any, t reflect.Type, tried func(where string)) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			without(item, t.Elem(), tried)
		}
	case map[string]any:
		for _, m := range shape.Members(t) {
			value, has := v[m.Name]
			if !has {
				continue
			}
			if m.Must {
				delete(v, m.Name)
				tried(t.Name() + "." + m.Name)
				v[m.Name] = value
			}
			without(value, m.Type, tried)
		}
	}
}
