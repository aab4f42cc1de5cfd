-- {store} stands for the store's name. All of this is made in one transaction, by
-- whoever opens the store first; later versions add names and change none.
CREATE SCHEMA IF NOT EXISTS {store};

-- What the store is, and on which server it was made.
CREATE TABLE {store}.store_v1 (
	one    boolean PRIMARY KEY DEFAULT true CHECK (one),
	format integer NOT NULL,
	system text NOT NULL,
	made   timestamptz NOT NULL DEFAULT now()
);

-- A server's history goes on under a new timeline when a standby takes over. The
-- first who meets a timeline marks it, so that two of one number are told apart.
CREATE TABLE {store}.timelines_v1 (
	system   text NOT NULL,
	timeline bigint NOT NULL,
	mark     uuid NOT NULL,
	met      timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (system, timeline)
);

-- Whoever appends holds the lock of this table until its transaction is visible.
CREATE TABLE {store}.turn_v1 ();

CREATE TABLE {store}.records_v1 (
	position bigint PRIMARY KEY CHECK (position > 0),
	revision bigint NOT NULL CHECK (revision > 0),
	part     smallint NOT NULL, -- of the append, from 1
	parts    smallint NOT NULL, -- that the append has
	id       uuid NOT NULL,
	stream   text COLLATE "C" NOT NULL,
	type     text COLLATE "C" NOT NULL,
	data     bytea NOT NULL,
	UNIQUE (stream, revision)
);

-- Some appends in one transaction. Append a is made if its stream, streams[a], has
-- as many records as it expects; its records are those whose part of "of" is a.
-- It returns the position of the last record before, and how long the streams
-- were before, from which the caller makes out the rest.
--
-- It is one statement for the client, so that nobody who is paused or goes away
-- keeps the others waiting; and in it every statement sees what was committed
-- before it began, as READ COMMITTED and VOLATILE promise.
CREATE FUNCTION {store}.append_v1(
	streams text[], of integer[], part smallint[], parts smallint[], stream text[], expected bigint[],
	id uuid[], type text[], data bytea[], known bigint, replicate boolean,
	OUT pid integer, OUT last bigint, OUT lengths bigint[]
) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		RAISE EXCEPTION 'appends are made in READ COMMITTED' USING ERRCODE = 'CL002';
	END IF;
	pid := pg_backend_pid();

	LOCK TABLE {store}.turn_v1 IN EXCLUSIVE MODE;
	SELECT coalesce(max(r.position), 0) INTO last FROM {store}.records_v1 r;
	IF last < known THEN
		RAISE EXCEPTION 'the records end at %, and there were %', last, known USING ERRCODE = 'CL001';
	END IF;
	SELECT array_agg(coalesce((SELECT max(r.revision) FROM {store}.records_v1 r WHERE r.stream = s.name), 0) ORDER BY s.n)
		INTO lengths FROM unnest(streams) WITH ORDINALITY s(name, n);

	INSERT INTO {store}.records_v1 (position, revision, part, parts, id, stream, type, data)
	SELECT append_v1.last + row_number() OVER (ORDER BY r.n), r.expected + r.part, r.part, r.parts, r.id, r.stream, r.type, r.data
	FROM unnest(append_v1.of, append_v1.part, append_v1.parts, append_v1.stream, append_v1.expected, append_v1.id, append_v1.type,
		append_v1.data) WITH ORDINALITY r(of, part, parts, stream, expected, id, type, data, n)
	WHERE append_v1.lengths[r.of] = r.expected;

	-- A commit waits for a synchronous standby only if there is something to write.
	IF replicate THEN
		PERFORM pg_logical_emit_message(true, 'consentledger', '');
	END IF;
END $$;

CREATE FUNCTION {store}.keep_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'records are never changed or deleted: % of %', TG_OP, TG_TABLE_NAME;
END $$;

CREATE TRIGGER records_v1_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON {store}.records_v1
	FOR EACH STATEMENT EXECUTE FUNCTION {store}.keep_v1();

INSERT INTO {store}.store_v1 (format, system) SELECT 1, system_identifier FROM pg_control_system();
