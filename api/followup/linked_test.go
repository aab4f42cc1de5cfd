package followup_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/api/followup"
	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
)

// link says that two outside ids are one person's, or are no longer.
func (w *world) link(a, b string, say domain.Event) {
	w.t.Helper()
	w.n++
	r := ledger.Request{
		App: "demo", Source: "test", ID: fmt.Sprint(w.n), Body: []byte("x"), Actor: "operator", RecordedBy: "test", Command: domain.Say{Event: say},
		Person: ident.PersonKey{Kind: "account", ID: a}, Other: ident.PersonKey{Kind: "account", ID: b},
	}
	if _, err := w.Execute(w.t.Context(), r); err != nil {
		w.t.Fatal(err)
	}
}

// owedTo writes what is owed to whom, by kind and who owes it, as in "phone stop
// adhouse", and from which opt-out of whom it follows.
func (w *world) owedTo(names ...string) string {
	w.t.Helper()
	known := map[string]string{}
	for _, name := range names {
		p, _, err := w.Pseudonym(w.t.Context(), "demo", ident.PersonKey{Kind: "account", ID: name})
		if err != nil {
			w.t.Fatal(err)
		}
		known[p] = name
	}
	var all []string
	for _, d := range duties(w) {
		from, err := ident.ParseStreamID(d.Cause.Stream)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %s %s by %s of %s", known[d.Cause.Subject], d.Kind, d.Target, d.Cause.Kind, known[from.ID]))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// An opt-out stops what goes on for every history of the same person, in whatever
// order it was said, agreed and linked; the reply is owed once.
func TestWhatIsOwedCrossesLinks(t *testing.T) {
	agree := domain.GiveConsent{Act: "agree", Purposes: []policy.PurposeID{"ads"}}
	linked, unlinked := domain.SubjectLinked{Proof: "login"}, domain.SubjectUnlinked{Reason: "logout"}
	ofPhone := "phone delete adhouse by consent.withdrawn of phone, phone reply  by consent.withdrawn of phone, phone stop adhouse by consent.withdrawn of phone"
	ofAccount := "account delete adhouse by consent.withdrawn of phone, account stop adhouse by consent.withdrawn of phone"
	ofTablet := "tablet delete adhouse by consent.withdrawn of phone, tablet stop adhouse by consent.withdrawn of phone"
	both := ofAccount + ", " + ofPhone
	for _, tt := range []struct {
		name string
		tell func(w *world)
		want string
	}{
		{"agreed, linked, withdrawn", func(w *world) {
			w.tell("account", agree)
			w.link("account", "phone", linked)
			w.tell("phone", withdrawn("ads"))
		}, both},
		{"agreed, withdrawn, linked", func(w *world) {
			w.tell("account", agree)
			w.tell("phone", withdrawn("ads"))
			w.link("account", "phone", linked)
		}, both},
		{"linked from the other side", func(w *world) {
			w.tell("account", agree)
			w.tell("phone", withdrawn("ads"))
			w.link("phone", "account", linked)
		}, both},
		{"withdrawn and linked before it was agreed", func(w *world) {
			w.tell("phone", withdrawn("ads"))
			w.link("account", "phone", linked)
			w.tell("account", agree)
		}, ofPhone},
		{"never agreed there", func(w *world) {
			w.tell("account", refused("maps"))
			w.link("account", "phone", linked)
			w.tell("phone", withdrawn("ads"))
		}, ofPhone},
		{"agreed to something else", func(w *world) {
			w.tell("account", domain.GiveConsent{Act: "agree", Purposes: []policy.PurposeID{"maps"}})
			w.link("account", "phone", linked)
			w.tell("phone", withdrawn("ads"))
		}, ofPhone},
		{"withdrawn after the link was over", func(w *world) {
			w.tell("account", agree)
			w.link("account", "phone", linked)
			w.link("account", "phone", unlinked)
			time.Sleep(time.Second)
			w.tell("phone", withdrawn("ads"))
		}, ofPhone},
		{"withdrawn twice: it ended once", func(w *world) {
			w.tell("account", agree)
			w.link("account", "phone", linked)
			w.tell("phone", withdrawn("ads"))
			w.tell("account", withdrawn("ads"))
		}, strings.Join([]string{"account delete adhouse by consent.withdrawn of account", "account delete adhouse by consent.withdrawn of phone",
			"account reply  by consent.withdrawn of account", "account stop adhouse by consent.withdrawn of account", "account stop adhouse by consent.withdrawn of phone", ofPhone}, ", ")},
		{"to a third through the second", func(w *world) {
			w.tell("tablet", agree)
			w.tell("account", agree)
			w.link("account", "phone", linked)
			w.link("account", "tablet", linked)
			w.tell("phone", withdrawn("ads"))
		}, both + ", " + ofTablet},
		{"linked once more", func(w *world) {
			w.tell("account", agree)
			w.link("account", "phone", linked)
			w.tell("phone", withdrawn("ads"))
			w.link("account", "tablet", linked)
		}, both},
	} {
		t.Run(tt.name, func(t *testing.T) {
			everyEra(t, func(t *testing.T, w *world) {
				w.react()
				w.react() // twice is no more
				w.tell("", promising(nil))
				step := w.n
				tt.tell(w)
				synctest.Wait()
				if got := w.owedTo("account", "phone", "tablet"); got != tt.want {
					t.Errorf("after %d steps owed\n got %s\nwant %s", w.n-step, got, tt.want)
				}

				// Who starts later says the same.
				before := len(facts[domain.ObligationOpened](w))
				_, stop := w.react()
				synctest.Wait()
				stop()
				if after := len(facts[domain.ObligationOpened](w)); after != before {
					t.Errorf("a process that starts later opened %d more", after-before)
				}
				once(w)
			})
		})
	}
}

// An earlier ledger wrote facts before what is owed by them crossed links.
type earlier struct{ *ledger.Ledger }

func (l earlier) Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]codec.Entry, error] {
	return func(yield func([]codec.Entry, error) bool) {
		for batch, err := range l.Ledger.Follow(ctx, after) {
			batch = slices.Clone(batch)
			for i := range batch {
				batch[i].Rules, batch[i].Owing = min(batch[i].Rules, 1), nil
			}
			if !yield(batch, err) {
				return
			}
		}
	}
}

// What was recorded before the rule owes what it owed then: nothing is found to be
// overdue the day after an upgrade.
func TestWhatWasRecordedBeforeOwesNothingInLinkedHistories(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOf(t, true)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- (&followup.Process{Ledger: earlier{w.Ledger}}).Run(ctx) }()
		w.tell("", promising(nil))
		w.tell("account", domain.GiveConsent{Act: "agree", Purposes: []policy.PurposeID{"ads"}})
		w.link("account", "phone", domain.SubjectLinked{Proof: "login"})
		w.tell("phone", withdrawn("ads"))
		synctest.Wait()
		want := "phone delete adhouse by consent.withdrawn of phone, phone reply  by consent.withdrawn of phone, phone stop adhouse by consent.withdrawn of phone"
		if got := w.owedTo("account", "phone"); got != want {
			t.Errorf("owed %s, want %s", got, want)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func refused(purposes ...policy.PurposeID) domain.RefuseConsent {
	return domain.RefuseConsent{Scope: policy.Scope{Purposes: purposes}}
}

// Every opt-out that crosses stops what goes on: a refusal, a permission taken away,
// an order to erase. One by a link counts from the link, and a mistake stops nothing.
func TestWhatEndsAGrantElsewhereIsOwedThere(t *testing.T) {
	stops := promising(func(d *policy.Document) {
		d.Permissions[0].Purposes = []policy.PurposeID{"ads"}
		d.Duties = []policy.DutyRule{perSystem(duty("stop", "consent.withdrawn,consent.refused,permission.revoked,erasure.ordered", policy.DutyStop, "h24", "processing.stopped"))}
	})
	for _, tt := range []struct {
		name string
		say  domain.Command
		want string
	}{
		{"a refusal", refused("ads"), "account stop adhouse by consent.refused of phone"},
		{"a signal", domain.RefuseConsent{Act: "gpc", Scope: policy.Scope{All: true}}, "account stop adhouse by consent.refused of phone"},
		{"a permission", domain.ChangePermission{Permission: "gps", Change: domain.Revoked}, "account stop adhouse by permission.revoked of phone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			everyEra(t, func(t *testing.T, w *world) {
				w.react()
				w.tell("", stops)
				w.tell("account", domain.GiveConsent{Act: "agree", Purposes: []policy.PurposeID{"ads"}})
				w.tell("phone", tt.say)
				synctest.Wait()
				time.Sleep(48 * time.Hour)
				w.link("account", "phone", domain.SubjectLinked{Proof: "login"})
				now := w.Now()
				synctest.Wait()
				i := slices.IndexFunc(duties(w), func(d obligation.Duty) bool {
					return d.Cause.Subject != strings.TrimPrefix(d.Cause.Stream, "subject-demo-")
				})
				if got := w.owedTo("account", "phone"); i < 0 || !strings.Contains(got, tt.want) {
					t.Fatalf("owed %s, want %s", got, tt.want)
				}
				if d := duties(w)[i]; d.Due.Start < now-1000 || d.State != obligation.StateOpen {
					t.Errorf("it is owed since %s, the link is of %s: %v", d.Due.Start, now, d.State)
				}

				// The account's own systems meet it, the phone's do not.
				w.tell("phone", noted("processing.stopped", "system", "adhouse"))
				synctest.Wait()
				open := duties(w)[i].State
				w.tell("account", noted("processing.stopped", "system", "adhouse"))
				synctest.Wait()
				if met := duties(w)[i].State; open != obligation.StateOpen || met != obligation.StateMet {
					t.Errorf("%v after the phone's, %v after the account's", open, met)
				}
				once(w)
			})
		})
	}
}
