import type { setDeploymentRequestSchema } from "@prestage/contract";
import type { z } from "zod";
import { jsonText } from "./json-text.ts";

type Given = z.infer<typeof setDeploymentRequestSchema>;

/** The columns of what a request gives; what it does not give is left as it is. */
export function deploymentColumns(given: Given) {
  const { purpose, makeAvailableTo, enabled, secretsToPassword, availableFrom, expires, assignments, rerun, highImpact, alerts } = given;
  return {
    ...(purpose && { purpose }), ...(makeAvailableTo && { make_available_to: makeAvailableTo }), ...(enabled !== undefined && { enabled }), ...(secretsToPassword !== undefined && { secrets_to_password: secretsToPassword }),
    ...(availableFrom !== undefined && { available_from: dateOf(availableFrom) }), ...(expires !== undefined && { expires: dateOf(expires) }),
    ...(assignments && { assignments: jsonText(assignments) }), ...(rerun && { rerun }), ...(highImpact !== undefined && { high_impact: highImpact === null ? null : jsonText(highImpact) }),
    ...(alerts?.successBelow !== undefined && { alert_success_below: alerts.successBelow?.percent ?? null, alert_success_by: dateOf(alerts.successBelow?.by ?? null) }),
    ...(alerts?.failureAbove !== undefined && { alert_failure_above: alerts.failureAbove }),
  };
}

function dateOf(time: string | null): Date | null {
  return time === null ? null : new Date(time);
}
