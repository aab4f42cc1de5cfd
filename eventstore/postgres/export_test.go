package postgres

// ScanOf returns the statement by which a scan reads rows, and its arguments.
func (r *Rows) ScanOf(first string, prefix []byte) (string, []any) {
	until := behindPrefix(prefix)
	return r.sql(selectRows(first, until)), []any{prefix, until, scanRows, scanBytes}
}
