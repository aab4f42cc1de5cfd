package ledger

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/domain/refusal"
)

// SignatureName is what a record calls a signature that was not understood.
const SignatureName = "consent-signature"

// With returns u with one more thing beside the opt-out that was not understood:
// what it is called, and what it said.
func (u Unread) With(name, text string) Unread {
	return u.and([]string{name}, [][2]string{{name, strings.ToValidUTF8(text, "\uFFFD")}})
}

// And returns u with all that v has.
func (u Unread) And(v Unread) Unread {
	if v.Names == "" {
		return u
	}
	return u.and(strings.Split(v.Names, ","), v.pairs())
}

// pairs returns the claims: what each is called, and what it said.
func (u Unread) pairs() (claims [][2]string) {
	if len(u.Claims) > 0 && json.Unmarshal(u.Claims, &claims) != nil {
		panic("ledger: claims are no pairs of texts")
	}
	return claims
}

func (u Unread) and(names []string, claims [][2]string) Unread {
	claims = append(claims, u.pairs()...)
	slices.SortStableFunc(claims, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	b, err := json.Marshal(claims)
	if err != nil {
		panic("ledger: claims do not make JSON: " + err.Error())
	}

	if u.Names != "" {
		names = append(names, strings.Split(u.Names, ",")...)
	}
	var once []string
	for _, name := range names {
		if !slices.Contains(once, name) {
			once = append(once, name)
		}
	}
	return Unread{Names: strings.Join(once, ","), Claims: b}
}

// isUnsigned reports whether a request is refused since its signature does not hold.
func isUnsigned(err error) bool {
	no, refused := errors.AsType[refusal.Refusal](err)
	return refused && (no.Code == refusal.BadSignature || no.Code == refusal.UnknownSigner)
}

// unsigned returns an opt-out without its signature, which does not hold: that
// proves nothing, and refuses nothing. What was sent of it is kept as a claim.
func (r Request) unsigned() Request {
	text := r.Signed.Signer + ";" + base64.StdEncoding.EncodeToString(r.Signed.Signature[:])
	r.Signed, r.Unread = nil, r.Unread.With(SignatureName, text)
	return r
}

// isUnpromised reports whether a request is refused since the policy that it names
// promises nothing.
func isUnpromised(err error) bool {
	no, refused := errors.AsType[refusal.Refusal](err)
	return refused && no.Code == refusal.NoPolicy
}

// policy returns the policy that a person's request goes by; empty: the app's general
// one, or it is no such request.
func (r Request) policy() string {
	cmd, _ := r.Command.(domain.OpenRequest)
	return cmd.Policy
}

// anyPolicy returns a person's request that names a policy of which no version is in
// force, as one that names none: what is opted out of does not depend on it. The name
// is kept as a claim.
func (r Request) anyPolicy() Request {
	cmd := r.Command.(domain.OpenRequest)
	r.Unread = r.Unread.With("data.policy", cmd.Policy)
	cmd.Policy = ""
	r.Command = cmd
	return r
}
