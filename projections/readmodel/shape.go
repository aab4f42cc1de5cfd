package readmodel

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
)

// Shapes returns a line for the end of a schema that changes whenever the shape of a value does that
// lies in a column as JSON: the names, types and tags of its members, and of theirs. So a read model
// of another shape is built again, as one of another schema is, and nobody has to think of it.
//
// What a type is called and where it lies does not count, since neither is written.
func Shapes(values ...any) string {
	return "-- values in columns: " + hashOf(ShapesText(values...)) + "\n"
}

// ShapesText is what [Shapes] is the hash of, a line for each value.
func ShapesText(values ...any) string {
	var b strings.Builder
	for _, v := range values {
		writeShape(&b, reflect.TypeOf(v), nil)
		b.WriteByte('\n')
	}
	return b.String()
}

// texts are the types that write themselves as a text: what they hold is not seen in JSON.
var texts = reflect.TypeFor[encoding.TextMarshaler]()

// writeShape writes the shape of a type that lies within others.
func writeShape(b *strings.Builder, t reflect.Type, within []reflect.Type) {
	for i, other := range within {
		if other == t {
			fmt.Fprintf(b, "^%d", len(within)-i) // it holds itself
			return
		}
	}
	if t.Implements(texts) {
		b.WriteString("text")
		return
	}

	switch t.Kind() {
	case reflect.Struct:
		within = append(within, t)
		b.WriteByte('{')
		for i := range t.NumField() {
			f := t.Field(i)
			if !f.IsExported() {
				continue
			}
			fmt.Fprintf(b, "%s ", f.Name)
			if tag := f.Tag.Get("json"); tag != "" {
				fmt.Fprintf(b, "%q ", tag)
			}
			writeShape(b, f.Type, within)
			b.WriteByte(';')
		}
		b.WriteByte('}')
	case reflect.Slice:
		b.WriteString("[]")
		writeShape(b, t.Elem(), within)
	case reflect.Array:
		fmt.Fprintf(b, "[%d]", t.Len())
		writeShape(b, t.Elem(), within)
	case reflect.Map:
		b.WriteString("map ")
		writeShape(b, t.Key(), within)
		b.WriteByte(' ')
		writeShape(b, t.Elem(), within)
	case reflect.Pointer:
		b.WriteByte('*')
		writeShape(b, t.Elem(), within)
	default:
		b.WriteString(t.Kind().String())
	}
}
