import { offeredPatchesSchema, patchFilePattern, sha256Schema } from "@prestage/content/schema";
import { contentKinds, objectIdSchema, variableNameSchema } from "@prestage/media/schema";
import { deviceUserSchema, maximumDeviceUsers, userDeviceAffinityModes } from "@prestage/sequence/schema";
import { z } from "zod";
import { highImpactSchema } from "./deployments.ts";
import { objectDefinitionSchema } from "./objects.ts";

/** The management point's paths. All bodies are JSON; all but the first four are signed with the device key (RFC 9421). */
export const managementPointPaths = {
  keyrings: "/mp/v1/keyrings", // GET ?after=VERSION -> KeyringsAnswer: the keyrings that follow, each trusted for the signature of the one before
  time: "/mp/v1/time", // GET ?nonce=32 hex digits -> DSSE envelope of a signed time
  challenge: "/mp/v1/enrolment/challenge", // POST ChallengeRequest (trust) -> ChallengeAnswer
  enrolment: "/mp/v1/enrolment", // POST EnrolmentRequest (trust) -> EnrolmentAnswer; repeated until approved
  renewal: "/mp/v1/renewal", // GET ?mediaId= -> RenewalAnswer, for anyone: it is signed
  policy: "/mp/v1/policy", // POST PolicyRequest -> PolicyAnswer
  contentUrls: "/mp/v1/content-urls", // POST ContentUrlsRequest -> ContentUrlsAnswer
  secrets: "/mp/v1/secrets", // POST SecretsRequest -> SecretsAnswer
  status: "/mp/v1/status", // POST StatusRequest -> StatusAnswer
} as const;

export const keyringsQuerySchema = z.strictObject({ after: z.coerce.number().int().min(1) });
/** Envelopes, in order; at most 16 at once. */
export const keyringsAnswerSchema = z.strictObject({ keyrings: z.array(z.base64().max(200_000)).max(16) });
export type KeyringsAnswer = z.infer<typeof keyringsAnswerSchema>;

/** `proofs`: those that would do for this media, record and claim; approval always does. */
export const challengeAnswerSchema = z.strictObject({ challenge: z.string().max(500), proofs: z.array(z.enum(["claim", "password", "approval"])).min(1) });
export type ChallengeAnswer = z.infer<typeof challengeAnswerSchema>;

const waitSeconds = z.number().min(0.1).max(3600);

/**
 * waiting: show `code`, ask again after `retryAfterSeconds`; `conflict`: the claim on this disk was used by another computer already.
 * wrong-password: say so; another may be sent after the wait. slow-down: it was not looked at; send it again after the wait. refused: show `reason`.
 */
export const enrolmentAnswerSchema = z.discriminatedUnion("state", [
  z.strictObject({ state: z.literal("approved"), deviceId: z.string().max(64), deviceName: z.string().max(64) }),
  z.strictObject({ state: z.literal("waiting"), code: z.string().length(6), retryAfterSeconds: waitSeconds, conflict: z.literal(true).optional() }),
  z.strictObject({ state: z.literal("wrong-password"), retryAfterSeconds: waitSeconds }),
  z.strictObject({ state: z.literal("slow-down"), retryAfterSeconds: waitSeconds }),
  z.strictObject({ state: z.literal("refused"), reason: z.string().max(500) }),
]);
export type EnrolmentAnswer = z.infer<typeof enrolmentAnswerSchema>;

/** Asking for offers (no deploymentId) or for the policy of the chosen deployment. */
export const policyRequestSchema = z.strictObject({
  mediaId: sha256Schema,
  /** SMSTSPreferredAdvertID, where it is set: then only that deployment is offered. */
  preferredDeploymentId: objectIdSchema.optional(),
  deploymentId: objectIdSchema.optional(),
});
export type PolicyRequest = z.infer<typeof policyRequestSchema>;

/** One content version the chosen sequence uses, as the policy fixes it. */
export const policyContentSchema = z.strictObject({
  objectId: objectIdSchema,
  kind: z.enum(contentKinds),
  name: z.string().max(256),
  softwareVersion: z.string().max(64),
  revision: z.int().min(1),
  contentId: sha256Schema,
  storageSha256: sha256Schema,
  /** Bytes of content.wim: the stored, compressed size of the version. */
  storedBytes: z.int().min(0),
  /** Bytes of index.json and of storage.json: a distribution point that sends more is given up. */
  indexBytes: z.int().min(2).optional(),
  storageBytes: z.int().min(2).optional(),
  /** Earlier versions of the same object, newest first: what the disk may hold. */
  earlierContentIds: z.array(sha256Schema).max(64),
  /** Those of them that have so little of this version that its chunks are not worth asking for. */
  unlikeContentIds: z.array(sha256Schema).max(64).optional(),
  /** Versions of other content on the computer's media that have enough of this one for its chunks to be asked for. */
  relatedContentIds: z.array(sha256Schema).max(16).optional(),
  /** Patches from some of its earlier versions to this one. */
  patches: z.array(offeredPatchesSchema).max(64).optional(),
  definition: objectDefinitionSchema,
});
export type PolicyContent = z.infer<typeof policyContentSchema>;

export const offerSchema = z.strictObject({ deploymentId: objectIdSchema, taskSequenceId: objectIdSchema, name: z.string().max(256), comment: z.string().max(1000), purpose: z.enum(["available", "required"]), /** Shown before it begins by itself. */ highImpact: highImpactSchema.optional() });
export type Offer = z.infer<typeof offerSchema>;

/** Payload of a DSSE document of kind `policy`, signed by the policy role. */
export const policySchema = z.strictObject({
  format: z.literal("prestage-policy-v1"),
  keyringVersion: z.int().min(1),
  deviceKeyId: sha256Schema,
  deviceId: z.string().max(64),
  deviceName: z.string().max(64),
  /** Rises with every policy of a device; older than the highest journalled is refused. */
  number: z.int().min(1),
  issued: z.iso.datetime(),
  expires: z.iso.datetime(),
  offers: z.array(offerSchema).max(1000),
  /** The site's management points as they are now, in the order to try; a device on dynamic media keeps them, on site-based media it ignores them. */
  managementPoints: z.array(z.url()).max(64).optional(),
  /** Why nothing is offered, in words for the screen; names the preferred id if one was asked for. */
  nothingOffered: z.string().max(500).optional(),
  selected: z
    .strictObject({
      deploymentId: objectIdSchema,
      taskSequence: z.strictObject({ id: objectIdSchema, name: z.string().max(256), sha256: sha256Schema }),
      content: z.array(policyContentSchema).max(10_000),
      distributionPoints: z.array(z.url()).max(64),
      /** Collection, deployment, then device: later wins (design.md section 9). */
      variables: z.array(z.strictObject({ name: variableNameSchema, value: z.string().max(4000), source: z.enum(["collection", "deployment", "device"]) })).max(2000),
    })
    .optional(),
});
export type Policy = z.infer<typeof policySchema>;

/** Envelopes travel as base64 of their bytes: what is verified is the bytes received. `taskSequence` comes with `selected`: its SHA-256 over the DSSE *payload* stands in the policy. */
export const policyAnswerSchema = z.strictObject({ policy: z.base64(), taskSequence: z.base64().optional() });
export type PolicyAnswer = z.infer<typeof policyAnswerSchema>;

export const contentUrlsRequestSchema = z.strictObject({ contentIds: z.array(sha256Schema).min(1).max(1000) });
/** `queries[contentId][file]` is the query to add to `DP/content/<id>/<file>`; valid at each of the site's distribution points and the media's own. */
export const contentUrlsAnswerSchema = z.strictObject({ expires: z.iso.datetime(), queries: z.record(sha256Schema, z.record(z.string(), z.string().max(1000))) });
export type ContentUrlsAnswer = z.infer<typeof contentUrlsAnswerSchema>;
export const contentFileNames = ["content.wim", "index.json", "index.json.zst", "chunks.bin", "storage.json", "storage.json.zst"] as const;
/** What may be asked for of a content version: its files, and the patches to it. */
export const contentFileSchema = z.union([z.enum(contentFileNames), z.string().regex(patchFilePattern)]);

/** The secrets a step of the chosen deployment names. */
export const secretsRequestSchema = z.strictObject({ deploymentId: objectIdSchema, names: z.array(variableNameSchema).min(1).max(32) });
export type SecretsRequest = z.infer<typeof secretsRequestSchema>;
/** Each sealed to the device (trust, sealSecret); `missing` have no value at the site. */
export const secretsAnswerSchema = z.strictObject({
  secrets: z.array(z.strictObject({ name: variableNameSchema, sealed: z.strictObject({ encapsulated: z.base64().max(64), ciphertext: z.base64().max(24_000) }) })).max(32),
  missing: z.array(variableNameSchema).max(32),
});
export type SecretsAnswer = z.infer<typeof secretsAnswerSchema>;

export const statusKinds = [
  "verification-started", "verification-finished", "file-damaged", "enrolled", "sequence-started", "group-started", "group-finished", "step-started", "step-finished", "step-skipped",
  "content-resolved", "content-fetch-progress", "content-fetch-finished", "distribution-point-failed", "restart", "restarted", "sequence-finished", "error",
  "debugger", "support-shell-opened", "support-shell-closed", "user-device-affinity",
] as const;
export type StatusKind = (typeof statusKinds)[number];

export const contentStateSchema = z.strictObject({
  objectId: objectIdSchema, kind: z.enum(contentKinds), name: z.string().max(256), contentId: sha256Schema,
  state: z.enum(["hit", "revised", "missing"]),
  files: z.strictObject({ hit: z.int(), revised: z.int(), missing: z.int() }),
  bytesToFetch: z.int().min(0), bytesTotal: z.int().min(0),
});
export type ContentState = z.infer<typeof contentStateSchema>;

/** One status message. `number` starts at 1 for a device and never skips: the site keeps each number once. */
export const statusMessageSchema = z.strictObject({
  number: z.int().min(1).max(2_147_483_647),
  time: z.iso.datetime(),
  kind: z.enum(statusKinds),
  /** boot: the boot environment; installed: the installed system. */
  environment: z.enum(["boot", "installed"]),
  deploymentId: objectIdSchema.optional(),
  step: z.strictObject({ id: z.string().max(128), name: z.string().max(256), type: z.string().max(64), path: z.array(z.string().max(256)).max(32) }).optional(),
  /** With `group-started` and `group-finished`: the group, and the names of those it stands in. */
  group: z.strictObject({ id: z.string().max(128), name: z.string().max(256), path: z.array(z.string().max(256)).max(32) }).optional(),
  outcome: z.enum(["succeeded", "failed", "skipped"]).optional(),
  exitCode: z.int().optional(),
  seconds: z.number().min(0).optional(),
  /** The last lines of what a step printed. */
  outputTail: z.string().max(4000).optional(),
  content: contentStateSchema.optional(),
  progress: z.strictObject({ done: z.number().min(0), total: z.number().min(0), unit: z.enum(["bytes", "files", "percent"]) }).optional(),
  /** The error's stable code and its message. */
  error: z.strictObject({ code: z.string().max(128), message: z.string().max(2000) }).optional(),
  text: z.string().max(2000).optional(),
  /** With `user-device-affinity`: the users of this device, and what the sequence asks for; the media decides, and is never exceeded. */
  affinity: z.strictObject({ mode: z.enum(userDeviceAffinityModes), users: z.array(deviceUserSchema).min(1).max(maximumDeviceUsers) }).optional(),
});
export type StatusMessage = z.infer<typeof statusMessageSchema>;
export const statusRequestSchema = z.strictObject({ messages: z.array(statusMessageSchema).min(1).max(500) });
/** Everything up to `highest` is kept; the spool may forget it. */
export const statusAnswerSchema = z.strictObject({ highest: z.int().min(0) });

/** Every refusal's body. */
export const errorAnswerSchema = z.object({ code: z.string(), message: z.string() });
