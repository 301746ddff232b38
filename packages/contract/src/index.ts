export * from "./administration.ts";
export * from "./affinity.ts";
export * from "./depots.ts";
export * from "./distribution-points.ts";
export * from "./media-life.ts";
export * from "./management-point.ts";
export * from "./objects.ts";
export * from "./identity.ts";
