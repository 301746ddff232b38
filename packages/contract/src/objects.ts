import { sha256Schema } from "@prestage/content/schema";
import { contentKinds, objectIdSchema, variableNameSchema } from "@prestage/media/schema";
import { conditionSchema } from "@prestage/sequence/schema";
import { z } from "zod";

/** A command line: the program and its arguments are one string, run by `sh -c` on Linux, with the content's folder as working directory. */
const commandLineSchema = z.string().min(1).max(4000);

/** How an application is found to be installed. Every rule given must hold. */
export const detectionRuleSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("file"), path: z.string().min(1).max(1000), sha256: sha256Schema.optional() }),
  z.strictObject({ type: z.literal("debian-package"), package: z.string().regex(/^[a-z0-9][a-z0-9+.-]+$/), version: z.string().max(128).optional() }),
  /** A key of Windows' registry, or one of its values; `equals` compares text without case. */
  z.strictObject({ type: z.literal("registry"), key: z.string().min(1).max(512).regex(/^HK(LM|CU|CR|U|CC)\\/i), value: z.string().max(512).optional(), equals: z.string().max(1000).optional() }),
  z.strictObject({ type: z.literal("command"), command: commandLineSchema, outputIncludes: z.string().max(1000).optional() }),
]);
export type DetectionRule = z.infer<typeof detectionRuleSchema>;

export const applicationDefinitionSchema = z.strictObject({
  kind: z.literal("application"),
  installCommand: commandLineSchema,
  uninstallCommand: commandLineSchema.optional(),
  detection: z.array(detectionRuleSchema).min(1).max(16),
  /** Exit codes; 0 is always a success. 3010-like codes ask for a restart. */
  successCodes: z.array(z.int()).max(64).default([0]),
  restartCodes: z.array(z.int()).max(64).default([]),
  /** Ids of applications installed before this one. */
  dependencies: z.array(objectIdSchema).max(64).default([]),
  /** Ids of applications that are removed before this one is installed, where they are there. */
  supersedes: z.array(objectIdSchema).max(16).optional(),
  /** Installed only where it holds. */
  requirement: conditionSchema.optional(),
});

export const packageDefinitionSchema = z.strictObject({
  kind: z.literal("package"),
  programs: z.array(z.strictObject({ name: z.string().min(1).max(50), command: commandLineSchema, successCodes: z.array(z.int()).max(64).default([0]) })).max(64),
});

export const driverPackageDefinitionSchema = z.strictObject({
  kind: z.literal("driver-package"),
  /** Which machines it is for; empty: any. Compared without case, `*` matches anything. */
  models: z.array(z.string().max(128)).max(256).default([]),
});

export const osImageDefinitionSchema = z.strictObject({
  kind: z.literal("os-image"),
  platform: z.enum(["linux", "windows"]),
  images: z.array(z.strictObject({ index: z.int().min(1), name: z.string().max(1000), bytes: z.int().min(0) })).min(1).max(1000),
  /** Of the imported image, where the WIM says it: what was imported before this was kept has none. No computer is told. */
  architecture: z.enum(["x86", "arm", "ia64", "x64", "arm64"]).optional(),
});

export const bootImageDefinitionSchema = z.strictObject({
  kind: z.literal("boot-image"),
  architecture: z.literal("x64"),
  profile: z.string().max(32),
});

/** What an object is besides its content; it travels in the signed policy. */
export const objectDefinitionSchema = z.discriminatedUnion("kind", [
  applicationDefinitionSchema, packageDefinitionSchema, driverPackageDefinitionSchema, osImageDefinitionSchema, bootImageDefinitionSchema,
]);
export type ObjectDefinition = z.infer<typeof objectDefinitionSchema>;
export type ApplicationDefinition = z.infer<typeof applicationDefinitionSchema>;

/** An object as the administration API shows it. */
export const contentObjectSchema = z.strictObject({
  id: objectIdSchema,
  kind: z.enum(contentKinds),
  name: z.string(),
  softwareVersion: z.string(),
  revision: z.int(),
  contentId: sha256Schema,
  storedBytes: z.int(),
  /** Kept off every distribution point but the site's own. */
  confidential: z.boolean(),
  created: z.iso.datetime(),
  definition: objectDefinitionSchema,
});
export type ContentObject = z.infer<typeof contentObjectSchema>;

/** What lint is told of an object. */
export function lintedObject({ kind, name, definition }: ContentObject): { kind: string; name: string; architecture?: string; programs?: string[]; models?: string[] } {
  const architecture = definition.kind === "os-image" ? definition.architecture : undefined;
  return { kind, name, ...(architecture !== undefined && { architecture }), ...(definition.kind === "driver-package" && { models: definition.models }), ...(definition.kind === "package" && { programs: definition.programs.map((program) => program.name) }) };
}

export const collectionVariablesSchema = z.array(z.strictObject({ name: variableNameSchema, value: z.string().max(4000) })).max(1000);
