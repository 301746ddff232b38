import { sql } from "kysely";
import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** Migrations in order; one that has landed is never changed. */
export const migrations: Record<string, Migration> = {
  "0001-the-road": {
    up: async (db: Kysely<never>) => {
      for (const statement of theRoad) await sql.raw(statement).execute(db);
    },
  },
  "0002-depots-and-claims": {
    up: async (db: Kysely<never>) => {
      for (const statement of depotsAndClaims) await sql.raw(statement).execute(db);
    },
  },
  "0003-enrolment": {
    up: async (db: Kysely<never>) => {
      for (const statement of enrolment) await sql.raw(statement).execute(db);
    },
  },
  "0004-user-device-affinity": {
    up: async (db: Kysely<never>) => {
      for (const statement of userDeviceAffinity) await sql.raw(statement).execute(db);
    },
  },
  "0005-distribution-points": {
    up: async (db: Kysely<never>) => {
      for (const statement of distributionPoints) await sql.raw(statement).execute(db);
    },
  },
  "0006-deployment-times": {
    up: async (db: Kysely<never>) => {
      await sql.raw("ALTER TABLE deployment ADD COLUMN available_from timestamptz, ADD COLUMN expires timestamptz").execute(db);
    },
  },
  "0007-deployment-settings": {
    up: async (db: Kysely<never>) => {
      for (const statement of deploymentSettings) await sql.raw(statement).execute(db);
    },
  },
};

const theRoad = [
  "CREATE SEQUENCE object_id START 1 MAXVALUE 1048575",
  "CREATE TABLE content_object (id text PRIMARY KEY, kind text NOT NULL, name text NOT NULL, created timestamptz NOT NULL DEFAULT now(), UNIQUE (kind, name))",
  "CREATE TABLE object_revision (object_id text NOT NULL REFERENCES content_object, revision int NOT NULL, software_version text NOT NULL, content_id text NOT NULL, storage_sha256 text NOT NULL, stored_bytes bigint NOT NULL, definition jsonb NOT NULL, created timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (object_id, revision))",
  "CREATE TABLE task_sequence (id text PRIMARY KEY, name text NOT NULL UNIQUE, created timestamptz NOT NULL DEFAULT now())",
  "CREATE TABLE task_sequence_revision (sequence_id text NOT NULL REFERENCES task_sequence, revision int NOT NULL, yaml text NOT NULL, payload bytea NOT NULL, sha256 text NOT NULL, created timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (sequence_id, revision))",
  "CREATE TABLE collection (id text PRIMARY KEY, name text NOT NULL UNIQUE, built_in text UNIQUE, variables jsonb NOT NULL DEFAULT '[]')",
  "CREATE TABLE device (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, state text NOT NULL, known boolean NOT NULL, key_id text UNIQUE, public_key text, approval_code text, media_id text, attributes jsonb NOT NULL, replaces uuid REFERENCES device, variables jsonb NOT NULL DEFAULT '[]', policy_number int NOT NULL DEFAULT 0, policy_content text[] NOT NULL DEFAULT '{}', last_seen timestamptz, created timestamptz NOT NULL DEFAULT now())",
  "CREATE INDEX device_state ON device (state)",
  "CREATE TABLE collection_member (collection_id text NOT NULL REFERENCES collection ON DELETE CASCADE, device_id uuid NOT NULL REFERENCES device ON DELETE CASCADE, PRIMARY KEY (collection_id, device_id))",
  "CREATE TABLE deployment (id text PRIMARY KEY, sequence_id text NOT NULL REFERENCES task_sequence, collection_id text REFERENCES collection, device_id uuid REFERENCES device, purpose text NOT NULL, make_available_to text NOT NULL, enabled boolean NOT NULL DEFAULT true, comment text NOT NULL, created timestamptz NOT NULL DEFAULT now(), CHECK ((collection_id IS NULL) <> (device_id IS NULL)))",
  "CREATE TABLE media (media_id text PRIMARY KEY, size bigint NOT NULL, sha256 text NOT NULL, path text NOT NULL, manifest jsonb NOT NULL, created timestamptz NOT NULL DEFAULT now())",
  "CREATE TABLE receipt (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), media_id text NOT NULL, disk_guid text NOT NULL, confirmed boolean NOT NULL, document jsonb NOT NULL, imported timestamptz NOT NULL DEFAULT now(), UNIQUE (media_id, disk_guid))",
  "CREATE TABLE status_message (position bigserial PRIMARY KEY, device_id uuid NOT NULL REFERENCES device ON DELETE CASCADE, number int NOT NULL, message jsonb NOT NULL, received timestamptz NOT NULL DEFAULT now(), UNIQUE (device_id, number))",
  'CREATE TABLE distribution_point (url text PRIMARY KEY, "order" int NOT NULL)',
  "CREATE TABLE job (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), kind text NOT NULL, state text NOT NULL DEFAULT 'waiting', progress jsonb, result jsonb, error jsonb, created timestamptz NOT NULL DEFAULT now())",
  "CREATE TABLE audit (id bigserial PRIMARY KEY, time timestamptz NOT NULL DEFAULT now(), actor text NOT NULL, action text NOT NULL, subject text NOT NULL)",
  "CREATE RULE audit_keeps AS ON UPDATE TO audit DO INSTEAD NOTHING",
  "CREATE RULE audit_stays AS ON DELETE TO audit DO INSTEAD NOTHING",
  "CREATE FUNCTION notify_status() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('device_changed', NEW.device_id::text); RETURN NEW; END $$",
  "CREATE TRIGGER status_message_notify AFTER INSERT ON status_message FOR EACH ROW EXECUTE FUNCTION notify_status()",
  "CREATE FUNCTION notify_device() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('device_changed', NEW.id::text); RETURN NEW; END $$",
  "CREATE TRIGGER device_notify AFTER INSERT OR UPDATE OF state, name ON device FOR EACH ROW EXECUTE FUNCTION notify_device()",
];

const depotsAndClaims = [
  "CREATE TABLE depot (key_id text PRIMARY KEY, public_key text NOT NULL, name text NOT NULL, registered timestamptz NOT NULL DEFAULT now(), revoked timestamptz)",
  // One disk may have several receipts (a forged one among them must not take the place of the true one): what makes a receipt is its bytes.
  "ALTER TABLE receipt DROP CONSTRAINT receipt_media_id_disk_guid_key",
  "ALTER TABLE receipt ADD COLUMN sha256 text UNIQUE, ADD COLUMN envelope bytea, ADD COLUMN depot_key_id text, ADD COLUMN claim_id text, ADD COLUMN revoked timestamptz",
  "CREATE INDEX receipt_media ON receipt (media_id)",
  "CREATE INDEX receipt_depot ON receipt (depot_key_id)",
  "CREATE TABLE claim (claim_id text PRIMARY KEY, public_key text NOT NULL, receipt_id uuid NOT NULL REFERENCES receipt, media_id text NOT NULL, disk_guid text NOT NULL, disk_serial text, used_by uuid REFERENCES device ON DELETE SET NULL, used_at timestamptz, revoked timestamptz)",
  "CREATE INDEX claim_receipt ON claim (receipt_id)",
  "ALTER TABLE media ADD COLUMN revoked timestamptz, ADD COLUMN renewal bytea, ADD COLUMN renewed_to timestamptz",
];

const enrolment = [
  // `proof`: what let the device in; `claim_id`: the claim it showed, used or not; `policy_*`: the deployment and revision it chose last.
  "ALTER TABLE device ADD COLUMN sealing_key text, ADD COLUMN proof text, ADD COLUMN claim_id text, ADD COLUMN enrolled timestamptz, ADD COLUMN policy_deployment text, ADD COLUMN policy_sequence text",
  "UPDATE device SET proof = 'approval' WHERE state = 'enrolled'",
  "ALTER TABLE deployment ADD COLUMN secrets_to_password boolean NOT NULL DEFAULT false",
  "CREATE TABLE media_password (media_id text PRIMARY KEY REFERENCES media, verifier text NOT NULL, changed timestamptz NOT NULL DEFAULT now())",
  "CREATE TABLE secret (scope text NOT NULL, owner_id text NOT NULL, name_key text NOT NULL, name text NOT NULL, sealed bytea NOT NULL, changed timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (scope, owner_id, name_key))",
  "CREATE TABLE conflict (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), claim_id text NOT NULL REFERENCES claim, first_device uuid NOT NULL REFERENCES device ON DELETE CASCADE, second_device uuid NOT NULL UNIQUE REFERENCES device ON DELETE CASCADE, seen timestamptz NOT NULL DEFAULT now(), resolved timestamptz, resolution text)",
  "CREATE INDEX conflict_claim ON conflict (claim_id)",
];

const userDeviceAffinity = [
  // `user_key` is the name in lower case; `source`: the deployment whose sequence named the user; `decided`: by an administrator.
  "CREATE TABLE user_device_affinity (device_id uuid NOT NULL REFERENCES device ON DELETE CASCADE, user_key text NOT NULL, user_name text NOT NULL, state text NOT NULL, source text, created timestamptz NOT NULL DEFAULT now(), decided timestamptz, PRIMARY KEY (device_id, user_key))",
  "CREATE FUNCTION notify_affinity() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('device_changed', COALESCE(NEW.device_id, OLD.device_id)::text); RETURN NULL; END $$",
  "CREATE TRIGGER user_device_affinity_notify AFTER INSERT OR UPDATE OR DELETE ON user_device_affinity FOR EACH ROW EXECUTE FUNCTION notify_affinity()",
];

const distributionPoints = [
  "ALTER TABLE content_object ADD COLUMN confidential boolean NOT NULL DEFAULT false",
  "ALTER TABLE distribution_point ADD COLUMN target jsonb",
  // `url`: also the site's own, which need not be among the named ones.
  "CREATE TABLE distribution_status (url text NOT NULL, content_id text NOT NULL, state text NOT NULL, faults jsonb NOT NULL, \"full\" boolean NOT NULL, checked timestamptz NOT NULL, PRIMARY KEY (url, content_id))",
];

const deploymentSettings = [
  "ALTER TABLE deployment ADD COLUMN assignments jsonb NOT NULL DEFAULT '[]', ADD COLUMN rerun text NOT NULL DEFAULT 'always', ADD COLUMN high_impact jsonb, ADD COLUMN debug boolean NOT NULL DEFAULT false",
  "ALTER TABLE deployment ADD COLUMN alert_success_below int, ADD COLUMN alert_success_by timestamptz, ADD COLUMN alert_failure_above int",
  "CREATE TABLE site_setting (name text PRIMARY KEY, value jsonb NOT NULL)",
  // A device's run of a deployment, from what it reported; `number`: of the message that began it. `outcome` null: it runs, or was never heard of again.
  "CREATE TABLE run (device_id uuid NOT NULL REFERENCES device ON DELETE CASCADE, number int NOT NULL, deployment_id text NOT NULL, started timestamptz NOT NULL, finished timestamptz, outcome text, maximum_minutes int NOT NULL DEFAULT 120, PRIMARY KEY (device_id, number))",
  "CREATE INDEX run_deployment ON run (deployment_id)",
  "INSERT INTO run (device_id, number, deployment_id, started) SELECT device_id, number, message->>'deploymentId', (message->>'time')::timestamptz FROM status_message WHERE message->>'kind' = 'sequence-started' AND message ? 'deploymentId'",
  "UPDATE run SET finished = ended.time, outcome = ended.outcome FROM (SELECT DISTINCT ON (run.device_id, run.number) run.device_id, run.number, (message->>'time')::timestamptz AS time, message->>'outcome' AS outcome FROM run JOIN status_message ON status_message.device_id = run.device_id AND status_message.number > run.number AND message->>'kind' = 'sequence-finished' AND message->>'deploymentId' = run.deployment_id ORDER BY run.device_id, run.number, status_message.number) AS ended WHERE ended.device_id = run.device_id AND ended.number = run.number",
  // `cleared`: no longer true; `closed`: by hand. Open while neither is set.
  "CREATE TABLE alert (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), deployment_id text NOT NULL REFERENCES deployment ON DELETE CASCADE, kind text NOT NULL, threshold int NOT NULL, percent int NOT NULL, opened timestamptz NOT NULL DEFAULT now(), cleared timestamptz, closed timestamptz)",
  "CREATE UNIQUE INDEX alert_one ON alert (deployment_id, kind) WHERE cleared IS NULL",
  "CREATE FUNCTION notify_alert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('device_changed', ''); RETURN NULL; END $$",
  "CREATE TRIGGER alert_notify AFTER INSERT OR UPDATE ON alert FOR EACH ROW EXECUTE FUNCTION notify_alert()",
];
