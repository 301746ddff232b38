/** Where the boot environment mounts the volume that the deployed system is laid on. */
export const dataVolume = "/mnt/data";
