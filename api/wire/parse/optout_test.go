package parse

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/policy"
	"consentledger/eventstore/ledger"
)

// withdrawal is an opt-out, with changes.
func withdrawal(change ...string) []byte {
	const event = `{"specversion":"1.0","id":"1","source":"/a","type":"consent.withdrawn","subject":"ann","time":"2026-03-02T09:30:00Z","sequence":"7","data":{"purposes":["mail"]}}`
	return []byte(strings.NewReplacer(change...).Replace(event))
}

// optsOut reports whether a request withdraws the purpose mail of ann.
func optsOut(r ledger.Request) bool {
	w, ok := r.Command.(domain.WithdrawConsent)
	return ok && r.Person.ID == "ann" && (w.Scope.All || len(w.Scope.Purposes) > 0 && w.Scope.Purposes[0] == "mail")
}

func TestNothingThatStandsBesideAnOptOutRefusesIt(t *testing.T) {
	const at = `"time":"2026-03-02T09:30:00Z"`
	for _, c := range []struct {
		name   string
		event  []byte
		unread string // what the record names
		claim  string // a part of what it keeps
	}{
		{"nothing wrong", withdrawal(), "", ""},
		{"a leap second", withdrawal(at, `"time":"2016-12-31T23:59:60Z"`), "", ""},
		{"lower-case letters in the time", withdrawal(at, `"time":"2026-03-02t09:30:00z"`), "", ""},
		{"a time as C# prints it", withdrawal(at, `"time":"01/01/1970 00:00:00 +00:00"`), "time", "01/01/1970 00:00:00 +00:00"},
		{"a time that is no moment", withdrawal(at, `"time":"2026-02-30T09:30:00Z"`), "time", "2026-02-30"},
		{"a time without a zone", withdrawal(at, `"time":"2026-03-02T09:30:00"`), "time", "2026-03-02T09:30:00"},
		{"a notice of zeros", withdrawal(`"purposes"`, `"notice":"00000000-0000-0000-0000-000000000000","purposes"`), "data.notice", "00000000-0000"},
		{"the epoch", withdrawal(at, `"time":"1970-01-01T00:00:00Z"`), "time", "1970"},
		{"a time that is a number", withdrawal(at, `"time":1772443800`), "time", "1772443800"},
		{"a time that is empty", withdrawal(at, `"time":""`), "time", ""},
		{"a time that is an object", withdrawal(at, `"time":{"seconds":1}`), "time", "seconds"},
		{"a time twice, and two of them", withdrawal(at, at+`,"time":"2026-03-02T09:30:01Z"`), "time", "09:30:01Z"},
		{"a sequence of zero", withdrawal(`"7"`, `"0"`), "sequence", "0"},
		{"a sequence below zero", withdrawal(`"7"`, `-1`), "sequence", "-1"},
		{"a sequence with a point", withdrawal(`"7"`, `5.0`), "sequence", "5.0"},
		{"a sequence that is too large", withdrawal(`"7"`, `9007199254740993`), "sequence", "9007199254740993"},
		{"a sequence of letters", withdrawal(`"7"`, `"a7"`), "sequence", "a7"},
		{"a sequence that is true", withdrawal(`"7"`, `true`), "sequence", "true"},
		{"another version of CloudEvents", withdrawal(`"1.0"`, `"0.3"`), "specversion", "0.3"},
		{"no version of CloudEvents", withdrawal(`"specversion":"1.0",`, ``), "specversion", ""},
		{"an actor that nobody knows", withdrawal(`"id"`, `"actor":"user","id"`), "actor", "user"},
		{"whom it is on behalf of, by a phone number", withdrawal(`"id"`, `"onbehalfof":"13800138000 x","id"`), "onbehalfof", "13800138000"},
		{"data that are said to be text", withdrawal(`"id"`, `"datacontenttype":"text/plain","id"`), "datacontenttype", "text/plain"},
		{"an attribute with an upper-case name", withdrawal(`"id"`, `"traceParent":"00","id"`), "traceParent", "00"},
		{"an attribute that is a list", withdrawal(`"id"`, `"tags":["a"],"id"`), "tags", `[\"a\"]`},
		{"a member that nobody knows", withdrawal(`"purposes"`, `"surface":"settings","purposes"`), "data.surface", "settings"},
		{"a member whose name is personal", withdrawal(`"purposes"`, `"138 0013 8000":1,"purposes"`), "data.(a name)", "138 0013 8000"},
		{"a build that is a text", withdrawal(`"purposes"`, `"build":"five two","purposes"`), "data.build", "five two"},
		{"a build that is a number", withdrawal(`"purposes"`, `"build":5,"purposes"`), "data.build", "5"},
		{"details that are a list", withdrawal(`"purposes"`, `"details":[1],"purposes"`), "data.details", "[1]"},
		{"details with a number that cannot be kept", withdrawal(`"purposes"`, `"details":{"n":1e-400},"purposes"`), "data.details", "1e-400"},
		{"details with a name twice", withdrawal(`"purposes"`, `"details":{"n":1,"n":2},"purposes"`), "data.details", "n"},
		{"details in another encoding than UTF-8", withdrawal(`"purposes"`, "\"details\":{\"n\":\"\xd5\xc5\"},\"purposes\""), "data.details", base64.StdEncoding.EncodeToString([]byte("{\"n\":\"\xd5\xc5\"}"))},
		{"details twice, and two of them", withdrawal(`"purposes"`, `"details":{"n":1},"details":{"n":2},"purposes"`), "data.details", `1`},
		{"purposes that are a text", withdrawal(`["mail"]`, `"mail"`), "data.purposes", "mail"},
		{"a purpose that is a number, beside one", withdrawal(`["mail"]`, `["mail",5]`), "data.purposes[1]", "5"},
		{"the purpose, in the singular", withdrawal(`"purposes"`, `"purpose"`), "data.purpose", "mail"},
		{"members as C# spells them", withdrawal(`{"purposes"`, `{"Build":"5.2","Purposes"`), "data.Build,data.Purposes", "5.2"},
		{"a signal as it is, and a strange time", withdrawal(`"purposes"`, `"act":"gpc","purposes"`, at, `"time":"now"`), "time", "now"},
		{"all as a text", withdrawal(`"purposes":["mail"]`, `"all":"True"`), "data.all", "True"},
		{"data as text in a text", withdrawal(`{"purposes":["mail"]}`, `"{\"purposes\":[\"mail\"]}"`), "data", "purposes"},
		{"data as Base64 in a text", withdrawal(`{"purposes":["mail"]}`, `"eyJwdXJwb3NlcyI6WyJtYWlsIl19"`), "data", "eyJwdXJw"},
		{"data, and data_base64 that is null", withdrawal(`"data"`, `"data_base64":null,"data"`), "", ""},
		{"data, and after them data_base64 that is null", withdrawal(`]}}`, `]},"data_base64":null}`), "", ""},
		{"the same with a strange time", withdrawal(`]}}`, `]},"data_base64":null}`, at, `"time":"now"`), "time", "now"},
		{"data that are null, after data_base64", withdrawal(`"data":{"purposes":["mail"]}`, `"data_base64":"eyJwdXJwb3NlcyI6WyJtYWlsIl19","data":null`, at, `"time":"now"`), "time", "now"},
		{"data twice, which say the same", withdrawal(`]}}`, `]},"data":{ "purposes":["mail"] }}`), "", ""},
		{"data in both forms, which say the same", withdrawal(`]}}`, `]},"data_base64":"eyJwdXJwb3NlcyI6WyJtYWlsIl19"}`), "", ""},
		{"a byte order mark", withdrawal(`{"specversion"`, "\ufeff{\"specversion\""), "", ""},
		{"a byte order mark and a strange time", withdrawal(`{"specversion"`, "\ufeff{\"specversion\"", at, `"time":"now"`), "time", "now"},
		{"all of it at once", withdrawal(at, `"time":"now"`, `"7"`, `"x"`, `"purposes"`, `"kind":"off","purposes"`), "data.kind,sequence,time", "now"},
	} {
		for mode, parse := range map[string]func([]byte) (ledger.Request, error){
			"apps":      func(b []byte) (ledger.Request, error) { return Event("a", b) },
			"operators": func(b []byte) (ledger.Request, error) { return OperatorEvent("a", b) },
			"groups":    EventForGroup,
		} {
			r, err := parse(c.event)
			if err != nil || !optsOut(r) {
				t.Errorf("%s, by %s: %+v, %v", c.name, mode, r.Command, err)
				continue
			}
			if r.Unread.Names != c.unread || !strings.Contains(string(r.Unread.Claims), c.claim) {
				t.Errorf("%s, by %s: names %q, keeps %s, want %q, %s", c.name, mode, r.Unread.Names, r.Unread.Claims, c.unread, c.claim)
			}
			if TypeOf(r) != "consent.withdrawn" {
				t.Errorf("%s, by %s: it is of type %q", c.name, mode, TypeOf(r))
			}
			if strings.Contains(c.unread, "time") != (r.At == 0) || strings.Contains(c.unread, "sequence") != (r.Sequence == 0) {
				t.Errorf("%s, by %s: at %v, number %d", c.name, mode, r.At, r.Sequence)
			}
		}
	}
}

func TestEveryKindOfOptOutIsTaken(t *testing.T) {
	for _, c := range []struct{ kind, data string }{
		{"consent.refused", `{"all":true,"locale":"??"}`}, {"consent.refused", `{"purposes":["mail"],"version":"v2","notice":"x","initial":"y"}`},
		{"permission.denied", `{"permission":"network","when":"now"}`}, {"permission.revoked", `{"Permission":"network","details":5}`},
		{"decision.objected", `{"decision":"credit-limit","why":5}`},
		{"request.received", `{"types":["withdraw"],"channel":"feedback","authenticated":"yes","document":"x"}`},
		{"request.received", `{"types":["withdraw","nonsense"],"channel":"feedback"}`}, {"request.received", `{"types":"withdraw","channel":"feedback"}`},
	} {
		r, err := Event("a", withdrawal("consent.withdrawn", c.kind, `{"purposes":["mail"]}`, c.data, `"7"`, `"x"`))
		if err != nil || !domain.IsOptOut(r.Command) || !strings.Contains(r.Unread.Names, "data.") {
			t.Errorf("%s %s: %+v, %q, %v", c.kind, c.data, r.Command, r.Unread.Names, err)
		}
		if r.At == 0 {
			t.Errorf("%s %s: the time is lost, which is right", c.kind, c.data)
		}
	}
}

// A signal is one, however it is spelled: by its header, its property, its
// letters.
func TestASignalIsOneHoweverItIsSpelled(t *testing.T) {
	for act, want := range map[string]policy.ActID{
		"gpc": "gpc", "GPC": "gpc", "Sec-GPC": "sec-gpc", "sec_gpc": "sec-gpc", "globalPrivacyControl": "global-privacy-control",
		"Global Privacy Control": "global-privacy-control", "DNT": "dnt", "doNotTrack": "do-not-track",
		"settings-switch": "settings-switch", "Settings Switch": "", "GPCs": "", "": "",
	} {
		for _, kind := range []string{"refused", "withdrawn"} {
			r, err := Event("a", withdrawal("withdrawn", kind, `"purposes"`, `"act":"`+act+`","purposes"`))
			if err != nil {
				t.Fatal(err)
			}
			var got policy.ActID
			switch cmd := r.Command.(type) {
			case domain.RefuseConsent:
				got = cmd.Act
			case domain.WithdrawConsent:
				got = cmd.Act
			}
			if unread := strings.Contains(r.Unread.Names, "data.act"); got != want || unread != (act != string(want)) {
				t.Errorf("%s, act %q: is %q, want %q; not understood: %q", kind, act, got, want, r.Unread.Names)
			}
		}
	}
}

// A header that holds no signature is a claim beside an opt-out, and refuses a grant.
func TestASignatureThatIsNoneIsAClaim(t *testing.T) {
	for header, form := range map[string]error{"garbled": nil, "a;AAAA": nil, "a;" + strings.Repeat("A", 85) + "A==": ErrSignedForm} {
		no, err := Event("a", withdrawal(`"purposes"`, `"build":5,"purposes"`))
		if err != nil {
			t.Fatal(err)
		}
		body := string(no.Body)
		no, err = Sign(no, []string{header}, nil, form)
		if err != nil || no.Signed != nil || no.Unread.Names != "consent-signature,data.build" || string(no.Unread.Claims) != `[["consent-signature","`+header+`"],["data.build","5"]]` || string(no.Body) != body {
			t.Errorf("%s: %+v, %s, %v", header, no.Unread.Names, no.Unread.Claims, err)
		}
		yes, err := Event("a", withdrawal("withdrawn", "given", `"purposes"`, `"act":"agree","purposes"`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Sign(yes, []string{header}, nil, form); err == nil {
			t.Errorf("%s: a grant is taken", header)
		}
	}
}

// asksToStop is a request, with changes.
func asksToStop(change ...string) []byte {
	const event = `{"specversion":"1.0","id":"1","source":"/a","type":"request.received","subject":"ann","data":{"types":["withdraw"],"channel":"mail"}}`
	return []byte(strings.NewReplacer(change...).Replace(event))
}

func TestARequestToStopNeedsNoChannel(t *testing.T) {
	for _, c := range []struct {
		name, channel, claim string
		want                 policy.ChannelID
	}{
		{"none", ``, `["data.channel",""]`, "unsaid"},
		{"null", `,"channel":null`, `["data.channel",""]`, "unsaid"},
		{"empty", `,"channel":""`, `["data.channel",""]`, "unsaid"},
		{"a number", `,"channel":7`, `["data.channel","7"]`, "unsaid"},
		{"an object", `,"channel":{"id":"mail"}`, "mail", "unsaid"},
		{"capitals and blanks", `,"channel":"App Store"`, "App Store", "unsaid"},
		{"an address", `,"channel":"ann@example.com"`, "ann@example.com", "unsaid"},
		{"too long", `,"channel":"` + strings.Repeat("x", 65) + `"`, "xxx", "unsaid"},
		{"two of them", `,"channel":"mail","channel":"phone"`, "mail", "phone"},
		{"another spelling", `,"Channel":"phone"`, "phone", "phone"},
		{"two spellings", `,"Channel":"phone","CHANNEL":"mail"`, "mail", "phone"},
	} {
		event := asksToStop(`,"channel":"mail"`, c.channel)
		r, err := Event("a", event)
		cmd, ok := r.Command.(domain.OpenRequest)
		if err != nil || !ok || cmd.Channel != c.want || !strings.Contains(string(r.Unread.Claims), c.claim) || !strings.Contains(r.Unread.Names, "data.") {
			t.Errorf("%s: %+v, %s, %v", c.name, cmd, r.Unread.Claims, err)
		}
		other := bytes.Replace(event, []byte("withdraw"), []byte("access"), 1)
		if r, err := Event("a", other); err == nil {
			t.Errorf("%s: a request of another kind is %+v", c.name, r.Command)
		}
	}
	if r, err := Event("a", asksToStop()); err != nil || r.Unread.Names != "" {
		t.Errorf("%+v, %v", r.Unread, err)
	}
}

func TestAnOptOutIsReadFromBase64OfAnyForm(t *testing.T) {
	const data = `{"purposes":["mail"],"details":{"a":"?????>>>>>~~~"}}`
	url := base64.URLEncoding.EncodeToString([]byte(data))
	if !strings.ContainsAny(url, "-_") || !strings.HasSuffix(url, "=") {
		t.Fatal("the text tells no forms apart")
	}
	std := base64.StdEncoding.EncodeToString([]byte(data))
	for name, text := range map[string]string{
		"for URLs": url, "for URLs, unpadded": strings.TrimRight(url, "="), "unpadded": strings.TrimRight(std, "="), "in lines": std[:8] + `\n` + std[8:],
	} {
		event := withdrawal(`"data":{"purposes":["mail"]}`, `"data_base64":"`+text+`"`)
		r, err := Event("a", event)
		if err != nil || !optsOut(r) {
			t.Errorf("%s: %+v, %v", name, r.Command, err)
		}
		grant := bytes.Replace(event, []byte("withdrawn"), []byte("acknowledged"), 1)
		if _, err := Event("a", bytes.Replace(grant, []byte("consent."), []byte("policy."), 1)); err == nil {
			t.Errorf("%s: what is no opt-out is taken", name)
		}
	}
	if r, err := Event("a", withdrawal(`"data":{"purposes":["mail"]}`, `"data_base64":"%%%"`)); err == nil {
		t.Errorf("no Base64: %+v", r.Command)
	}
}

func TestWhatAnOptOutIsAboutHasToBeReadable(t *testing.T) {
	for _, c := range []struct{ name, event, says string }{
		{"no id", string(withdrawal(`"id":"1",`, ``)), "id is missing"},
		{"two ids", string(withdrawal(`"id":"1"`, `"id":"1","id":"2"`)), "twice"},
		{"no source", string(withdrawal(`"source":"/a",`, ``)), "source is missing"},
		{"no subject", string(withdrawal(`"subject":"ann",`, ``)), "subject is missing"},
		{"a subject that is an address", string(withdrawal(`"ann"`, `"ann@example.com"`)), "subject"},
		{"purposes that are none", string(withdrawal(`["mail"]`, `5`)), "data.purposes must be a list"},
		{"purposes twice, and two of them", string(withdrawal(`["mail"]`, `["mail"],"purposes":["ads"]`)), "data"},
		{"purposes in two spellings, and no other", string(withdrawal(`"purposes":["mail"]`, `"Purposes":["mail"],"PURPOSES":["ads"]`)), "two spellings"},
		{"no data that are JSON", string(withdrawal(`{"purposes":["mail"]}`, `{"purposes"}`)), "not valid JSON"},
		{"data twice, and two of them", string(withdrawal(`]}}`, `]},"data":{"purposes":["ads"]}}`)), "twice"},
		{"data in both forms, and two of them", string(withdrawal(`]}}`, `]},"data_base64":"eyJwdXJwb3NlcyI6WyJhZHMiXX0="}`)), "not both"},
		{"a list for data", string(withdrawal(`{"purposes":["mail"]}`, `["mail"]`)), "data must be a JSON object"},
		{"a grant with a strange time", string(withdrawal("withdrawn", "given", `"time":"2026`, `"time":"x2026`)), "time"},
		{"a grant with a strange number", string(withdrawal("withdrawn", "given", `"7"`, `"x"`)), "sequence"},
		{"a grant as text in a text", string(withdrawal("withdrawn", "given", `{"purposes":["mail"]}`, `"{\"act\":\"agree\"}"`)), "written inside a JSON string"},
		{"a grant as Base64 in a text", string(withdrawal("withdrawn", "given", `{"purposes":["mail"]}`, `"eyJhY3QiOiJhZ3JlZSJ9"`)), "as Base64 inside a JSON string"},
		{"a grant as C# spells it", string(withdrawal("withdrawn", "given", `{"purposes":["mail"]}`, `{"Act":"agree"}`)), "data.Act is no member that is known here: it is spelled act"},
		{"a request for a copy", string(withdrawal("consent.withdrawn", "request.received", `{"purposes":["mail"]}`, `{"types":["access"],"channel":"feedback","x":1}`)), "data.x is no member"},
	} {
		if r, err := Event("a", []byte(c.event)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %+v, %v, want %q", c.name, r.Command, err, c.says)
		}
	}
}

func TestAnOptOutThatIsSentAgainIsTheSameAndAnotherIsNot(t *testing.T) {
	parse := func(change ...string) ledger.Request {
		r, err := Event("a", withdrawal(change...))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	one := parse(`"time":"2026-03-02T09:30:00Z"`, `"time":"x"`, `"7"`, `"y"`)
	same := parse(`"time":"2026-03-02T09:30:00Z","sequence":"7"`, `"sequence":"y", "time" : "x"`)
	other := parse(`"time":"2026-03-02T09:30:00Z"`, `"time":"z"`, `"7"`, `"y"`)
	if !bytes.Equal(one.Body, same.Body) || bytes.Equal(one.Body, other.Body) {
		t.Errorf("one is %s\nsame %s\nother %s", one.Body, same.Body, other.Body)
	}

	binary := map[string][]string{"ce-specversion": {"1.0"}, "ce-id": {"1"}, "ce-source": {"/a"}, "ce-type": {"consent.withdrawn"},
		"ce-subject": {"ann"}, "ce-time": {"x"}, "ce-sequence": {"y"}}
	for _, mark := range []string{"", "\ufeff"} {
		if r, err := BinaryEvent("a", binary, []byte(mark+`{"purposes":["mail"]}`), ""); err != nil || !bytes.Equal(r.Body, one.Body) {
			t.Errorf("in binary mode it is %s, %v, want %s", r.Body, err, one.Body)
		}
	}
}

// A member's name may hold what a person typed: nothing of it reaches the record,
// wherever a bracket stands in it.
func TestARecordShowsNoMembersNameThatSaysMore(t *testing.T) {
	for member, shows := range map[string]string{
		"extra": "data.extra", "extra[7]": "data.extra[7]",
		"extra[Ann": "data.(a name)", "extra[Ann]": "data.(a name)", "extra[7]Ann": "data.(a name)", "extra[Ann][7]": "data.(a name)[7]",
		"extra[13800138000]": "data.(a name)", "[": "data.(a name)", "[]": "data.(a name)",
	} {
		r, err := Event("a", withdrawal(`"purposes":["mail"]`, `"purposes":["mail"],"`+member+`":"x"`))
		if err != nil || r.Unread.Names != shows {
			t.Errorf("%s: the record names %q, %v, want %q", member, r.Unread.Names, err, shows)
		}
		if !strings.Contains(string(r.Unread.Claims), member) {
			t.Errorf("%s is lost: %s", member, r.Unread.Claims)
		}
	}
}

// FuzzOptOut holds every opt-out that is taken to be somebody's, with what was not
// understood in one line of names.
func FuzzOptOut(f *testing.F) {
	f.Add(withdrawal())
	f.Add(withdrawal(`"7"`, `"x"`, `["mail"]`, `"mail"`))
	f.Add(withdrawal(`{"purposes":["mail"]}`, `"{\"purposes\":[\"mail\"]}"`))
	f.Add(withdrawal(`{"purposes":["mail"]}`, `{"Purposes":["mail",5],"a.b[0]":"\ud800","details":{"x":1e-400}}`))
	f.Fuzz(func(t *testing.T, event []byte) {
		r, err := Event("a", event)
		if err != nil {
			if !wire.IsRefusal(err) {
				t.Fatal(err)
			}
			return
		}
		if r.Person.ID == "" || r.ID == "" || r.Source == "" || TypeOf(r) == "" {
			t.Fatalf("%+v", r)
		}
		if (r.Unread.Names == "") != (len(r.Unread.Claims) == 0) {
			t.Errorf("names %q, keeps %s", r.Unread.Names, r.Unread.Claims)
		}
		if strings.ContainsFunc(r.Unread.Names, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }) || len(r.Unread.Names) > 2000 {
			t.Errorf("the record would name %q", r.Unread.Names)
		}
	})
}

// A member that is null is none: beside the other one it takes nothing away, in
// either order, whether or not the event is read to the letter.
func TestDataBesideANullAreTheData(t *testing.T) {
	const head = `{"specversion":"1.0","id":"1","source":"/a","type":"consent.withdrawn","subject":"ann"`
	const base64 = `"eyJhbGwiOnRydWV9"` // {"all":true}
	for _, odd := range []string{"", `,"time":"01/01/1970"`} {
		var first []byte
		for _, members := range []string{
			`"data":{"all":true}`, `"data":{"all":true},"data_base64":null`, `"data_base64":null,"data":{"all":true}`,
			`"data":null,"data_base64":` + base64, `"data_base64":` + base64 + `,"data":null`, `"data_base64":` + base64,
		} {
			r, err := Event("a", []byte(head+odd+","+members+"}"))
			if err != nil || !optsOut(r) {
				t.Errorf("%s %s: %+v, %v", odd, members, r.Command, err)
				continue
			}
			if first == nil {
				first = r.Body
			}
			if !bytes.Equal(r.Body, first) {
				t.Errorf("%s %s is another event: %s and %s", odd, members, r.Body, first)
			}
		}
		if _, err := Event("a", []byte(head+odd+`,"data":{"purposes":["mail"]},"data_base64":`+base64+"}")); err == nil {
			t.Errorf("%s: data that say two things are taken", odd)
		}
	}
}

func TestATimeThatDiffersInItsFormAloneIsThatOfTheOptOut(t *testing.T) {
	const at = `"2026-03-02T09:30:00Z"`
	for sent, means := range map[string]string{
		"2026-03-02T09:30:00,5Z": "2026-03-02T09:30:00.500Z", "2026-03-02T9:30:00Z": "2026-03-02T09:30:00Z", "2026-03-02T09:30:00+24:00": "2026-03-01T09:30:00Z",
	} {
		plain, err := Event("shop", withdrawal(at, `"`+means+`"`))
		if err != nil {
			t.Fatal(err)
		}
		odd, err := Event("shop", withdrawal(at, `"`+sent+`"`))
		if err != nil {
			t.Fatal(err)
		}

		// An earlier program took it for the plain one, so it has to be the same body.
		if odd.At != plain.At || !bytes.Equal(odd.Body, plain.Body) {
			t.Errorf("at %s: %s, want at %s: %s", odd.At, odd.Body, plain.At, plain.Body)
		}
		if odd.Unread.Names != "time" || !bytes.Contains(odd.Unread.Claims, []byte(sent)) {
			t.Errorf("kept as %q: %s", odd.Unread.Names, odd.Unread.Claims)
		}
	}

	grant := []byte(strings.NewReplacer("consent.withdrawn", "consent.given", at, `"2026-03-02T09:30:00,5Z"`).Replace(string(withdrawal())))
	if _, err := Event("shop", grant); err == nil || !strings.Contains(err.Error(), "RFC 3339") {
		t.Errorf("a grant at such a time: %v", err)
	}
}

// How deep JSON may be nested is a limit of the parser: beyond it an opt-out is
// refused, and the refusal says why.
func TestWhatIsNestedTooDeepIsRefusedWithThatReason(t *testing.T) {
	nested := func(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }
	send := func(beside, inData string) error {
		_, err := Event("demo", []byte(`{"specversion":"1.0","id":"1","source":"a","type":"consent.withdrawn","subject":"ann","x":`+beside+`,"data":{"all":true,"details":`+inData+`}}`))
		return err
	}
	for name, err := range map[string]error{"beside the data": send(nested(10_001), "{}"), "in the data": send(`"y"`, nested(10_001))} {
		if err == nil || !strings.Contains(err.Error(), "nested too deep: JSON is read to 10000 levels") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := send(nested(9_000), nested(9_000)); err != nil {
		t.Errorf("within the limit: %v", err)
	}
	if err := send("[", "{}"); err == nil || strings.Contains(err.Error(), "too deep") {
		t.Errorf("what is broken is not deep: %v", err)
	}
}
