export * from "./management-point.ts";
export * from "./objects.ts";
