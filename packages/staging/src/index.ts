export { stagingErrors, StagingError, type StagingErrorCode } from "./error.ts";
export { planStage, type PlanOptions, type StagePlan } from "./plan-stage.ts";
export { stage, type StageOptions, type StageResult } from "./stage.ts";
export { stagePartitions } from "./stage-partitions.ts";
export { receiptPath, type DiskProgress, type StagePhase } from "./stage-disk.ts";
