import { sha256Schema } from "@prestage/content/schema";
import { contentKinds, keyboardLayoutNames, manifestSchema, objectIdSchema, screenLanguages, unattendedErrors, variableNameSchema } from "@prestage/media/schema";
import { z } from "zod";
import { applicationDefinitionSchema, contentObjectSchema, driverPackageDefinitionSchema, packageDefinitionSchema } from "./objects.ts";
import { affinityStateSchema } from "./affinity.ts";
import { runSchema } from "./deployments.ts";
import { distributionPointSchema } from "./distribution-points.ts";
import { statusMessageSchema } from "./management-point.ts";

/** The administration API lives below this path; every route but none needs `Authorization: Bearer TOKEN`. */
export const administrationPrefix = "/v1";

const name = z.string().min(1).max(256);
const softwareVersion = z.string().max(64).default("");
/** A folder or file as the site server sees it. */
const sourcePath = z.string().min(1).max(4096);
/** Given: a new revision of that object, if the content or definition changed. */
const update = objectIdSchema.optional();
/** Kept off every distribution point but the site's own; absent: as the object is, a new one is not. */
const confidential = z.boolean().optional();

export const importRequestSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("os-image"), name, softwareVersion, source: sourcePath, index: z.int().min(1), update, confidential }),
  z.strictObject({ kind: z.literal("boot-image"), name, softwareVersion, source: sourcePath, profile: z.string().max(32).default(""), update, confidential }),
  z.strictObject({ kind: z.literal("application"), name, softwareVersion, source: sourcePath, definition: applicationDefinitionSchema, update, confidential }),
  z.strictObject({ kind: z.literal("package"), name, softwareVersion, source: sourcePath, definition: packageDefinitionSchema, update, confidential }),
  z.strictObject({ kind: z.literal("driver-package"), name, softwareVersion, source: sourcePath, definition: driverPackageDefinitionSchema, update, confidential }),
]);
export type ImportRequest = z.infer<typeof importRequestSchema>;

export const jobSchema = z.strictObject({
  id: z.guid(),
  kind: z.enum(["import", "media-create", "patches", "validate", "collect", "share", "validate-distribution-points", "redistribute", "content-export", "content-import"]),
  state: z.enum(["waiting", "running", "succeeded", "failed", "cancelled"]),
  progress: z.strictObject({ phase: z.string(), done: z.number(), total: z.number() }).nullable(),
  result: z.record(z.string(), z.unknown()).nullable(),
  error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
  created: z.iso.datetime(),
});
export type Job = z.infer<typeof jobSchema>;
/** Patches from one version of an object to its newest; `bytes` is null until they are made. `from` the newest itself: its pack of pieces, which fits any older version. */
export const patchRecordSchema = z.strictObject({ objectId: objectIdSchema, name: z.string(), from: sha256Schema, to: sha256Schema, bytes: z.int().nullable() });
export type PatchRecord = z.infer<typeof patchRecordSchema>;
/** Of a validated library; `faults` stand in the job's result. */
export const libraryFaultSchema = z.strictObject({ contentId: sha256Schema, file: z.string(), fault: z.string() });
export type LibraryFault = z.infer<typeof libraryFaultSchema>;
/** Every version the site has, with what it belongs to. */
export const storedVersionSchema = z.strictObject({ contentId: sha256Schema, storedBytes: z.int(), objectIds: z.array(objectIdSchema), newest: z.boolean(), confidential: z.boolean() });
export type StoredVersionRecord = z.infer<typeof storedVersionSchema>;
/** `output` as the server sees it; `confidential`: also what is marked so. */
export const exportContentRequestSchema = z.strictObject({ objectIds: z.array(objectIdSchema).min(1).max(1000), output: sourcePath, confidential: z.boolean().default(false) });
/** `keyring`: of the site it comes from, a DSSE envelope; absent: this site's own. */
export const importContentRequestSchema = z.strictObject({ source: sourcePath, keyring: z.base64().max(512 * 1024).optional() });
export const jobAnswerSchema = z.strictObject({ jobId: z.guid() });

export const objectListQuerySchema = z.strictObject({ kind: z.enum(contentKinds).optional() });
export const setObjectRequestSchema = z.strictObject({ confidential: z.boolean() });
/** With a revision only that one. */
export const removeObjectQuerySchema = z.strictObject({ revision: z.coerce.number().int().min(1).optional() });
export const removedObjectSchema = z.strictObject({ id: objectIdSchema, revisions: z.array(z.int()) });
export const objectListSchema = z.array(contentObjectSchema);

/** `basedOn`: the revision the text was made from; another newest one refuses it. */
export const addSequenceRequestSchema = z.strictObject({ yaml: z.string().max(8 * 1024 * 1024), update, basedOn: z.int().min(1).optional() }).refine((value) => value.basedOn === undefined || value.update !== undefined, "`basedOn` goes with `update`");
export const sequenceRecordSchema = z.strictObject({ id: objectIdSchema, name: z.string(), revision: z.int(), sha256: sha256Schema, created: z.iso.datetime(), yaml: z.string() });
export type SequenceRecord = z.infer<typeof sequenceRecordSchema>;

const variables = z.array(z.strictObject({ name: variableNameSchema, value: z.string().max(4000) })).max(1000);
const macAddress = z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);
export const addDeviceRequestSchema = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9-]{1,63}$/),
  smbiosUuid: z.string().max(64).optional(),
  serialNumber: z.string().max(128).optional(),
  macAddress: macAddress.optional(),
  /** The device whose user state and settings this one takes over. */
  replaces: z.guid().optional(),
  variables: variables.default([]),
});
export const setDeviceRequestSchema = z.strictObject({ name: z.string().regex(/^[A-Za-z0-9-]{1,63}$/).optional(), replaces: z.guid().nullable().optional(), variables: variables.optional() });
export const deviceStateSchema = z.enum(["expected", "waiting", "enrolled", "refused", "revoked"]);
export type DeviceState = z.infer<typeof deviceStateSchema>;
export const deviceSchema = z.strictObject({
  id: z.guid(), name: z.string(), state: deviceStateSchema, known: z.boolean(), approvalCode: z.string().nullable(), mediaId: sha256Schema.nullable(),
  attributes: z.record(z.string(), z.unknown()), replaces: z.guid().nullable(), lastSeen: z.iso.datetime().nullable(), created: z.iso.datetime(),
  /** What let it in: the claim on its disk, the media password, or an administrator. */
  proof: z.enum(["claim", "password", "approval"]).nullable(),
  claimId: sha256Schema.nullable(),
  /** The unresolved conflict this device is part of: two computers showed one claim. */
  conflictId: z.guid().nullable(),
  variables,
  /** Names only. */
  secretVariables: z.array(z.string()),
  /** Whose device it is, or may become. */
  users: z.array(z.strictObject({ name: z.string(), state: affinityStateSchema })),
  lastStatus: statusMessageSchema.nullable(),
  /** The last message about a step: what the device is doing. */
  lastStep: statusMessageSchema.nullable(),
  /** Its newest run. */
  lastRun: runSchema.nullable(),
});
export type Device = z.infer<typeof deviceSchema>;
export const decideApprovalRequestSchema = z.strictObject({ decision: z.enum(["approve", "refuse"]), name: z.string().regex(/^[A-Za-z0-9-]{1,63}$/).optional() });

export const collectionSchema = z.strictObject({ id: objectIdSchema, name: z.string(), builtIn: z.enum(["all-systems", "all-unknown-computers"]).nullable(), members: z.array(z.guid()), variables, secretVariables: z.array(z.string()) });
export const createCollectionRequestSchema = z.strictObject({ name, members: z.array(z.guid()).max(100_000).default([]), variables: variables.default([]) });

/** What `media create` asks for; the site completes it from the sequence and its records. */
export const createMediaRequestSchema = z.strictObject({
  taskSequenceId: objectIdSchema,
  applications: z.array(objectIdSchema).max(1000).default([]),
  packages: z.array(objectIdSchema).max(1000).default([]),
  driverPackages: z.array(objectIdSchema).max(1000).default([]),
  bootImageId: objectIdSchema.optional(),
  osImage: z.strictObject({ id: objectIdSchema, index: z.int().min(1).optional() }).optional(),
  managementPoints: z.array(z.url()).max(64).default([]),
  /** dynamic: computers follow the list their policy names; site-based: they keep to this one. */
  managementPointMode: manifestSchema.shape.managementPoints.shape.mode.default("site-based"),
  distributionPoints: z.array(z.url()).max(64).default([]),
  variables,
  unattended: z.boolean().default(false),
  unknownComputers: z.boolean().default(true),
  /** Whether a computer asks for the media password; the password itself is set apart, and is never on the media. */
  passwordRequired: z.boolean().default(false),
  validFrom: z.iso.datetime().optional(),
  validTo: z.iso.datetime().optional(),
  createdBy: manifestSchema.shape.createdBy.default(""),
  version: manifestSchema.shape.version.default(""),
  comment: manifestSchema.shape.comment.default(""),
  language: z.enum(screenLanguages).default("en"),
  keyboardLayout: z.enum(keyboardLayoutNames).default("us"),
  prestart: manifestSchema.shape.prestart,
  unattendedError: z.enum(unattendedErrors).default("retry"),
  damaged: z.enum(["repair", "stop"]).default("repair"),
  userDeviceAffinity: manifestSchema.shape.userDeviceAffinity.default("none"),
  /** F8 opens a root shell at an enrolled computer. */
  supportShell: z.boolean().default(false),
  /** A media whose password this one takes over. */
  passwordOf: sha256Schema.optional(),
  /** Written by the site where it runs on the same machine; absent: kept at the site for download. */
  output: sourcePath.optional(),
}).refine((request) => request.validFrom === undefined || request.validTo === undefined || Date.parse(request.validFrom) < Date.parse(request.validTo), "validFrom lies before validTo");
export type CreateMediaRequest = z.infer<typeof createMediaRequestSchema>;

/** A media built again with its own options and the site's content of now; what is given here takes the place of the old. */
export const rebuildMediaRequestSchema = z.strictObject({ version: manifestSchema.shape.version.optional(), comment: manifestSchema.shape.comment.optional(), validTo: z.iso.datetime().optional(), output: sourcePath.optional() });
export type RebuildMediaRequest = z.infer<typeof rebuildMediaRequestSchema>;

export const statusListQuerySchema = z.strictObject({ deviceId: z.guid().optional(), after: z.coerce.number().int().min(0).default(0), limit: z.coerce.number().int().min(1).max(5000).default(500) });
export const statusRecordSchema = z.strictObject({ position: z.int(), deviceId: z.guid(), received: z.iso.datetime(), message: statusMessageSchema });
export type StatusRecord = z.infer<typeof statusRecordSchema>;
export const siteSchema = z.strictObject({ siteCode: z.string(), version: z.string(), managementPoints: z.array(z.string()), distributionPoints: z.array(distributionPointSchema), keyringVersion: z.int() });
