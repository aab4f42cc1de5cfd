// Package asyncapi describes what goes over NATS as AsyncAPI 3 does: every subject, what is
// sent there and what comes back. Nothing in it is written down a second time. The subjects
// are those of the table of who may do what ([auth.Subjects]), the events and answers have
// the schemas of package wire, and what operators send has those of the routes of HTTP that
// they are.
//
// The document is written from the ledger's side: what it receives, an app sends.
package asyncapi

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"consentledger/api/auth"
	"consentledger/api/nats/operator"
	"consentledger/api/nats/subject"
	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/api/wire/schema"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Version is that of the convention.
const Version = "3.0.0"

// An object is JSON.
type object = map[string]any

// Document returns the description, as JSON. The routes are those of HTTP, all of them,
// and the version is the program's. An error is a mistake in this program: a subject that
// nobody describes.
func Document(routes *huma.OpenAPI, version string) ([]byte, error) {
	b := &builder{paths: routes.Paths, schemas: object{}, messages: object{}, channels: object{}, operations: object{}}
	if err := again(routes.Components.Schemas, &b.schemas); err != nil {
		return nil, err
	}

	for _, s := range auth.Subjects {
		if err := b.add(s); err != nil {
			return nil, fmt.Errorf("asyncapi: %s: %w", s.Subject, err)
		}
	}

	return json.Marshal(object{
		"asyncapi": Version,
		"info": object{
			"title": "consentledger", "version": version,
			"description": "The consent ledger over NATS. Events are CloudEvents. A request is answered on the " +
				"subject that it names; every answer says by outcome what became of it. Where keys are asked for, " +
				"each operation says by x-roles whose key may.",
			"license": object{"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
		},
		"defaultContentType": "application/json",
		"servers": object{"embedded": object{"host": "127.0.0.1:4222", "protocol": "nats",
			"description": "the server that serve starts, unless --nats names another"}},
		"channels":   b.channels,
		"operations": b.operations,
		"components": object{"schemas": b.schemas, "messages": b.messages},
	}, json.Deterministic(true), jsontext.Multiline(true))
}

// again reads into to what from is as JSON.
func again(from, to any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return fmt.Errorf("asyncapi: %w", err)
	}
	return json.Unmarshal(text, to)
}

type builder struct {
	paths                                   map[string]*huma.PathItem
	schemas, messages, channels, operations object
}

// An exchange is what is sent on a subject, and what comes back.
type exchange struct {
	name    string   // of the channel and the operation
	address string   // with {app}, and perhaps {type}
	says    string   // what it is for
	sent    []string // messages
	answers []string // likewise; nil: nothing comes back
}

// add describes a subject of the table.
func (b *builder) add(s auth.Subject) error {
	_, what := subject.Parse(s.Subject)
	switch what {
	case "record":
		return b.receive(s, exchange{
			name: what, address: s.Subject, says: "Record an event; the answer is a receipt once it is on disk",
			sent: b.events(), answers: b.named("receipt", "problem"),
		})
	case subject.DryRun("record"):
		return b.receive(s, exchange{
			name: what, address: s.Subject, says: wouldDo + "Record an event", sent: b.events(),
			answers: b.named("dry-run", "problem"),
		})
	case subject.In + ">":
		return b.receive(s, exchange{
			name: "in", address: subject.Of("{app}", subject.In+"{type}"),
			says: "Record an event later: the JetStream stream CONSENT_IN takes it, and the ledger drains it. type " +
				"is that of the event",
			sent: b.events(),
		})
	case "check":
		return b.receive(s, exchange{name: what, address: s.Subject, says: `Ask "may we?"`, sent: b.named("check"),
			answers: b.named("answer", "problem")})
	case "prompt":
		return b.receive(s, exchange{
			name: what, address: s.Subject, says: "Ask what must be asked of a person", sent: b.named("prompt-request"),
			answers: b.named("prompt", "problem"),
		})
	case "out.>":
		return b.tell(s)
	}

	i := slices.IndexFunc(operator.Routes,
		func(r operator.Route) bool { return strings.Replace(r.Subject, "*", "{app}", 1) == s.Subject })
	if i < 0 {
		return fmt.Errorf("nothing says what is sent on it")
	}
	return b.route(s, operator.Routes[i], what)
}

// wouldDo begins what a dry run is for; what it tries follows.
const wouldDo = "Answer what this would record, or why it would be refused, and keep nothing: "

// receive adds a channel on which the ledger listens, and what it does with what comes.
func (b *builder) receive(s auth.Subject, x exchange) error {
	operation := b.operation(s, x, "receive")
	operation["bindings"] = object{"nats": object{"queue": "consentledger", "bindingVersion": "0.1.0"}}
	if x.answers != nil {
		reply := x.name + ".reply"
		b.channels[reply] = object{
			"address": nil, "title": "answers to " + x.name,
			"description": "the subject that the request names as its reply", "messages": refs(x.answers),
		}
		operation["reply"] = object{"channel": ref("channels", reply), "messages": within(reply, x.answers)}
	}

	if strings.HasPrefix(x.name, "in") {
		delete(operation, "bindings") // JetStream takes it, and no queue group
	}

	b.operations[x.name] = operation
	return nil
}

// tell adds the channels on which the ledger tells apps something, one for each type.
func (b *builder) tell(s auth.Subject) error {
	for _, t := range slices.Concat(wire.ConsentTypes, wire.ObligationTypes) {
		name, about := "told-obligation", "obligations, into the JetStream stream CONSENT_OUT"
		if slices.Contains(wire.ConsentTypes, t) {
			name, about = "told-consent", "consents, into the JetStream stream CONSENT_CHANGES, where serve has "+
				"--tell-consents"
		}
		if b.schemas[name] == nil {
			told, has := schema.Told(name)
			if !has {
				return fmt.Errorf("there is no schema %s", name)
			}
			b.schemas[name] = told
		}
		message := "told." + t
		b.messages[message] = object{
			"name": t, "title": t, "contentType": "application/cloudevents+json",
			"payload": object{"allOf": []any{ref("components/schemas", name),
				object{"properties": object{"type": object{"const": t}}}}},
		}
		b.operations["tell."+t] = b.operation(s, exchange{
			name: "out." + t, address: subject.Of("{app}", "out."+t),
			says: "Tell what becomes of " + about + ". At least once, with the same id each time",
			sent: []string{message},
		}, "send")
	}
	return nil
}

// operation adds the channel of an exchange, and returns its operation.
func (b *builder) operation(s auth.Subject, x exchange, action string) object {
	parameters := object{}
	for name, says := range map[string]string{"app": "the name of an app", "group": "the name of a group of apps"} {
		if strings.Contains(x.address, "{"+name+"}") {
			parameters[name] = object{"description": says}
		}
	}
	if strings.Contains(x.address, "{type}") {
		parameters["type"] = object{"description": "the type of the event", "enum": parse.Types()}
	}
	b.channels[x.name] = object{"address": x.address, "title": x.says, "parameters": parameters,
		"messages": refs(x.sent)}

	operation := object{
		"action": action, "channel": ref("channels", x.name), "title": x.says, "messages": within(x.name, x.sent),
		"x-operation": string(s.Operation),
	}
	if i := slices.IndexFunc(auth.Operations, func(r auth.Row) bool { return r.Operation == s.Operation }); i >= 0 {
		row := auth.Operations[i]
		roles := []string{}
		for _, r := range row.Roles {
			roles = append(roles, string(r))
		}
		if row.Any {
			roles = []string{"any"}
		}
		operation["x-roles"], operation["description"] = roles, row.Says
	}
	return operation
}

// events returns the messages of all events that can be sent.
func (b *builder) events() (names []string) {
	for _, t := range parse.Types() {
		b.message("event."+t, t, "application/cloudevents+json")
		names = append(names, "event."+t)
	}
	return names
}

// named returns the messages of schemas of package wire.
func (b *builder) named(schemas ...string) (names []string) {
	for _, name := range schemas {
		kind := "application/json"
		if name == "problem" {
			kind = "application/problem+json"
		}
		b.message("wire."+name, name, kind)
		names = append(names, "wire."+name)
	}
	return names
}

// message adds a message that has a schema of package schema. Names of components begin
// apart, so that those of HTTP do not meet these.
func (b *builder) message(message, name, contentType string) {
	if b.messages[message] != nil {
		return
	}

	text, has := schema.Of(name)
	if !has {
		panic("asyncapi: there is no schema " + name)
	}

	var s object
	if err := json.Unmarshal(text, &s); err != nil {
		panic("asyncapi: schema " + name + ": " + err.Error())
	}

	delete(s, "$schema") // AsyncAPI has one for all payloads
	delete(s, "$id")
	b.schemas[message] = s
	b.messages[message] = object{"name": name, "title": name, "contentType": contentType,
		"payload": ref("components/schemas", message)}
}

// route adds a subject that is a route of HTTP.
func (b *builder) route(s auth.Subject, r operator.Route, name string) error {
	op := operationOf(b.paths[r.Path], r.Method)
	if op == nil && strings.HasPrefix(r.Path, "/log/") {
		op = &huma.Operation{Summary: "The proof that a record is in the log", Responses: map[string]*huma.Response{
			"200": {Content: map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}}},
		}}
	}
	if op == nil {
		return fmt.Errorf("there is no route %s %s", r.Method, r.Path)
	}
	x := exchange{name: name, address: s.Subject, says: op.Summary, answers: b.named("problem")}
	if strings.HasPrefix(r.Path, "/v1/groups/") {
		x.address = strings.Replace(x.address, "{app}", "{group}", 1)
	}

	switch {
	case r.Events:
		x.sent = b.events()
	case r.File:
		x.sent = b.files(name, op)
	default:
		payload, err := b.body(r, op)
		if err != nil {
			return err
		}
		message := name + ".request"
		b.messages[message] = object{"name": message, "title": op.Summary, "contentType": "application/json",
			"payload": payload}
		x.sent = []string{message}
	}
	if r.DryRun {
		x.says, x.answers = wouldDo+op.Summary, b.named("dry-run", "problem")
		return b.receive(s, x)
	}

	var kind string
	var answer *huma.Schema
	if well := op.Responses["200"]; well != nil {
		kind, answer = contentOf(well.Content)
	}
	if answer == nil {
		return fmt.Errorf("the route %s %s has no answer", r.Method, r.Path)
	}
	var payload any
	if err := again(answer, &payload); err != nil {
		return err
	}
	message := name + ".answer"
	b.messages[message] = object{"name": message, "title": "the answer", "contentType": kind, "payload": payload}
	x.answers = append([]string{message}, x.answers...)
	return b.receive(s, x)
}

// files returns the messages of a route whose body is a file: one for each type that it takes.
func (b *builder) files(name string, op *huma.Operation) (messages []string) {
	for _, kind := range slices.Sorted(maps.Keys(op.RequestBody.Content)) {
		_, short, _ := strings.Cut(kind, "/")
		message := name + ".request." + short
		b.messages[message] = object{"name": message, "title": op.Summary, "contentType": kind,
			"description": "the file as it is, of at most what the NATS server takes in a message: a larger one goes over HTTP",
			"payload":     object{"type": "string", "format": "binary"}}
		messages = append(messages, message)
	}
	return messages
}

// body returns the schema of the body of a message: that of the route, and beside it what
// the route has in its path and its query.
func (b *builder) body(r operator.Route, op *huma.Operation) (object, error) {
	payload := object{"type": "object"}
	if op.RequestBody != nil {
		_, body := contentOf(op.RequestBody.Content)
		var is object
		if err := again(body, &is); err != nil {
			return nil, err
		}
		if name, refers := strings.CutPrefix(fmt.Sprint(is["$ref"]), "#/components/schemas/"); refers {
			is, _ = b.schemas[name].(object)
		}
		payload = maps.Clone(is)
	}

	properties, _ := payload["properties"].(object)
	properties = maps.Clone(properties)
	if properties == nil {
		properties = object{}
	}
	required, _ := payload["required"].([]any)
	required = slices.Clone(required)
	for _, name := range r.InQuery {
		properties[name] = object{"type": []string{"string", "integer", "boolean"},
			"description": "as in the query over HTTP"}
	}
	for _, name := range r.InPath {
		properties[name] = object{"type": "string", "description": "as in the path over HTTP"}
		required = append(required, name)
	}
	if r.AppInBody { // the subject has it
		delete(properties, "app")
		required = slices.DeleteFunc(required, func(name any) bool { return name == "app" })
	}
	payload["properties"] = properties
	if delete(payload, "required"); len(required) > 0 {
		payload["required"] = required
	}
	return payload, nil
}

func operationOf(item *huma.PathItem, method string) *huma.Operation {
	if item == nil {
		return nil
	}
	return map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put}[method]
}

// contentOf returns what a body or an answer is: JSON, if it may be that.
func contentOf(content map[string]*huma.MediaType) (kind string, is *huma.Schema) {
	const first = "application/json"
	if content[first] != nil {
		return first, content[first].Schema
	}
	kinds := slices.Sorted(maps.Keys(content))
	if len(kinds) == 0 {
		return "", nil
	}
	return kinds[0], content[kinds[0]].Schema
}

// ref refers to something in the document.
func ref(where, name string) object { return object{"$ref": "#/" + where + "/" + name} }

// refs are the messages of a channel.
func refs(messages []string) object {
	all := object{}
	for _, m := range messages {
		all[m] = ref("components/messages", m)
	}
	return all
}

// within refers to messages of a channel.
func within(channel string, messages []string) (all []any) {
	for _, m := range messages {
		all = append(all, ref("channels/"+channel+"/messages", m))
	}
	return all
}
