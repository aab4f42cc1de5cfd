-- {store} stands for the schema's name. All of this is made in one transaction, by
-- whoever opens the rows first; later versions add names and change none.
CREATE SCHEMA IF NOT EXISTS {store};

-- What the schema is, and on which server it was made.
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

-- Whoever writes holds the lock of this table until its transaction is visible. The
-- transactions are counted, so that an old copy of the rows is told from the newest.
CREATE TABLE {store}.turn_v1 (
	one    boolean PRIMARY KEY DEFAULT true CHECK (one),
	number bigint NOT NULL,
	id     uuid NOT NULL
);

-- The last transaction of each writer, and which of its changes were made: whoever
-- does not know how one ended sends it again, and is told.
CREATE TABLE {store}.writers_v1 (
	writer uuid PRIMARY KEY,
	id     uuid NOT NULL,
	made   boolean[] NOT NULL
);

-- The rows. They lie in parts, by nothing but chance, so that what was deleted can be
-- made to leave the disk part by part: a part is written anew while its readers wait.
-- What is sealed does not get smaller by compression, and a statistic would be a copy
-- of keys and values that no rewriting reaches.
CREATE TABLE {store}.rows_v1 (
	key   bytea PRIMARY KEY,
	value bytea NOT NULL
) PARTITION BY HASH (key);
ALTER TABLE {store}.rows_v1 ALTER key SET STORAGE PLAIN, ALTER value SET STORAGE EXTERNAL;

-- Which parts have had rows deleted since they were last written anew, and by which
-- transaction.
CREATE TABLE {store}.dirty_v1 (
	part   text PRIMARY KEY,
	number bigint NOT NULL
);

DO $$
BEGIN
	FOR i IN 0..15 LOOP
		EXECUTE format('CREATE TABLE {store}.rows_v1_%s PARTITION OF {store}.rows_v1 FOR VALUES WITH (MODULUS 16, REMAINDER %s)', i, i);
	END LOOP;
END $$;
ALTER TABLE {store}.rows_v1 ALTER key SET STATISTICS 0, ALTER value SET STATISTICS 0;

-- Some changes in one transaction. Change c is made if the keys whose part of
-- "present" is c are there, and those of "absent" are not; no two changes of a
-- transaction touch one key but to look at it. It returns which changes were made.
--
-- It is one statement for the client, so that nobody who is paused or goes away
-- keeps the others waiting; and in it every statement sees what was committed
-- before it began, as READ COMMITTED and VOLATILE promise.
CREATE FUNCTION {store}.write_v1(
	writer uuid, batch uuid, known bigint, changes integer,
	present_of integer[], present bytea[], absent_of integer[], absent bytea[],
	delete_of integer[], delete_key bytea[], put_of integer[], put_key bytea[], put_value bytea[], replicate boolean,
	OUT pid integer, OUT number bigint, OUT id uuid, OUT made boolean[]
) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		RAISE EXCEPTION 'rows are written in READ COMMITTED' USING ERRCODE = 'CL002';
	END IF;
	pid := pg_backend_pid();

	-- A commit waits for a synchronous standby only if there is something to write.
	IF replicate THEN
		PERFORM pg_logical_emit_message(true, 'consentledger', '');
	END IF;

	LOCK TABLE {store}.turn_v1 IN EXCLUSIVE MODE;
	SELECT t.number, t.id INTO STRICT number, id FROM {store}.turn_v1 t;
	IF number < known THEN
		RAISE EXCEPTION 'the changes end at %, and there were %', number, known USING ERRCODE = 'CL001';
	END IF;
	SELECT w.made INTO made FROM {store}.writers_v1 w WHERE w.writer = write_v1.writer AND w.id = write_v1.batch;
	IF FOUND THEN
		RETURN;
	END IF;

	SELECT array_agg(c.n <> ALL (f.failed) ORDER BY c.n) INTO made
	FROM generate_series(1, changes) c(n), (SELECT ARRAY(
		SELECT p.of FROM unnest(present_of, present) p(of, key)
		WHERE NOT EXISTS (SELECT FROM {store}.rows_v1 r WHERE r.key = p.key)
		UNION ALL
		SELECT a.of FROM unnest(absent_of, absent) a(of, key)
		WHERE EXISTS (SELECT FROM {store}.rows_v1 r WHERE r.key = a.key)) AS failed) f;

	number := number + 1;
	id := batch;
	INSERT INTO {store}.rows_v1 AS r (key, value)
	SELECT p.key, p.value FROM unnest(put_of, put_key, put_value) p(of, key, value) WHERE made[p.of]
	ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value;

	WITH gone AS (
		DELETE FROM {store}.rows_v1 r USING unnest(delete_of, delete_key) d(of, key) WHERE r.key = d.key AND made[d.of]
		RETURNING r.tableoid
	)
	INSERT INTO {store}.dirty_v1 AS d (part, number)
	SELECT DISTINCT c.relname, write_v1.number FROM gone JOIN pg_class c ON c.oid = gone.tableoid
	ON CONFLICT (part) DO UPDATE SET number = EXCLUDED.number;

	UPDATE {store}.turn_v1 t SET number = write_v1.number, id = batch;
	INSERT INTO {store}.writers_v1 AS w (writer, id, made) VALUES (write_v1.writer, batch, write_v1.made)
	ON CONFLICT ON CONSTRAINT writers_v1_pkey DO UPDATE SET id = EXCLUDED.id, made = EXCLUDED.made;
END $$;

INSERT INTO {store}.turn_v1 (number, id) VALUES (0, gen_random_uuid());
INSERT INTO {store}.store_v1 (format, system) SELECT 1, system_identifier FROM pg_control_system();
