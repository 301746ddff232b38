import fastify, { LogController } from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { SiteContext } from "../site-context.ts";
import { answerError } from "./error-answer.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The body's bytes as received: what a signature covers. */
    rawBody: Buffer;
  }
}

/** What routes are added to. */
export type Routes = ReturnType<typeof newServer>;

/** An HTTPS server without routes: bodies and answers checked by schemas, errors as {code, message}. */
export function newServer(context: SiteContext, tls: { certificate: string; key: string }) {
  const server = fastify({
    https: { cert: tls.certificate, key: tls.key, minVersion: "TLSv1.2" },
    loggerInstance: context.log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 16 * 1024 * 1024,
    requestTimeout: 0,
  }).withTypeProvider<ZodTypeProvider>();
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  server.setErrorHandler(answerError);
  server.setNotFoundHandler((request, reply) => reply.status(404).send({ code: "PRESTAGE_SITE_NOT_FOUND", message: `Expected a path of the API; found ${request.method} ${request.url.split("?")[0]}.` }));
  server.decorateRequest("rawBody");
  server.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body: Buffer, done) => {
    request.rawBody = body;
    try {
      done(null, body.length === 0 ? undefined : JSON.parse(body.toString("utf8")));
    } catch (cause) {
      done(Object.assign(new Error("a body that is not JSON"), { statusCode: 400, cause }));
    }
  });
  return server;
}
