// Package amount has sums of money: exact decimals, and no floats.
package amount

import (
	"fmt"

	"consentledger/domain/internal/form"

	"github.com/cockroachdb/apd/v3"
)

// An Amount is a sum of money, exact to the smallest coin of its currency.
type Amount struct {
	Value    apd.Decimal
	Currency string
}

// coins are the digits after the point of the currencies that are known
// (ISO 4217).
var coins = map[string]int32{"CNY": 2, "HKD": 2, "MOP": 2, "TWD": 2, "EUR": 2, "USD": 2, "GBP": 2, "CHF": 2, "SGD": 2,
	"JPY": 0, "KRW": 0}

const errAmount = form.Error(`an amount is written as in "12.50 CNY", not below zero, with no more digits than its currency has coins`)

// rounding is the one rule by which all is rounded here: half to even.
var rounding = apd.Context{Precision: 34, MaxExponent: apd.MaxExponent, MinExponent: apd.MinExponent,
	Rounding: apd.RoundHalfEven, Traps: apd.DefaultTraps}

// Parse reads "12.50 CNY".
func Parse(s string) (Amount, error) {
	if len(s) < 5 || len(s) > maxAmount || s[len(s)-4] != ' ' {
		return Amount{}, errAmount
	}
	a := Amount{Currency: s[len(s)-3:]}
	digits, known := coins[a.Currency]
	if _, _, err := a.Value.SetString(s[:len(s)-4]); err != nil || !known || a.Value.Form != apd.Finite ||
		a.Value.Negative || a.Value.Exponent < -digits || a.Value.Exponent > 0 {
		return Amount{}, errAmount
	}
	if a = a.round(); len(a.String()) > maxAmount { // with its coins it could not be read again
		return Amount{}, errAmount
	}
	return a, nil
}

// maxAmount is how long an amount is written at most.
const maxAmount = 24

// round writes the value with all the coins of its currency.
func (a Amount) round() Amount {
	var v apd.Decimal
	if _, err := rounding.Quantize(&v, &a.Value, -coins[a.Currency]); err != nil {
		panic(fmt.Sprintf("amount: %s: %v", a.Value.String(), err))
	}
	a.Value = v
	return a
}

// String returns the form that [Parse] reads.
func (a Amount) String() string { return a.Value.Text('f') + " " + a.Currency }

// Add returns the sum of two amounts of one currency.
func (a Amount) Add(b Amount) (Amount, error) {
	if a.Currency != b.Currency {
		return Amount{}, fmt.Errorf("%s and %s cannot be added", a.Currency, b.Currency)
	}
	sum := Amount{Currency: a.Currency}
	if _, err := rounding.Add(&sum.Value, &a.Value, &b.Value); err != nil {
		return Amount{}, err
	}
	return sum.round(), nil
}

// Percent returns what part is of whole, in percent with one digit after the
// point, as in "93.8"; empty if the whole is nothing.
func Percent(part, whole int64) string {
	if whole == 0 {
		return ""
	}
	var hundred, q, out apd.Decimal
	hundred.SetInt64(part * 100)
	if _, err := rounding.Quo(&q, &hundred, apd.New(whole, 0)); err != nil {
		panic(fmt.Sprintf("domain: percent: %v", err))
	}
	if _, err := rounding.Quantize(&out, &q, -1); err != nil {
		panic(fmt.Sprintf("domain: percent: %v", err))
	}
	return out.Text('f')
}
