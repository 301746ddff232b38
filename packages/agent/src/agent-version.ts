/** Of this agent; media may ask for one at least as new. */
export const agentVersion = "0.1.0";
