import { sha256Schema } from "@prestage/content/schema";
import { z } from "zod";

/** Site code and five hex digits; braces around it are accepted where people type. */
export const objectIdSchema = z.string().regex(/^[A-Z0-9]{3}[0-9A-F]{5}$/, "a site code and five hex digits, such as ABC00001");

export const contentKinds = ["os-image", "boot-image", "application", "package", "driver-package"] as const;
export type ContentKind = (typeof contentKinds)[number];

/** A variable's name as the reference limits it: letters, digits, `_`, not read-only. */
export const variableNameSchema = z.string().max(256).regex(/^[A-Za-z_][A-Za-z0-9_.-]*$/);

export const unattendedErrors = ["retry", "power-off"] as const;
/** Languages of the boot screens, and layouts of its keyboard. */
export const screenLanguages = ["en", "fr"] as const;
export const keyboardLayoutNames = ["us", "fr", "de", "uk"] as const;

/** One content version a media carries; its files are covered by its index, whose SHA-256 is `contentId`. */
export const mediaContentSchema = z.strictObject({
  objectId: objectIdSchema,
  kind: z.enum(contentKinds),
  name: z.string().max(256),
  revision: z.int().min(1),
  contentId: sha256Schema,
});
export type MediaContent = z.infer<typeof mediaContentSchema>;

/** A file that no index covers. `volume` esp: on the EFI system partition; data: on the data volume. Sizes in bytes. */
export const manifestFileSchema = z.strictObject({
  volume: z.enum(["esp", "data"]),
  path: z.string().min(1).max(4096),
  size: z.int().min(0),
  sha256: sha256Schema,
  spans: z.array(sha256Schema).optional(),
});
export type ManifestFile = z.infer<typeof manifestFileSchema>;

/**
 * Stands in every agent built with this schema, so that a boot image says which manifests its agent reads. Counted up with each field, or name of a form of
 * content, that an agent built before it refuses.
 */
export const manifestReader = "prestage-manifest-reader-2";

/** The manifest (design.md section 5). The media id is the SHA-256 of its bytes (the DSSE payload). */
export const manifestSchema = z.strictObject({
  formatVersion: z.literal(1),
  leastAgentVersion: z.string().max(32),
  /** The reference's limits: 32, 50 and 127 characters. */
  version: z.string().max(32),
  createdBy: z.string().max(50),
  comment: z.string().max(127),
  /** RFC 3339; absent is unlimited. */
  validFrom: z.iso.datetime().optional(),
  validTo: z.iso.datetime().optional(),
  /** The latest issue time of the keyring and the revisions named here; never the build time. */
  floor: z.iso.datetime(),
  architecture: z.literal("x64"),
  site: z.strictObject({ code: z.string().regex(/^[A-Z0-9]{3}$/) }),
  keyring: z.strictObject({ version: z.int().min(1), sha256: sha256Schema }),
  managementPoints: z.strictObject({ mode: z.enum(["site-based", "dynamic"]), urls: z.array(z.url()).min(1).max(64) }),
  /** In order of preference: used when the management point names none, or none of its answers works. */
  distributionPoints: z.array(z.url()).max(64),
  unknownComputers: z.boolean(),
  passwordRequired: z.boolean(),
  unattended: z.boolean(),
  /** What an unattended computer does after an error it has reported; absent: retry. */
  unattendedError: z.enum(unattendedErrors).optional(),
  /** A command that runs after verification and before any contact, in a verified copy of the package's files where it has one. */
  prestart: z.strictObject({ command: z.string().min(1).max(1024), package: objectIdSchema.optional() }).optional(),
  /** F8 opens a root shell on the computer's terminals once it is enrolled; absent: it does not. */
  supportShell: z.literal(true).optional(),
  userDeviceAffinity: z.enum(["none", "approval", "automatic"]),
  /** A hint for people and sheets; what is offered is decided by the management point. */
  taskSequence: z.strictObject({ id: objectIdSchema, name: z.string().max(256) }),
  variables: z.array(z.strictObject({ name: variableNameSchema, value: z.string().max(4000) })).max(1000),
  keyboardLayout: z.string().max(16),
  language: z.string().max(16),
  /** repair: fetch what is damaged once enrolled; stop: nothing runs from a media with a damaged file. */
  damaged: z.enum(["repair", "stop"]),
  bootImage: z.strictObject({ objectId: objectIdSchema, name: z.string().max(256), revision: z.int().min(1), contentId: sha256Schema }),
  osImage: z.strictObject({ objectId: objectIdSchema, contentId: sha256Schema, index: z.int().min(1) }).optional(),
  content: z.array(mediaContentSchema).max(10_000),
  files: z.array(manifestFileSchema).max(10_000),
  /** How the data lie in the media as it was built: digests of the stored bytes of image 1, the agent, and content that is a tree of files, by content id. What agrees need not be decoded to be verified. */
  stored: z.strictObject({ esp: sha256Schema, agent: sha256Schema, content: z.record(sha256Schema, sha256Schema) }).optional().describe(manifestReader),
});
export type Manifest = z.infer<typeof manifestSchema>;
