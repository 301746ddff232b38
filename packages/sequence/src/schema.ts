import { z } from "zod";

/** The reference's limits (features.md F172), wider where its own are too narrow. */
const stepName = z.string().min(1).max(256);
const variableName = z.string().max(256).regex(/^[A-Za-z_][A-Za-z0-9_.-]*$/, "letters, digits, _, - and ., beginning with a letter or _");

/** Names of the environment a command needs to be as it is. */
const reservedForEnvironment = /^(PATH|HOME|SHELL|USER|LOGNAME|PWD|IFS|ENV|BASH_ENV|LANG|TMPDIR|DEBIAN_FRONTEND|NODE_OPTIONS|LC_.*|LD_.*|_?SMSTS.*|Prestage.*)$/i;
/** The name of a secret variable: it becomes a name in the environment of the step that asks for it. */
export const secretNameSchema = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "letters, digits and _, beginning with a letter or _, at most 128")
  .refine((name) => !reservedForEnvironment.test(name), "a name the environment of a command does not need for itself");

/** What becomes of the users a sequence names for a device, the strictest first; the same words as in the media's manifest. */
export const userDeviceAffinityModes = ["none", "approval", "automatic"] as const;
export type UserDeviceAffinity = (typeof userDeviceAffinityModes)[number];
/** `domain\user`; what neither Windows nor a directory takes in a name is refused. */
export const deviceUserSchema = z.string().regex(/^[\p{L}\p{N}._-]{1,255}\\[^\p{C}\s"/\\[\]:;|=,+*?<>](?:[^\p{C}"/\\[\]:;|=,+*?<>]{0,102}[^\p{C}\s"/\\[\]:;|=,+*?<>])?$/u, "domain\\user");
export const maximumDeviceUsers = 32;

/** YAML reads 5 and true as number and boolean; a variable's value is always text. */
const comparedValue = z.union([z.string().max(4000), z.number(), z.boolean()]);

/** Operators on a variable; exactly one is given. `like` knows `*` and `?`. */
export const variableOperators = ["equals", "notEquals", "greater", "greaterOrEqual", "less", "lessOrEqual", "like", "notLike"] as const;
export type VariableOperator = (typeof variableOperators)[number];

const existence = { exists: z.literal(true).optional(), notExists: z.literal(true).optional() };
const comparisons = {
  equals: comparedValue.optional(), notEquals: comparedValue.optional(), greater: comparedValue.optional(), greaterOrEqual: comparedValue.optional(),
  less: comparedValue.optional(), lessOrEqual: comparedValue.optional(), like: comparedValue.optional(), notLike: comparedValue.optional(),
} satisfies Record<VariableOperator, z.ZodType>;

const operators = { ...existence, ...comparisons };
const operatorNames = Object.keys(operators);
const oneOperator = [(condition: Record<string, unknown>) => operatorNames.filter((name) => condition[name] !== undefined).length === 1, "a condition has exactly one operator: exists, notExists, equals, notEquals, greater, greaterOrEqual, less, lessOrEqual, like or notLike"] as const;
const path = z.string().min(1).max(4096);

export const variableConditionSchema = z.strictObject({ variable: variableName, ...operators }).refine(...oneOperator);
export type VariableCondition = z.infer<typeof variableConditionSchema>;

/** What a computer tells of its hardware, in place of WMI queries. */
export const hardwareProperties = ["manufacturer", "model", "version", "sku", "serialNumber", "assetTag", "uuid", "chassis", "virtual", "firmware", "secureBoot", "tpm", "processor", "processorMHz", "cores", "memoryMiB", "diskMiB", "macAddresses"] as const;
export const systemProperties = ["name", "version", "language", "architecture"] as const;

/** A file, as the system that is deployed sees it: in the boot environment below the data volume. `modified` is RFC 3339. */
const fileConditionSchema = z.strictObject({ file: path, property: z.enum(["size", "modified", "version"]).optional(), ...operators }).refine(...oneOperator);
const folderConditionSchema = z.strictObject({ folder: path, property: z.literal("modified").optional(), ...operators }).refine(...oneOperator);
/** A key such as HKLM\\SOFTWARE\\Vendor, or one of its values. */
const registryConditionSchema = z.strictObject({ registry: z.string().min(1).max(512).regex(/^HK(LM|CU|CR|U|CC)\\/i, "a key that begins with HKLM\\, HKCU\\, HKCR\\, HKU\\ or HKCC\\"), value: z.string().max(512).optional(), ...operators }).refine(...oneOperator);
const hardwareConditionSchema = z.strictObject({ hardware: z.enum(hardwareProperties), ...operators }).refine(...oneOperator);
/** `name` as in os-release's ID (debian) or Windows; `version` part by part. */
const systemConditionSchema = z.strictObject({ operatingSystem: z.enum(systemProperties), ...operators }).refine(...oneOperator);
/** A package or program that is installed; compared is its version. */
const softwareConditionSchema = z.strictObject({ software: z.string().min(1).max(256), ...operators }).refine(...oneOperator);
export const factConditionSchema = z.union([fileConditionSchema, folderConditionSchema, registryConditionSchema, hardwareConditionSchema, systemConditionSchema, softwareConditionSchema]);
export type FactCondition = z.infer<typeof factConditionSchema>;

const allSchema = z.strictObject({
  get all() {
    return z.array(conditionSchema).min(1).max(100);
  },
});
const anySchema = z.strictObject({
  get any() {
    return z.array(conditionSchema).min(1).max(100);
  },
});
const noneSchema = z.strictObject({
  get none() {
    return z.array(conditionSchema).min(1).max(100);
  },
});
/** When a step or group runs: a test of a variable or of the computer, or all, any or none of several conditions. */
export const conditionSchema: z.ZodType<Condition, Condition> = z.union([variableConditionSchema, ...factConditionSchema.options, allSchema, anySchema, noneSchema]);
export type Condition = VariableCondition | FactCondition | { all: Condition[] } | { any: Condition[] } | { none: Condition[] };

/** A step, or a group (type `group`, with `steps`). `with` holds the step's settings; which ones is the executor's business. */
export interface Step {
  /** Unique in the sequence; a run's journal knows the step by it. */
  id: string;
  name: string;
  description?: string | undefined;
  type: string;
  with?: Record<string, z.core.util.JSONType> | undefined;
  when?: Condition | undefined;
  /** Secret variables the step's process finds in its environment; it cannot have them otherwise. */
  secrets?: string[] | undefined;
  continueOnError?: boolean | undefined;
  /** Run it again when it fails, this often. */
  retry?: StepRetry | undefined;
  /** Asked only when the step was interrupted: where it holds, the step was done, and is not run again. */
  once?: Condition | undefined;
  /** It fails when it is not done by then. */
  timeLimitMinutes?: number | undefined;
  disabled?: boolean | undefined;
  steps?: Step[] | undefined;
}

/** As it is written: what has a default may be left out. */
export type StepInput = Omit<Step, "retry" | "steps"> & { retry?: z.input<typeof retrySchema> | undefined; steps?: StepInput[] | undefined };

/** The reference retries twice by default and at most five times (features.md F197). */
const retrySchema = z.strictObject({ times: z.int().min(1).max(5).default(2), delaySeconds: z.int().min(0).max(3600).default(30) });
export type StepRetry = z.infer<typeof retrySchema>;

export const stepSchema: z.ZodType<Step, StepInput> = z
  .strictObject({
    id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, "letters, digits, -, _ and ., at most 128"),
    name: stepName,
    description: z.string().max(1000).optional(),
    type: z.string().max(64).regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, "words of lower-case letters joined by -"),
    with: z.record(z.string().max(128), z.json()).optional(),
    when: conditionSchema.optional(),
    secrets: z.array(secretNameSchema).min(1).max(32).optional(),
    continueOnError: z.boolean().optional(),
    retry: retrySchema.optional(),
    once: conditionSchema.optional(),
    timeLimitMinutes: z.int().min(1).max(1440).optional(),
    disabled: z.boolean().optional(),
    get steps() {
      return z.array(stepSchema).max(1000).optional();
    },
  })
  .refine((step) => (step.type === "group") === (step.steps !== undefined), "a group has `steps`, and only a group")
  .refine((step) => step.type !== "group" || step.with === undefined, "a group has no `with`")
  .refine((step) => step.type !== "group" || (step.retry === undefined && step.timeLimitMinutes === undefined && step.once === undefined), "a group has no `retry`, `once` and `timeLimitMinutes`: give them to its steps")
  .refine((step) => step.type !== "group" || step.secrets === undefined, "a group has no `secrets`: name them in the step that needs them")
  .superRefine((step, context) => {
    const names = (step.secrets ?? []).map((name) => name.toLowerCase());
    for (const name of new Set([...names, ...secretsInSettings(step.with).map((one) => one.toLowerCase())])) {
      if (names.indexOf(name) !== names.lastIndexOf(name)) context.addIssue({ code: "custom", path: ["secrets"], message: `the secret ${name} is named twice` });
      if (JSON.stringify(step.with ?? {}).toLowerCase().includes(`%${name}%`)) {
        context.addIssue({ code: "custom", path: ["with"], message: `%${name}% would put a secret on a command line; the step finds it in its environment, as $${name} in a shell` });
      }
    }
  });

/** A task sequence as people write it and as it is signed. */
export const taskSequenceSchema = z
  .strictObject({
    id: z.string().max(128).optional(),
    name: z.string().min(1).max(256),
    description: z.string().max(1000).optional(),
    /** A run that lasts longer is marked as overdue at the site; nothing ends it. Absent: 120; 0: 720 (features.md F165). */
    maximumRunMinutes: z.int().min(0).max(100_000).optional(),
    steps: z.array(stepSchema).min(1).max(1000),
  })
  .superRefine((sequence, context) => {
    const seen = new Set<string>();
    for (const step of allSteps(sequence.steps)) {
      if (seen.has(step.id)) context.addIssue({ code: "custom", path: ["steps"], message: `two steps have the id ${step.id}` });
      seen.add(step.id);
    }
  });
export type TaskSequence = z.infer<typeof taskSequenceSchema>;

/** Every step and group, in order, groups before what is in them. */
export function* allSteps(steps: readonly Step[]): Generator<Step> {
  for (const step of steps) {
    yield step;
    if (step.steps !== undefined) yield* allSteps(step.steps);
  }
}

/** The names of the groups a step stands in, the outermost first. */
export function groupsAround(sequence: { steps: readonly Step[] }, stepId: string): string[] {
  for (const step of sequence.steps) {
    if (step.id === stepId || step.steps === undefined) continue;
    if (step.steps.some((one) => one.id === stepId)) return [step.name];
    const inner = groupsAround({ steps: step.steps }, stepId);
    if (inner.length > 0) return [step.name, ...inner];
  }
  return [];
}

/** The secrets the steps of a sequence name, for their programs or in their settings, each once. */
export function secretNames(sequence: { steps: readonly Step[] }): string[] {
  return [...new Set([...allSteps(sequence.steps)].flatMap((step) => [...(step.secrets ?? []), ...secretsInSettings(step.with)]))];
}

/** A setting that is a secret: its name at the site, never its value. */
export const secretReferenceSchema = z.strictObject({ secret: secretNameSchema }, "a secret is written { secret: NAME }, never as it is");
export type SecretReference = z.infer<typeof secretReferenceSchema>;

/** The names of the secrets that settings refer to, in their order. */
export function secretsInSettings(settings: unknown): string[] {
  if (Array.isArray(settings)) return settings.flatMap(secretsInSettings);
  if (typeof settings !== "object" || settings === null) return [];
  const reference = secretReferenceSchema.safeParse(settings);
  return reference.success ? [reference.data.secret] : Object.values(settings).flatMap(secretsInSettings);
}
