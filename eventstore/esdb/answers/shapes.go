package answers

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
)

// methods are the message types of what the table calls, by method in lower
// case.
var methods = map[string]struct{ request, response func() proto.Message }{
	"/event_store.client.streams.streams/read": {func() proto.Message { return &streams.ReadReq{} },
		func() proto.Message { return &streams.ReadResp{} }},
	"/event_store.client.streams.streams/append": {func() proto.Message { return &streams.AppendReq{} },
		func() proto.Message { return &streams.AppendResp{} }},
	"/event_store.client.streams.streams/batchappend": {func() proto.Message { return &streams.BatchAppendReq{} },
		func() proto.Message { return &streams.BatchAppendResp{} }},
	"/event_store.client.streams.streams/delete": {func() proto.Message { return &streams.DeleteReq{} },
		func() proto.Message { return &streams.DeleteResp{} }},
	"/event_store.client.streams.streams/tombstone": {func() proto.Message { return &streams.TombstoneReq{} },
		func() proto.Message { return &streams.TombstoneResp{} }},
	"/event_store.client.gossip.gossip/read": {func() proto.Message { return &shared.Empty{} },
		func() proto.Message { return &gossip.ClusterInfo{} }},
	"/event_store.client.server_features.serverfeatures/getsupportedmethods": {func() proto.Message { return &shared.Empty{} },
		func() proto.Message { return &serverfeatures.SupportedMethods{} }},
}

// services maps the table's short names.
var services = map[string]string{
	"Streams":        "event_store.client.streams.Streams",
	"Gossip":         "event_store.client.gossip.Gossip",
	"ServerFeatures": "event_store.client.server_features.ServerFeatures",
}

// path returns the path of a method as the table names it.
func path(method string) (string, error) {
	if strings.HasPrefix(method, "/") {
		return method, nil
	}
	service, name, _ := strings.Cut(method, ".")
	full, ok := services[service]
	if !ok {
		return "", fmt.Errorf("method %q: not one of the services that are known", method)
	}
	return "/" + full + "/" + name, nil
}

// encode writes the messages that one request of the table stands for. Its
// placeholders have been filled in.
func encode(path string, request any) ([][]byte, error) {
	object, ok := request.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("request is %T, want an object", request)
	}
	if raw, ok := object["raw_base64"].(string); ok {
		data, err := base64.StdEncoding.DecodeString(raw)
		return [][]byte{data}, err
	}
	if repeat, ok := object["repeat"].(map[string]any); ok {
		return encodeRepeated(path, repeat)
	}

	m := proto.Message(&shared.Empty{})
	if types, ok := methods[strings.ToLower(path)]; ok {
		m = types.request()
	}
	if err := fill(m.ProtoReflect(), object); err != nil {
		return nil, err
	}
	data, err := proto.Marshal(m)
	return [][]byte{data}, err
}

func encodeRepeated(path string, repeat map[string]any) ([][]byte, error) {
	n, err := number(repeat["n"])
	if err != nil {
		return nil, err
	}

	from, err := number(repeat["from"])
	if err != nil {
		return nil, err
	}

	text, err := json.Marshal(repeat["message"])
	if err != nil {
		return nil, err
	}

	var messages [][]byte
	for i := from; i < from+n; i++ {
		one, err := parse(bytes.ReplaceAll(text, []byte("{i12}"), fmt.Appendf(nil, "%012d", i)))
		if err != nil {
			return nil, err
		}
		encoded, err := encode(path, one)
		if err != nil {
			return nil, err
		}
		messages = append(messages, encoded...)
	}
	return messages, nil
}

func number(v any) (int64, error) {
	switch v := v.(type) {
	case json.Number:
		return v.Int64()
	case string:
		return strconv.ParseInt(v, 10, 64)
	}
	return 0, fmt.Errorf("%v is no number", v)
}

// fill sets the fields of m that an object of the table names.
func fill(m protoreflect.Message, object map[string]any) error {
	for name, v := range object {
		field := m.Descriptor().Fields().ByTextName(name)
		if field == nil {
			return fmt.Errorf("%s has no field %s", m.Descriptor().FullName(), name)
		}
		switch {
		case field.IsMap():
			entries, _ := v.(map[string]any)
			for key, value := range entries {
				text := fmt.Sprint(value)
				m.Mutable(field).Map().Set(protoreflect.ValueOfString(key).MapKey(), protoreflect.ValueOfString(text))
			}
		case field.IsList():
			items, _ := v.([]any)
			list := m.Mutable(field).List()
			for _, item := range items {
				if err := fillItem(list, field, item); err != nil {
					return err
				}
			}
		case field.Message() != nil:
			inner, ok := v.(map[string]any)
			if !ok {
				return fmt.Errorf("field %s: %T, want an object", field.FullName(), v)
			}
			if err := fill(m.Mutable(field).Message(), inner); err != nil {
				return err
			}
		default:
			value, err := scalar(field, v)
			if err != nil {
				return fmt.Errorf("field %s: %w", field.FullName(), err)
			}
			m.Set(field, value)
		}
	}
	return nil
}

func fillItem(list protoreflect.List, field protoreflect.FieldDescriptor, item any) error {
	object, ok := item.(map[string]any)
	if field.Message() == nil {
		value, err := scalar(field, item)
		if err != nil {
			return err
		}
		list.Append(value)
		return nil
	}

	if !ok {
		return fmt.Errorf("field %s: an item is %T, want an object", field.FullName(), item)
	}
	if repeat, ok := object["repeat"].(map[string]any); ok {
		return fillRepeated(list, field, repeat)
	}
	return fill(list.AppendMutable().Message(), object)
}

func fillRepeated(list protoreflect.List, field protoreflect.FieldDescriptor, repeat map[string]any) error {
	n, err := number(repeat["n"])
	if err != nil {
		return err
	}

	from, err := number(repeat["from"])
	if err != nil {
		return err
	}

	text, err := json.Marshal(repeat["message"])
	if err != nil {
		return err
	}

	for i := from; i < from+n; i++ {
		one, err := parse(bytes.ReplaceAll(text, []byte("{i12}"), fmt.Appendf(nil, "%012d", i)))
		if err != nil {
			return err
		}
		if err := fillItem(list, field, one); err != nil {
			return err
		}
	}
	return nil
}

func scalar(field protoreflect.FieldDescriptor, v any) (protoreflect.Value, error) {
	text := fmt.Sprint(v)
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(text), nil
	case protoreflect.BytesKind:
		data, err := someBytes(v)
		return protoreflect.ValueOfBytes(data), err
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(text == "true"), nil
	case protoreflect.Uint64Kind:
		n, err := strconv.ParseUint(text, 10, 64)
		return protoreflect.ValueOfUint64(n), err
	case protoreflect.Int64Kind:
		n, err := strconv.ParseInt(text, 10, 64)
		return protoreflect.ValueOfInt64(n), err
	case protoreflect.Uint32Kind:
		n, err := strconv.ParseUint(text, 10, 32)
		return protoreflect.ValueOfUint32(uint32(n)), err
	case protoreflect.Int32Kind:
		n, err := strconv.ParseInt(text, 10, 32)
		return protoreflect.ValueOfInt32(int32(n)), err
	case protoreflect.EnumKind:
		if value := field.Enum().Values().ByName(protoreflect.Name(text)); value != nil {
			return protoreflect.ValueOfEnum(value.Number()), nil
		}
		n, err := strconv.ParseInt(text, 10, 32)
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(n)), err
	}
	return protoreflect.Value{}, fmt.Errorf("fields of kind %v are not known", field.Kind())
}

// someBytes reads text, {"base64": ...}, or {"size": n} for n times "x".
func someBytes(v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return []byte(v), nil
	case map[string]any:
		if text, ok := v["base64"].(string); ok {
			return base64.StdEncoding.DecodeString(text)
		}
		n, err := number(v["size"])
		return bytes.Repeat([]byte("x"), int(n)), err
	}
	return nil, fmt.Errorf("%T is not how bytes are written", v)
}

// decode returns a response as the table writes it.
func decode(path string, frame []byte) (map[string]any, error) {
	types, ok := methods[strings.ToLower(path)]
	if !ok {
		return nil, errors.New("a message came for a method that has none")
	}
	m := types.response()
	if err := proto.Unmarshal(frame, m); err != nil {
		return nil, err
	}
	return plain(m.ProtoReflect()), nil
}

// plain returns the set fields of a message under their protocol names.
func plain(m protoreflect.Message) map[string]any {
	if packed, ok := m.Interface().(*anypb.Any); ok {
		return plainAny(packed)
	}
	object := map[string]any{}
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		object[field.TextName()] = plainField(m, field, v)
		return true
	})
	return object
}

func plainField(m protoreflect.Message, field protoreflect.FieldDescriptor, v protoreflect.Value) any {
	isStatus := m.Descriptor().FullName() == "google.rpc.Status"
	switch {
	case isStatus && field.Name() == "code":
		return code.Code(v.Int()).String()
	case isStatus && field.Name() == "details": // one on the wire, though this type has a list
		return plain(v.List().Get(0).Message())
	case field.IsMap():
		entries := map[string]any{}
		v.Map().Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
			entries[key.String()] = value.String()
			return true
		})
		return entries
	case field.IsList():
		var items []any
		for i := range v.List().Len() {
			items = append(items, plainValue(field, v.List().Get(i)))
		}
		return items
	}
	return plainValue(field, v)
}

func plainValue(field protoreflect.FieldDescriptor, v protoreflect.Value) any {
	switch field.Kind() {
	case protoreflect.MessageKind:
		return plain(v.Message())
	case protoreflect.Uint64Kind, protoreflect.Int64Kind:
		return v.String()
	case protoreflect.Uint32Kind, protoreflect.Int32Kind:
		return json.Number(v.String())
	case protoreflect.BoolKind:
		return v.Bool()
	case protoreflect.EnumKind:
		return string(field.Enum().Values().ByNumber(v.Enum()).Name())
	case protoreflect.BytesKind:
		return plainBytes(v.Bytes())
	}
	return v.String()
}

func plainBytes(data []byte) any {
	switch {
	case len(data) > 200 && len(bytes.Trim(data, "x")) == 0:
		return map[string]any{"size": json.Number(strconv.Itoa(len(data)))}
	case !utf8.Valid(data):
		return map[string]any{"base64": base64.StdEncoding.EncodeToString(data)}
	}
	return string(data)
}

func plainAny(packed *anypb.Any) map[string]any {
	object := map[string]any{}
	typ, err := protoregistry.GlobalTypes.FindMessageByURL(packed.GetTypeUrl())
	if err == nil {
		m := typ.New()
		if err = proto.Unmarshal(packed.GetValue(), m.Interface()); err == nil {
			object = plain(m)
		}
	}
	object["@type"] = packed.GetTypeUrl()
	return object
}

// brief writes a response of a read as one line, or leaves it as it is.
func brief(response map[string]any) any {
	if e, ok := response["event"].(map[string]any); ok {
		line := ""
		if inner, ok := e["event"].(map[string]any); ok {
			line = "event " + place(inner)
		}
		if link, ok := e["link"].(map[string]any); ok {
			line += " link " + place(link)
		}
		return strings.TrimSpace(line)
	}

	if c, ok := response["checkpoint"].(map[string]any); ok {
		return "checkpoint " + orZero(c["commit_position"]) + "/" + orZero(c["prepare_position"])
	}

	for _, word := range []string{"confirmation", "caught_up"} {
		if _, ok := response[word]; ok {
			return word
		}
	}
	return response
}

func place(e map[string]any) string {
	name, _ := e["stream_identifier"].(map[string]any)["stream_name"].(string)
	return name + "@" + orZero(e["stream_revision"]) + " " + orZero(e["commit_position"]) + "/" +
		orZero(e["prepare_position"])
}

func orZero(v any) string {
	if text, ok := v.(string); ok {
		return text
	}
	return "0"
}

// keys returns an object's keys in order, for texts that do not change.
func keys(object map[string]any) []string {
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
