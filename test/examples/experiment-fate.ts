/** Seeds that say what becomes of a pretended run; it is finished with any other. */
export const FATE = { fails: 101, dies: 102, deaf: 103 } as const;
