// Package form has what the packages of the domain share about texts that stand
// for values: the names of an enumeration, the codes of jurisdictions, and the error
// for a text of another form. It knows nothing of what the values mean.
package form
