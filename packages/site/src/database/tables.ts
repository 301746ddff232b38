import type { ContentKind, Manifest } from "@prestage/media";
import type { AffinityState, AlertKind, Assignment, ConflictResolution, DeviceState, DistributionStatus, HighImpact, Job, MakeAvailableTo, ObjectDefinition, PublishLocation, Rerun, SecretScope, StatusMessage } from "@prestage/contract";
import type { DeviceAttributes, ProofKind, Receipt } from "@prestage/trust";
import type { ColumnType, Generated } from "kysely";

/** A time set by the database where none is given. */
type Time = ColumnType<Date, Date | undefined, Date>;
type NullableTime = ColumnType<Date | null, Date | null | undefined, Date | null>;
type NullableText = ColumnType<string | null, string | null | undefined, string | null>;
type NullableNumber = ColumnType<number | null, number | null | undefined, number | null>;
type NullableBytes = ColumnType<Buffer | null, Buffer | null | undefined, Buffer | null>;
/** JSON goes in as text and comes out parsed. */
type Json<T> = ColumnType<T, string, string>;

export interface Tables {
  content_object: { id: string; kind: ContentKind; name: string; confidential: Generated<boolean>; created: Time };
  object_revision: { object_id: string; revision: number; software_version: string; content_id: string; storage_sha256: string; stored_bytes: ColumnType<string, number, number>; definition: Json<ObjectDefinition>; created: Time };
  task_sequence: { id: string; name: string; created: Time };
  task_sequence_revision: { sequence_id: string; revision: number; yaml: string; payload: Buffer; sha256: string; created: Time };
  collection: { id: string; name: string; built_in: "all-systems" | "all-unknown-computers" | null; variables: Json<{ name: string; value: string }[]> };
  collection_member: { collection_id: string; device_id: string };
  deployment: {
    id: string; sequence_id: string; collection_id: string | null; device_id: string | null; purpose: "available" | "required"; make_available_to: MakeAvailableTo; enabled: boolean; comment: string; secrets_to_password: Generated<boolean>; created: Time; available_from: NullableTime; expires: NullableTime;
    assignments: ColumnType<Assignment[], string | undefined, string>; rerun: Generated<Rerun>; high_impact: ColumnType<HighImpact | null, string | null | undefined, string | null>; debug: Generated<boolean>;
    alert_success_below: NullableNumber; alert_success_by: NullableTime; alert_failure_above: NullableNumber;
  };
  device: {
    id: Generated<string>; name: string; state: DeviceState; known: boolean; key_id: string | null; public_key: string | null; approval_code: string | null;
    media_id: string | null; attributes: Json<DeviceAttributes>; replaces: string | null; variables: Json<{ name: string; value: string }[]>; policy_number: Generated<number>; policy_content: Generated<string[]>;
    last_seen: ColumnType<Date | null, Date | null | undefined, Date | null>; created: Time;
    sealing_key: NullableText; proof: ColumnType<ProofKind | null, ProofKind | null | undefined, ProofKind | null>; claim_id: NullableText; enrolled: NullableTime; policy_deployment: NullableText; policy_sequence: NullableText;
  };
  /** argon2id in the PHC string format. */
  media_password: { media_id: string; verifier: string; changed: Time };
  /** `sealed` under the site's secrets key; `name_key` is the name in lower case, as names of variables are compared. */
  secret: { scope: SecretScope; owner_id: string; name_key: string; name: string; sealed: Buffer; changed: Time };
  /** A claim seen twice: `first_device` used it. */
  conflict: { id: Generated<string>; claim_id: string; first_device: string; second_device: string; seen: Time; resolved: NullableTime; resolution: ColumnType<ConflictResolution | null, ConflictResolution | null | undefined, ConflictResolution | null> };
  /** A user device affinity; `user_key` is the name in lower case. */
  user_device_affinity: { device_id: string; user_key: string; user_name: string; state: AffinityState; source: string | null; created: Time; decided: NullableTime };
  media: { media_id: string; size: ColumnType<string, number, number>; sha256: string; path: string; manifest: Json<Manifest>; created: Time; revoked: NullableTime; renewal: NullableBytes; renewed_to: NullableTime };
  depot: { key_id: string; public_key: string; name: string; registered: Time; revoked: NullableTime };
  /** `sha256` of the receipt's own bytes; `envelope` as the depot signed it, kept so that a depot registered later confirms it. */
  receipt: {
    id: Generated<string>; media_id: string; disk_guid: string; confirmed: boolean; document: Json<Receipt>; imported: Time;
    sha256: ColumnType<string | null, string, string>; envelope: NullableBytes; depot_key_id: string | null; claim_id: string | null; revoked: NullableTime;
  };
  claim: { claim_id: string; public_key: string; receipt_id: string; media_id: string; disk_guid: string; disk_serial: string | null; used_by: string | null; used_at: NullableTime; revoked: NullableTime };
  status_message: { position: Generated<string>; device_id: string; number: number; message: Json<StatusMessage>; received: Time };
  distribution_point: { url: string; order: number; target: ColumnType<PublishLocation | null, string | null | undefined, string | null> };
  distribution_status: { url: string; content_id: string; state: DistributionStatus["state"]; faults: Json<string[]>; full: boolean; checked: ColumnType<Date, Date, Date> };
  job: { id: Generated<string>; kind: Job["kind"]; state: Generated<Job["state"]>; progress: Json<Job["progress"]> | null; result: Json<Job["result"]> | null; error: Json<Job["error"]> | null; created: Time };
  site_setting: { name: string; value: Json<unknown> };
  run: { device_id: string; number: number; deployment_id: string; started: Date; finished: NullableTime; outcome: NullableText; maximum_minutes: Generated<number> };
  alert: { id: Generated<string>; deployment_id: string; kind: AlertKind; threshold: number; percent: number; opened: Time; cleared: NullableTime; closed: NullableTime };
  audit: { id: Generated<string>; time: Time; actor: string; action: string; subject: string };
}
