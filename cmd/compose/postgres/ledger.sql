-- What PostgreSQL runs once, when its volume is empty: the ledger's database, its user, and
-- one who may look at dashboards. psql reads it, since passwords come from secret files.

\set ON_ERROR_STOP on
\set ledger `cat "${SECRETS:-/run/secrets}/postgres_ledger"`
\set reader `cat "${SECRETS:-/run/secrets}/postgres_reader"`

CREATE ROLE ledger LOGIN PASSWORD :'ledger';
CREATE ROLE dashboards LOGIN PASSWORD :'reader' CONNECTION LIMIT 20;
ALTER ROLE dashboards SET default_transaction_read_only = on;
ALTER ROLE dashboards SET statement_timeout = '30s';
ALTER ROLE dashboards SET search_path = consentledger_views; -- where the tables of docs/sql.md are

CREATE DATABASE consentledger OWNER ledger ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE consentledger FROM PUBLIC;
GRANT CONNECT ON DATABASE consentledger TO dashboards;
