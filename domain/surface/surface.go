package surface

import (
	"fmt"
	"slices"

	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/domain/internal/form"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// A ControlID names something on a screen that a person can touch.
type ControlID string

// A Surface is one screen of one build of the app, as a person sees it.
type Surface struct {
	Build   string       // as in 5.2.1+1203
	Signing content.Hash // of the certificate that the build is signed with
	Screen  string
	Policy  string
	Version content.Hash // of the policy that the screen is about
	Locales []Locale

	Controls []Control
	Approver string // who looked at it; a principal, not the publisher

	NoRefusal bool // it is said that no control refuses: that weakens every grant
}

// A Locale is what a screen shows in one language.
type Locale struct {
	Locale     string
	Text       content.Hash // the policy text that the screen shows or leads to
	Strings    []String
	Screenshot content.Hash
}

// A String is a string on a screen, by the name that the app has for it.
type String struct{ Key, Text string }

// A Control is something that a person can touch. Steps is how many touches
// away from the screen it is: a refusal should be no further than the consent.
type Control struct {
	ID       ControlID
	Label    string // the key of its string
	Act      policy.ActID
	Purposes []policy.PurposeID // what a grant by it is about; empty: what the act covers
	Initial  State
	Refuses  bool
	Steps    int
}

// A State is what a control shows before it is touched.
type State uint8

const (
	Unknown State = iota
	Unticked
	Ticked // before the person came: it is no grant
	Button // has no state
)

var controlStates = form.Codes{"", "unticked", "ticked", "button"}

func (s State) String() string { return controlStates.Name(uint8(s)) }

// ParseState reads what [State.String] writes.
func ParseState(s string) (State, error) {
	return form.ParseCode[State](s, controlStates, "the state of a control")
}

// Control returns the control with that id, and whether there is one.
func (s Surface) Control(id ControlID) (Control, bool) {
	for _, c := range s.Controls {
		if c.ID == id {
			return c, true
		}
	}
	return Control{}, false
}

// Offers reports whether a grant by c is about the purpose.
func (c Control) Offers(p policy.PurposeID) bool {
	for _, id := range c.Purposes {
		if id == p {
			return true
		}
	}
	return len(c.Purposes) == 0
}

// Locale returns what the surface shows in a language, and whether it does.
func (s Surface) Locale(name string) (Locale, bool) {
	for _, l := range s.Locales {
		if form.SameLocale(l.Locale, name) {
			return l, true
		}
	}
	return Locale{}, false
}

// Check refuses a surface that does not fit the policy that it shows, or that leaves out
// what a grant by it would have to prove. Of a version that was never published the policy
// is nil. Surfaces from before a check stay as they are.
func (s Surface) Check(shows *policy.Document, by ident.By) error {
	switch {
	case s.Build == "" || !form.IsName(s.Screen, 64) || s.Approver == "" || len(s.Locales) == 0 || len(s.Controls) == 0:
		return refusal.New(refusal.Incomplete,
			"a surface needs a build, a screen, an approver, at least one locale and at least "+
				"one control")
	case s.Signing == (content.Hash{}):
		return refusal.At(refusal.Incomplete, "signing",
			"give the hash of the certificate that the build is signed with: sha256: and 64 hex digits")
	case s.Approver == by.Principal, s.Approver == by.Signer:
		return refusal.At(refusal.SamePrincipal, "approver", "who publishes a surface may not approve it")
	case s.Version == (content.Hash{}):
		return refusal.At(refusal.Incomplete, "version",
			"a surface needs the version of the policy that it shows; see consentledger policy list")
	case shows == nil:
		return refusal.At(refusal.UnknownVersion, "version",
			"the surface is about a version that was never published for this app; see consentledger policy list")
	case s.Policy != shows.Name:
		return refusal.At(refusal.UnknownPolicy, "policy",
			"the version that the surface shows is one of the policy "+refusal.Quote(shows.Name))
	}

	seen := map[ControlID]bool{}
	for i, c := range s.Controls {
		at := fmt.Sprintf("controls[%d]", i)
		if !form.IsName(string(c.ID), 64) || seen[c.ID] {
			return refusal.At(refusal.Incomplete, at+".id", "a control needs an id of its own")
		}
		seen[c.ID] = true
		if err := c.check(at, *shows); err != nil {
			return err
		}
		if err := s.labelled(at, c); err != nil {
			return err
		}
	}
	return s.checkRefusal()
}

func (c Control) check(at string, d policy.Document) error {
	switch _, known := d.Act(c.Act); {
	case !c.Refuses && !known:
		return refusal.At(refusal.UnknownAct, at+".act",
			"the policy names no act "+refusal.Quote(string(c.Act))+refusal.Among(d.ActIDs()))
	case c.Initial == Unknown:
		return refusal.At(refusal.Incomplete, at+".initial",
			"say what the control shows before it is touched: unticked, ticked or button")
	case c.Steps < 0:
		return refusal.At(refusal.Incomplete, at+".steps",
			"say how many touches away from the screen the control is: 0 is on it")
	}

	for _, id := range c.Purposes {
		if _, ok := d.Purpose(id); !ok {
			return refusal.At(refusal.UnknownPurpose, at+".purposes",
				"the policy declares no purpose "+refusal.Quote(string(id))+refusal.Among(d.PurposeIDs()))
		}
	}
	return nil
}

// labelled refuses a control that shows nothing in some language.
func (s Surface) labelled(at string, c Control) error {
	for i, l := range s.Locales {
		if c.Label == "" || !slices.ContainsFunc(l.Strings,
			func(x String) bool { return x.Key == c.Label && x.Text != "" }) {
			return refusal.At(refusal.Incomplete, at+".label",
				fmt.Sprintf("the control needs a label: the key of a string that is in locales[%d].strings, as in "+
					"every locale", i))
		}
	}
	return nil
}

// checkRefusal refuses a surface that does not say how one refuses.
func (s Surface) checkRefusal() error {
	refuses := slices.ContainsFunc(s.Controls, func(c Control) bool { return c.Refuses })
	switch {
	case refuses && s.NoRefusal:
		return refusal.At(refusal.Contradicts, "no_refusal", "a control refuses: leave no_refusal out")
	case !refuses && !s.NoRefusal:
		return refusal.At(refusal.Incomplete, "controls",
			`no control refuses: name the one that does, with "refuses": true and in "steps" how far away it is; if there is none say "no_refusal": true, which weakens the evidence of every consent`)
	}
	return nil
}
