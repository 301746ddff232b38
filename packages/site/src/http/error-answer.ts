import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { isDatabaseGone } from "../database/database-gone.ts";
import { SiteError } from "../error.ts";

/** Statuses of other packages' errors where they reach the API. */
const statusByPrefix: [string, number][] = [
  ["PRESTAGE_TRUST_REQUEST_SIGNATURE", 401], ["PRESTAGE_TRUST_URL_SIGNATURE", 403], ["PRESTAGE_TRUST_", 400], ["PRESTAGE_SEQUENCE_", 422], ["PRESTAGE_CONTENT_NOT_FOUND", 404],
  ["PRESTAGE_CONTENT_", 422], ["PRESTAGE_MEDIA_", 422], ["PRESTAGE_WIM_", 422],
];

/** PostgreSQL's codes (appendix A of its manual) for what two requests at once can still run into. */
const conflicts: Record<string, string> = {
  "23503": "Expected everything the request names to be at the site; something of it is not, or is still in use.",
  "23505": "Expected a name or record the site does not have yet; it has it already.",
};

/** Every refusal is {code, message}; what was not foreseen is logged whole and answered without its inside. */
export function answerError(error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (error instanceof SiteError) return reply.status(error.statusCode).send({ code: error.code, message: error.message });
  const known = statusByPrefix.find(([prefix]) => code.startsWith(prefix));
  if (known !== undefined) return reply.status(known[1]).send({ code, message: error.message });
  // The server's own start of it is in the log; a line for each request would bury that.
  if (isDatabaseGone(error)) return reply.status(503).header("retry-after", "5").send({ code: "PRESTAGE_SITE_DATABASE", message: "Expected the site's database to answer; it does not at the moment. Try again in some seconds; the site's log has the cause." });
  const conflict = conflicts[code];
  if (conflict !== undefined) return reply.status(409).send({ code: "PRESTAGE_SITE_CONFLICT", message: conflict });
  if ("statusCode" in error && typeof error.statusCode === "number" && error.statusCode < 500) {
    return reply.status(error.statusCode).send({ code: "PRESTAGE_SITE_REQUEST_INVALID", message: `Expected a request as the API describes; found: ${error.message}` });
  }
  request.log.error({ err: error }, "unexpected failure");
  return reply.status(500).send({ code: "PRESTAGE_SITE_INTERNAL", message: "Expected the request to succeed; the server failed. Its log has the cause." });
}
