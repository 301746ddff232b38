import { checkSettable, expandSettings, secretNames, SequenceError } from "@prestage/sequence";
import type { SecretReference, Step, Variables } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import type { StepsModel } from "../screens/view.ts";
import type { StepExecutor, StepResult } from "../steps/step-executor.ts";
import { makeRedactor, nothingToRedact } from "./redact.ts";
import type { Redact } from "./redact.ts";
import type { ContentAccess, RunContext } from "./run-context.ts";

export interface RunStepOptions {
  context: RunContext;
  step: Step;
  executors: ReadonlyMap<string, StepExecutor>;
  variables: () => Variables;
  /** Journals it. */
  setVariable: (name: string, value: string) => void;
  progress: (progress: NonNullable<StepsModel["progress"]>) => void;
  /** After an interruption in it. */
  again?: boolean;
}

/** Runs one step. Whatever it throws is its failure; only a stop of the run is thrown. */
export async function runStep(options: RunStepOptions): Promise<StepResult> {
  const { context, step, variables, progress } = options;
  const executor = options.executors.get(step.type);
  let redact = nothingToRedact;
  let limit: AbortSignal | undefined;
  try {
    if (executor === undefined) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected a step type this agent knows; found ${step.type}. It knows ${[...options.executors.keys()].join(", ")}.`, "Correct the task sequence, or build the media with a newer boot image.");
    if (!executor.environments.includes(context.environment)) {
      throw new AgentError("PRESTAGE_AGENT_STEP_ENVIRONMENT", `Expected a step for ${places[context.environment]}; ${step.type} runs only in ${executor.environments.map((one) => places[one]).join(" or ")}.`, "Move the step, or put a restart step before it.");
    }
    limit = step.timeLimitMinutes === undefined ? undefined : AbortSignal.timeout(step.timeLimitMinutes * 60_000);
    const signal = limit === undefined ? context.signal : AbortSignal.any([context.signal, limit]);
    const opened = await openSecrets(context, step);
    redact = makeRedactor([...opened.values.values()]);
    const result = await executor.start(
      {
        context: { ...context, signal, content: until(context.content, signal) }, step, variables, progress, again: options.again === true, secrets: { environment: opened.environment, redact, value: opened.value },
        setVariable: (name, value) => {
          checkSettable(name, value);
          if (redact(value) !== value) throw new SequenceError("PRESTAGE_SEQUENCE_VARIABLE_REFUSED", `Expected a variable ${name} without a secret in it: variables are written to the disk. It held one.`);
          options.setVariable(name, value);
        },
        say: (name, value) => options.setVariable(name, redact(value).slice(0, 4000)),
        output: (line) => context.log(`[${step.id}] ${redact(line)}`),
      },
      expandSettings(step.with ?? {}, variables()),
    );
    return withoutSecrets(result, redact);
  } catch (cause) {
    context.signal.throwIfAborted();
    context.log(redact(`[${step.id}] ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`));
    if (limit?.aborted === true) return { failure: failureOf(new AgentError("PRESTAGE_AGENT_STEP_TIME_LIMIT", `Expected the step to end within ${step.timeLimitMinutes ?? 0} minutes; it did not and was ended.`, "Raise its timeLimitMinutes, or see why it takes so long.")) };
    return withoutSecrets({ failure: failureOf(cause) }, redact);
  }
}

/** The secrets a step names: for its processes' environment, or for itself alone in a setting. */
async function openSecrets(context: RunContext, step: Step) {
  const names = secretNames({ steps: [step] });
  const values = new Map(names.length === 0 ? [] : Object.entries(await context.secrets.open(names)));
  const environment = Object.fromEntries((step.secrets ?? []).map((name) => [name, values.get(name) ?? ""]));
  const value = ({ secret }: SecretReference) => {
    const found = values.get(secret);
    if (found === undefined) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected a secret's own name in the settings; found ${secret}, which came out of a variable.`, "Write the name as it is: what a sequence may ask the site for is signed with it.");
    return found;
  };
  return { values, environment, value };
}

/** A step's time counts while its content is fetched, too. */
function until(content: ContentAccess, signal: AbortSignal): ContentAccess {
  return { ensure: (id) => content.ensure(id, signal), checkOut: (id) => content.checkOut(id, signal), ensureImage: (id, index) => content.ensureImage(id, index, signal) };
}

/** What is reported, shown and journalled of a step never holds a secret. */
function withoutSecrets(result: StepResult, redact: Redact): StepResult {
  const { outputTail, failure } = result;
  return {
    ...result,
    ...(outputTail !== undefined && { outputTail: redact(outputTail) }),
    ...(failure && { failure: { code: failure.code, message: redact(failure.message), next: redact(failure.next) } }),
  };
}

const places = { boot: "the boot environment", installed: "the installed system" };

/** An error as the screen and the site get it: stable code, cause, what to do. */
export function failureOf(cause: unknown): { code: string; message: string; next: string } {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof AgentError) return { code: cause.code, message, next: cause.next };
  const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" && cause.code.startsWith("PRESTAGE_") ? cause.code : "PRESTAGE_AGENT_STEP_FAILED";
  const next = cause instanceof SequenceError ? "Correct the task sequence and deploy it again." : "See /prestage/log/agent.log on this computer, or the messages at the site.";
  return { code, message, next };
}
