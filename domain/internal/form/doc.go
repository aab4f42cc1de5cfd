// Package form has what the packages of the domain share about texts that stand
// for values: names, the names of an enumeration's values, codes of jurisdictions,
// tags of languages, and the error for a text of another form. It knows nothing of what the values mean.
package form
