export * from "./management-point.ts";
export * from "./objects.ts";
export * from "./administration.ts";
export * from "./identity.ts";
